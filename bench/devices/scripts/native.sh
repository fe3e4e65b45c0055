# Run LiteRT's own benchmark_model: five lines of standard input, and its output on standard output.
set -eu
IFS= read -r runner
IFS= read -r graph
read -r threads
read -r runs
read -r mask
# Copied with the artifacts, which nobody executes.
chmod u+rwx "$runner"
if [ -n "$mask" ]; then
    set -- taskset "$mask" "$runner"
else
    set -- "$runner"
fi
exec "$@" "--graph=$graph" "--num_threads=$threads" "--num_runs=$runs" --warmup_runs=20 \
    --use_xnnpack=true 2>&1
