#!/bin/sh
# The Python of this folder, which needs nothing of the system, not even a C library.
case $0 in
    /*) here=${0%/*} ;;
    */*) here=$PWD/${0%/*} ;;
    *) here=$PWD ;;
esac
libraries=$here/lib
case $here in
    # The loader takes a semicolon for the end of a folder's name.
    *\;*) cd "$here" && libraries=lib ;;
esac
PYTHONHOME=$here
PYTHONPATH=${SHUFFLENET_DEPLOY_PATH-}
SHUFFLENET_DEPLOY_LAUNCH=$here/launch
export PYTHONHOME PYTHONPATH SHUFFLENET_DEPLOY_LAUNCH
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONSTARTUP
exec "$here/lib/ld-linux-aarch64.so.1" --library-path "$libraries" "$here/bin/python3" -S -s "$@"
