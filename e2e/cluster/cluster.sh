#!/usr/bin/env bash
# A real Kubernetes of one node for tests, without Docker: see README.md beside this.
# Usage: cluster.sh build                    builds the binary once, into a cache outside of the checkout; prints its path
#        cluster.sh built                    whether it is there
#        cluster.sh up [api|control|all]     starts it and returns once it is ready; default: all
#        cluster.sh down                     ends it and removes all that is left of it
#        cluster.sh hold MODE                starts it and stays: it ends with this process, or when standard input does
#        cluster.sh run MODE COMMAND…        starts it, runs the command in it, ends it
#        cluster.sh exec COMMAND…            runs the command in its network, with KUBECONFIG and kubectl
#        cluster.sh load IMAGE.tar…          gives its node images (docker-archive)
#        cluster.sh stop|start PART          keeps etcd, apiserver, … or kubelet down; lets it come back
#        cluster.sh pid PART                 the process of a part, as this machine counts them
# EVENTFLOW_CLUSTER (default: .dev/cluster in the checkout) is the folder of the instance: each folder is one cluster.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$HERE/../../scripts/lib.sh"

RUN=$(realpath -m "${EVENTFLOW_CLUSTER:-$STATE/cluster}")
CACHE=${EVENTFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eventflow}/cluster
KEY=$(cat "$HERE/go.mod" "$HERE/go.sum" "$HERE/main.go" | sha256sum | cut -c1-16)
BIN=$CACHE/eventflow-cluster-$KEY
# The cgroup of its pods, and nothing else's.
GROUP=eventflow-$(printf %s "$RUN" | sha256sum | cut -c1-12)
export RUN BIN CACHE GROUP

build() {
    [ -x "$BIN" ] || compile || die "the cluster's binary could not be built"
    echo "$BIN"
}

