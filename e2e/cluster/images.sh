#!/usr/bin/env bash
# The two images that every cluster has, in the cache: localhost/pause:1 and localhost/busybox:1 (Debian's, static).
# Prints their folder.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
folder=$CACHE/images-$(cat "$HERE/images.sh" "$HERE/images/pause.c" "$HERE/../../deploy/docker/pack.sh" /bin/busybox | sha256sum | cut -c1-16)
if [ ! -d "$folder" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/pause" "$work/busybox"/{bin,tmp,etc,www} "$work/tars"
    cc -Os -static -s -o "$work/pause/pause" "$HERE/images/pause.c" || die "pause could not be compiled"
    install /bin/busybox "$work/busybox/bin/busybox"
    for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -sf busybox "$work/busybox/bin/$applet"; done
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$work/busybox/etc/passwd"
    chmod 1777 "$work/busybox/tmp"
    "$HERE/../../deploy/docker/pack.sh" localhost/pause:1 "$work/pause" "$work/tars/pause.tar" '{"Entrypoint": ["/pause"]}'
    "$HERE/../../deploy/docker/pack.sh" localhost/busybox:1 "$work/busybox" "$work/tars/busybox.tar" '{}'
    mkdir -p "$CACHE"
    mv -T "$work/tars" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
echo "$folder"
