# A Podman of its own: images, containers, network and socket below FOLDER. Says "ready", or why it cannot be; then takes
# "down" and "up" on standard input, whose end is the end of whoever started it: everything of it goes then.
# Usage: serve.sh FOLDER ROOT_OF_THE_CHECKOUT
set -u
trap "" INT TERM HUP
folder=$1 root=$2 service=
socket=$folder/podman.sock
say() { echo "$*"; }

cleanup() {
    [ -z "$service" ] || { kill -9 "$service" 2>/dev/null; wait "$service" 2>/dev/null; }
    pod rm --all --force --time 0 --volumes >/dev/null 2>&1
    ip link delete "$bridge" 2>/dev/null
    umount -l "$folder/root/vfs" "$folder/root" 2>/dev/null
    rm -rf "$folder"
}
fail() {
    say "$1"
    cleanup
    exit 1
}

pod() { podman --root "$folder/root" --runroot "$folder/run" --storage-driver vfs "$@"; }

mkdir -p "$folder/net" "$folder/images"
# One subnet and one bridge for each process that tests.
bridge=ef$$
cat >"$folder/net/podman.json" <<JSON
{"name": "podman", "id": "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9", "driver": "bridge",
 "network_interface": "$bridge", "created": "2026-01-01T00:00:00Z",
 "subnets": [{"subnet": "10.$((100 + ($$ >> 8) % 100)).$(($$ & 255)).0/24", "gateway": "10.$((100 + ($$ >> 8) % 100)).$(($$ & 255)).1"}],
 "ipv6_enabled": false, "internal": false, "dns_enabled": false, "ipam_options": {"driver": "host-local"}}
JSON
# Bounds that also a machine grants which gives its root no more; no systemd; no registry is ever asked.
cat >"$folder/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
$(command -v runc >/dev/null 2>&1 && echo 'runtime = "runc"')
[network]
network_backend = "netavark"
network_config_dir = "$folder/net"
CONF
printf 'unqualified-search-registries = []\n' >"$folder/registries.conf"
export CONTAINERS_CONF=$folder/containers.conf CONTAINERS_REGISTRIES_CONF=$folder/registries.conf

command -v podman >/dev/null 2>&1 || fail "podman is not installed"
[ -x /bin/busybox ] || fail "busybox-static is not installed"

# The image: Debian's static busybox, and a server that answers any request to / by its body.
tree=$folder/images/tree
mkdir -p "$tree/bin" "$tree/tmp" "$tree/etc" "$tree/www/cgi-bin"
install /bin/busybox "$tree/bin/busybox"
for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -sf busybox "$tree/bin/$applet"; done
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$tree/etc/passwd"
chmod 1777 "$tree/tmp"
cat >"$tree/www/cgi-bin/index.cgi" <<'CGI'
#!/bin/sh
case $QUERY_STRING in
    sleep) sleep 30 ;;
    exit) kill 1; sleep 30 ;;
esac
printf 'Content-Type: text/plain\r\n\r\n'
case $QUERY_STRING in
    host) hostname ;;
    *) echo "asked for $REQUEST_METHOD" >&2; cat ;;
esac
CGI
chmod 755 "$tree/www/cgi-bin/index.cgi"
"$root/deploy/docker/pack.sh" localhost/busybox:1 "$tree" "$folder/images/root.tar" '{}' >&2 || fail "no image could be packed"
"$root/deploy/docker/pack.sh" localhost/nobody:1 "$tree" "$folder/images/nobody.tar" '{"User": "65534:65534"}' >&2 ||
    fail "no image could be packed"
for image in root nobody; do
    pod load --input "$folder/images/$image.tar" >&2 || fail "podman cannot load an image here"
done
rm -rf "$folder/images"
pod run --rm --network none localhost/busybox:1 true >&2 || fail "podman cannot run a container here"

up() {
    rm -f "$socket"
    # Itself, and no shell around it, or the signals that end it would not reach it.
    (exec podman --root "$folder/root" --runroot "$folder/run" --storage-driver vfs \
        system service --time=0 "unix://$socket" </dev/null >&2) &
    service=$!
    for _ in $(seq 600); do
        [ -S "$socket" ] && return
        sleep 0.1
    done
}
up
[ -S "$socket" ] || fail "podman does not serve its API"
say ready
while read -r word; do
    case $word in
        down)
            kill -9 "$service"
            wait "$service" 2>/dev/null
            rm -f "$socket"
            ;;
        up) up ;;
    esac
    say "$word"
done
exec >&-
cleanup