# compile: into the cache; one at a time on this machine, and whoever waited finds the result.
compile() (
    mkdir -p "$CACHE" && exec 9>"$CACHE/lock" && flock 9 || exit 1
    [ ! -x "$BIN" ] || exit 0
    go=$(go_command) && cd "$HERE" && version=$("$go" list -m -f '{{.Version}}' k8s.io/kubernetes) || exit 1
    minor=${version#v*.}
    say "cluster: building Kubernetes $version; the first time takes ten minutes on two cores"
    variables="-s -w"
    for package in k8s.io/component-base k8s.io/client-go/pkg; do
        variables+=" -X $package/version.gitVersion=$version -X $package/version.gitMajor=1 -X $package/version.gitMinor=${minor%%.*}"
    done
    # Less work for the collector: it builds in three quarters of the time, with 3.6 GB of memory.
    GOGC=${GOGC:-400} "$go" build -trimpath -buildvcs=false -ldflags "$variables" -o "$BIN.new" . && mv "$BIN.new" "$BIN" || exit 1
    find "$CACHE" -maxdepth 1 -name 'eventflow-cluster-*' -mtime +30 ! -path "$BIN" -delete
)

# built: a test does not build for ten minutes behind one's back.
built() { [ -x "$BIN" ] || die "the cluster's binary is missing: e2e/cluster/cluster.sh build (once, ten minutes)"; }

holder() {
    local pid
    pid=$(cat "$RUN/pid/hold" 2>/dev/null) && grep -qsa "hold.sh" "/proc/$pid/cmdline" && echo "$pid"
}

mode_of() { cat "$RUN/mode" 2>/dev/null || echo all; }

# await PID SECONDS: until the cluster is ready.
await() {
    local until=$((SECONDS + $2))
    until [ -e "$RUN/ready" ]; do
        kill -0 "$1" 2>/dev/null || die "the cluster did not start: $(tail -n 5 "$RUN.log" 2>/dev/null)"
        [ "$SECONDS" -lt "$until" ] || die "the cluster did not become ready within $2 s"
        sleep 0.05
    done
}

up() {
    local mode=${1:-all}
    built
    ! holder >/dev/null || { say "cluster: runs already ($(mode_of))"; return; }
    mkdir -p "$(dirname "$RUN")"
    # In a session of its own, so that it outlives this terminal and its Ctrl-C.
    setsid "$HERE/cluster.sh" hold "$mode" </dev/null >"$RUN.log" 2>&1 &
    await $! 150
    say "cluster: ready after $SECONDS s. Try: e2e/cluster/cluster.sh exec kubectl get nodes"
}

down() {
    local pid
    if pid=$(holder); then stop_pid "$pid" 30; fi
    "$HERE/clean.sh"
    rm -f "$RUN.log"
}

hold() {
    local mode=${1:-all} unshare=()
    case $mode in
        api | control) ;;
        all)
            [ "$(id -u)" = 0 ] || die "a node needs root: use the modes api or control"
            unshare=(unshare --net)
            ;;
        *) die "the modes are api, control and all" ;;
    esac
    built
    ! holder >/dev/null || die "a cluster runs in $RUN already"
    # The longest path of a socket below it must fit into 107 bytes.
    [ ${#RUN} -le 85 ] || die "the path $RUN is too long: set EVENTFLOW_CLUSTER"
    case $RUN/ in /run/* | /var/run/* | /var/lib/* | /var/log/*) die "EVENTFLOW_CLUSTER may not be below ${RUN%/*}" ;; esac
    "$HERE/clean.sh"
    exec "${unshare[@]}" bash "$HERE/hold.sh" "$mode"
}

# inside COMMAND…: in the network of the cluster.
inside() {
    local pid nsenter=()
    pid=$(holder) || die "no cluster runs in $RUN: make cluster-up"
    [ "$(mode_of)" != all ] || nsenter=(nsenter "--net=/proc/$pid/ns/net")
    KUBECONFIG=$RUN/admin.kubeconfig EVENTFLOW_CLUSTER=$RUN PATH=$RUN/bin:$PATH exec "${nsenter[@]}" "$@"
}

run() {
    local mode=$1 rc=0 holding
    shift
    built
    # Standard input is a pipe that only this shell holds: whatever ends this, ends the cluster.
    exec 8> >(exec "$HERE/cluster.sh" hold "$mode" >/dev/null)
    holding=$!
    await "$holding" 150
    (exec 8>&-; inside "$@") || rc=$?
    exec 8>&-
    stop_pid "$holding" 30
    return $rc
}

load() {
    local image
    [ -e "$RUN/containerd/c.sock" ] || die "no node runs in $RUN"
    for image in "$@"; do
        ctr -a "$RUN/containerd/c.sock" -n k8s.io images import "$image" >>"$RUN/log/import.log" 2>&1 ||
            die "$image could not be loaded: $(tail -n 2 "$RUN/log/import.log")"
    done
}

# pid_of PART: those of the node have a process namespace of their own, and so another number outside.
pid_of() {
    local pid inner init space
    inner=$(cat "$RUN/pid/$1" 2>/dev/null) || die "$1 does not run"
    case $1 in
        kubelet | containerd)
            init=$(cat "$RUN/pid/node") && init=$(cat "/proc/$init/task/$init/children") && space=$(readlink "/proc/${init%% *}/ns/pid")
            for pid in /proc/[0-9]*; do
                [ "$(readlink "$pid/ns/pid" 2>/dev/null)" = "$space" ] || continue
                [ "$(awk '/^NSpid:/ { print $NF }' "$pid/status" 2>/dev/null)" != "$inner" ] || { echo "${pid#/proc/}"; return; }
            done
            die "$1 does not run"
            ;;
        *) echo "$inner" ;;
    esac
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
    build) build ;;
    built) built ;;
    up) up "$@" ;;
    down) down ;;
    hold) hold "$@" ;;
    run) run "$@" ;;
    exec) inside "$@" ;;
    load) load "$@" ;;
    pid) pid_of "$1" ;;
    stop)
        touch "$RUN/keep-down/$1"
        kill -KILL "$(pid_of "$1")"
        ;;
    start) rm -f "$RUN/keep-down/$1" ;;
    *) sed -n '2,13s/^# //p' "$0" >&2 && exit 2 ;;
esac
