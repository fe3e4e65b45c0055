# Unpack what comes on standard input as the part whose key is its first line: whole or not at all.
set -eu
umask 077
read -r key
case $key in
    '' | *[!0-9a-f]*) echo "no key of a part" >&2; exit 64 ;;
esac
part=$root/parts/$key
new=$root/parts/.new-$key-$$
mkdir -p "$root/parts"
# What a copy that was cut off has left; one that goes on now is younger.
find "$root/parts" -name '.new-*' -prune -mtime +0 -exec rm -rf '{}' ';' 2>/dev/null || true
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$new"
# Not the times of the archive: a clock that is far off would warn of the future.
# Its first word is what went wrong, and may be one that the host knows, so in English.
said=$(LC_ALL=C tar -xzmf - -C "$new" 2>&1) || {
    printf '%s\n' "$said" | grep -i -m 1 -e 'no space' -e quota >&2 || printf '%s\n' "$said" >&2
    exit 1
}
# What is copied to a phone may have lost the right to be executed.
for folder in "$new/bin" "$new/lib"; do
    [ ! -d "$folder" ] || chmod -R u+rwx "$folder"
done
# Another host may have placed the same meanwhile, and to move onto a folder is to move into it.
[ -d "$part" ] || mv "$new" "$part"
