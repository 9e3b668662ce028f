#!/bin/sh
# Lays out the file system of an image from its list (see images/): in the Dockerfile, and without a container engine in
# images.sh. Usage: rootfs.sh LIST BINARIES WEB FOLDER
#   BINARIES  the folder of our own binaries       WEB  the folder of the built pages
# EVENTFLOW_SYSTEM: a folder that is looked into before the system's own files, for packages that are not installed.
set -eu
list=$1 binaries=$2 web=$3 root=$4
here=$(cd "$(dirname "$0")" && pwd)

# libraries FILE: where the loader looks for them: "libc.so.6 => /lib/…/libc.so.6 (0x…)", and the loader itself.
libraries() {
    ldd "$1" | sed -n 's/^.*=> \(\/[^ ]*\) .*$/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*$/\1/p' | while read -r library; do
        install -D "$library" "$root$library"
    done
}

place() {
    case $1 in
        bin:*) echo "$binaries/${1#bin:}" ;;
        web:*) echo "$web/${1#web:}" ;;
        deploy:*) echo "$here/../${1#deploy:}" ;;
        system:*)
            if [ -e "${EVENTFLOW_SYSTEM:-/none}${1#system:}" ]; then
                echo "$EVENTFLOW_SYSTEM${1#system:}"
            else
                echo "${1#system:}"
            fi
            ;;
        *) echo "rootfs.sh: $list: unknown source $1" >&2 && exit 1 ;;
    esac
}

grep -v '^#' "$list" | while read -r kind mode owner path source; do
    case $kind in
        program)
            from=$(place "$source")
            install -D -m "$mode" "$from" "$root$path"
            # Debug information would be most of the image.
            case $source in bin:*) strip --strip-debug "$root$path" 2>/dev/null || true ;; esac
            libraries "$from"
            ;;
        file) install -D -m "$mode" "$(place "$source")" "$root$path" ;;
        tree)
            mkdir -p "$root$path"
            cp -R "$(place "$source")/." "$root$path/"
            chmod -R u=rwX,go=rX "$root$path"
            ;;
        folder) install -d -m "$mode" "$root$path" ;;
        user)
            # An account that owns nothing but its folders: `user NUMBER NAME HOME -`.
            mkdir -p "$root/etc"
            printf 'root:x:0:0:root:/:/none\n%s:x:%s:%s::%s:/none\n' "$owner" "$mode" "$mode" "$path" >"$root/etc/passwd"
            printf 'root:x:0:\n%s:x:%s:\n' "$owner" "$mode" >"$root/etc/group"
            ;;
        config | name | '') ;;
        *) echo "rootfs.sh: $list: unknown kind $kind" >&2 && exit 1 ;;
    esac
    case $kind in
        program | file | folder) [ "$(id -u)" != 0 ] || chown "$owner" "$root$path" ;;
    esac
done
