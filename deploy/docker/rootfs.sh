#!/bin/sh
# Lays out the whole file system of an image: the binary, the libraries it names, certificates, and folders of the
# user 65532. Usage: rootfs.sh BINARY FOLDER
set -eu
binary=$1 root=$2
install -D "$binary" "$root/usr/bin/$(basename "$binary")"
# Where the loader looks for them: "libc.so.6 => /lib/…/libc.so.6 (0x…)", and the loader itself without an arrow.
ldd "$binary" | sed -n 's/^.*=> \(\/[^ ]*\) .*$/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*$/\1/p' | while read -r library; do
    install -D "$library" "$root$library"
done
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf 'eventflow:x:65532:65532::/var/lib/eventflow:/none\n' >"$root/etc/passwd"
printf 'eventflow:x:65532:\n' >"$root/etc/group"
# A new volume takes owner and mode of the folder that it is mounted on.
install -d -o 65532 -g 65532 -m 700 "$root/var/lib/eventflow" "$root/var/lib/eventflow-blobs"
install -d -m 1777 "$root/tmp"
