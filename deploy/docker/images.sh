#!/usr/bin/env bash
# Packs the images of EventFlow without a container engine, from built binaries: FOLDER/NAME.tar, docker-archives.
# Usage: images.sh BINARIES WEB FOLDER TAG [NAME…]      default: all of images/*.list whose sources are there
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
binaries=$1 web=$2 out=$3 tag=$4
shift 4
CACHE=${EVENTFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eventflow}

# nginx: its package unpacked beside the system, so that no web server is installed (and started) on this machine.
nginx() {
    local folder=$CACHE/nginx
    if [ -x /usr/sbin/nginx ] && [ -e /etc/nginx/mime.types ]; then echo /none && return; fi
    if [ ! -x "$folder/usr/sbin/nginx" ]; then
        rm -rf "$folder.new" && mkdir -p "$folder.new"
        # As its own user, apt could not write here.
        (cd "$folder.new" && apt-get -qq -o APT::Sandbox::User=root download nginx nginx-common >&2 &&
            for package in *.deb; do dpkg -x "$package" . && rm "$package"; done) ||
            die "the package nginx could not be had"
        mv -T "$folder.new" "$folder" 2>/dev/null || [ -x "$folder/usr/sbin/nginx" ]
    fi
    echo "$folder"
}

EVENTFLOW_SYSTEM=$(nginx)
export EVENTFLOW_SYSTEM
mkdir -p "$out"
[ $# -gt 0 ] || for list in "$HERE"/images/*.list; do set -- "$@" "$(basename "$list" .list)"; done
for name in "$@"; do
    list=$HERE/images/$name.list
    [ -e "$list" ] || list=$name
    name=$(basename "$list" .list)
    root=$(mktemp -d)
    chmod 755 "$root"
    sh "$HERE/rootfs.sh" "$list" "$binaries" "$web" "$root" || die "$name could not be laid out"
    config=$(sed -n 's/^config - - - //p' "$list")
    reference=$(sed -n 's/^name - - - //p' "$list")
    "$HERE/pack.sh" "${reference:-$name:$tag}" "$root" "$out/$name.tar" "$config"
    rm -rf "$root"
    say "image ${reference:-$name:$tag}: $(du -h "$out/$name.tar" | cut -f1)"
done
