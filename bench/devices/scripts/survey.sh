# What the device is, as far as it matters to how a worker gets there: lines of key=value.
# $versions are those of Python that will do, the newest first.
say() { printf '%s=%s\n' "$1" "$2"; }
# A shell may have begun a line before, in ~/.bashrc.
echo
say root "$root"
say machine "$(uname -m)"
say kernel "$(uname -r)"
say clock "$(date +%s)"
folder=$root
while [ ! -d "$folder" ]; do
    folder=${folder%/*}
    [ -n "$folder" ] || folder=/
done
say df "$(df -Pk "$folder" 2>/dev/null | tail -n 1)"
for part in "$root"/parts/*; do
    [ ! -d "$part" ] || say part "${part##*/}"
done
# The first Python that can be used. Isolated and without site: it starts sooner, and says the same.
for version in "" $versions; do
    python=$(command -v "python${version:-3}" 2>/dev/null) || continue
    found=$("$python" -I -S -c 'import importlib.util, os, struct, sys
version = "%d.%d" % sys.version_info[:2]
if version not in sys.argv[1:]:
    sys.exit(1)
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (ValueError, OSError):
    libc = ""
print("python_version=" + version)
print("python_bits=%d" % (8 * struct.calcsize("P")))
print("libc=" + libc)
print("has_venv=%d" % (importlib.util.find_spec("venv") is not None))' $versions 2>/dev/null) || continue
    say python "$python"
    printf '%s\n' "$found"
    break
done
