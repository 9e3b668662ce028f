#!/usr/bin/env bash
# Makes sure that what `make run` or `make test` needs is there: quiet when it is, clear when it cannot be had.
# Usage: scripts/setup.sh run|test|bench|cluster
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

purpose=${1:-run}
missing=()

# need COMMAND PACKAGE: notes the Debian package of a command that is not there.
need() { have "$1" || missing+=("$2"); }

# root_prefix: how to become root without a question; fails where that is not possible.
root_prefix() {
    if [ "$(id -u)" = 0 ]; then
        echo ""
    elif have sudo && sudo -n true 2>/dev/null; then
        echo sudo
    else
        return 1
    fi
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local list="${missing[*]}" as_root
    have apt-get || die "these are missing, and there is no apt-get to install them with: $list"
    as_root=$(root_prefix) ||
        die "these packages are missing: $list
  install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends $list"
    say "installing: $list"
    # shellcheck disable=SC2086  # one word per package, and an empty prefix for root
    {
        $as_root apt-get -qq update || say "apt-get update failed; trying with the lists that are there"
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $list >/dev/null ||
            die "apt-get could not install: $list"
    }
}

packages() {
    have cc || missing+=(gcc libc6-dev)
    need make make
    need curl curl
    need git git
    need ps procps
    need python3 python3
    case $purpose in
        test)
            python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
            need node nodejs
            need npm npm
            # The browser of the tests of the UI.
            need chromium chromium
            # The server; its own scripts start it, so the distribution's service is left alone.
            ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || have postgres || missing+=(postgresql)
            need setpriv util-linux
            cluster_packages
            # A container engine for container functions of one machine; without the network part it starts none that serves.
            need podman podman
            ls /usr/lib/podman/netavark /usr/libexec/podman/netavark >/dev/null 2>&1 || missing+=(netavark)
            need iptables iptables
            [ -x /bin/busybox ] || missing+=(busybox-static)
            # What only root can use: a network of the tests' own, and file systems whose power is cut.
            if [ "$(id -u)" = 0 ]; then
                need nft nftables
                need ip iproute2
                need mkfs.ext4 e2fsprogs
            fi
            ;;
        bench) need wrk wrk ;;
        cluster) cluster_packages ;;
    esac
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -d /etc/apt ] || missing+=(ca-certificates)
}

# What a node of e2e/cluster is made of; its binary is built by Go, kubectl included.
cluster_packages() {
    need openssl openssl
    need jq jq
    need setpriv util-linux
    # A node needs root; without it there is the control plane alone.
    [ "$(id -u)" = 0 ] || return 0
    need ip iproute2
    need containerd containerd
    need runc runc
    [ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
    [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || missing+=(busybox-static)
}

rust() {
    local channel
    channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
    if have rustup; then
        # The first call of cargo lets rustup install what rust-toolchain.toml pins; later ones are quick.
        (cd "$ROOT" && { cargo --version || rustup toolchain install; }) >/dev/null 2>&1 ||
            die "rustup could not install the toolchain $channel"
        (cd "$ROOT" && rustup component add clippy rustfmt &&
            rustup target add wasm32-wasip1 wasm32-wasip2) >/dev/null 2>&1 ||
            die "rustup could not add clippy, rustfmt and the targets wasm32-wasip1 and wasm32-wasip2"
    elif have cargo; then
        have_targets || die "cargo is there, but not rustup, and the targets wasm32-wasip1 and wasm32-wasip2 are missing:
  install them, or rustup (https://rustup.rs)"
    else
        die "Rust is missing: install rustup (https://rustup.rs), which then picks the toolchain $channel by itself"
    fi
}

have_targets() {
    local lib
    for target in wasm32-wasip1 wasm32-wasip2; do
        lib=$(rustc --print target-libdir --target "$target" 2>/dev/null) && [ -d "$lib" ] || return 1
    done
}

case $purpose in
    run | test | bench | cluster) ;;
    *) die "usage: scripts/setup.sh run|test|bench|cluster" ;;
esac
packages
install_missing
rust
