# Start the agent with the parts that are named, by the way that is named: three lines of standard
# input; all further ones are for the agent.
set -eu
umask 077
# The user's settings of Python are for the user's own programs.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE PYTHONDEBUG PYTHONINSPECT \
    PYTHONIOENCODING PYTHONUTF8 PYTHONMALLOC PYTHONHASHSEED PYTHONUSERBASE PYTHONPLATLIBDIR || true
read -r way
read -r python
read -r keys
case $keys in
    '' | *[!0-9a-f\ ]*) echo "no keys of parts" >&2; exit 64 ;;
esac
for key in $keys; do
    [ -d "$root/parts/$key" ] || { echo "a part is gone: $key" >&2; exit 1; }
done
if [ "$way" = bundle ]; then
    base=$root/parts/${keys%% *}
    path=
    for key in $keys; do
        [ "$root/parts/$key" = "$base" ] || path=$path:$root/parts/$key
    done
    SHUFFLENET_DEPLOY_PATH=${path#:}
    export SHUFFLENET_DEPLOY_PATH
    exec sh "$base/launch" -P -s -m shufflenet_deploy.runtime.agent "$root"
fi
# A virtual environment of the parts, named after them and after the Python that it is made of.
read -r venv
case $venv in
    '' | *[!0-9a-f]*) echo "no name of an environment" >&2; exit 64 ;;
esac
home=$root/venvs/$venv
if [ ! -d "$home" ]; then
    new=$home.$$
    mkdir -p "$root/venvs"
    trap 'rm -rf "$new"' EXIT
    # Neither pip nor ensurepip is needed: the parts are installed already.
    "$python" -I -m venv --without-pip "$new" >&2
    for site in "$new"/lib/python3.*/site-packages; do
        for key in $keys; do
            printf '%s\n' "$root/parts/$key"
        done >"$site/shufflenet-deploy.pth"
    done
    [ -d "$home" ] || mv "$new" "$home"
    rm -rf "$new"  # another host was quicker
fi
exec "$home/bin/python" -P -s -m shufflenet_deploy.runtime.agent "$root"
