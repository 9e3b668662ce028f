#!/usr/bin/env bash
# All tiers of tests, on a machine that has a Rust toolchain and nothing else: see docs/testing.md.
# Each tier is bounded in time, and the next one runs even where one fails. The last line counts the tests.
# Usage: scripts/test.sh [lint] [examples] [unit] [system] [cluster] [chaos] [unguarded] [web] [kube] [soak] [postgres] [scripts]
# Default: all but kube, soak, unguarded and postgres, which are asked for by name: they take long, or need a quiet machine.
# EVENTFLOW_CHAOS=whole makes the tier chaos an hour long, and nothing of it is left out: that is `make chaos`.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
LOGS=$STATE/test
export CARGO_TERM_COLOR=never CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
BIN=$CARGO_TARGET_DIR/debug/eventflow
WANTED=" ${*:-lint examples unit system cluster chaos web scripts} "
started_at=$SECONDS
failed_tiers=()
server=

rm -rf "$LOGS"
mkdir -p "$LOGS"

cleanup() {
    local pid_file
    [ -z "$server" ] || stop_pid "$server" 40
    for pid_file in "$LOGS"/*.pid; do
        [ -e "$pid_file" ] && [ ! -e "${pid_file%.pid}.end" ] || continue
        # `timeout` hands the signal on to everything that it started.
        kill "$(cat "$pid_file")" 2>/dev/null || true
    done
}
trap cleanup EXIT
trap 'exit 130' INT TERM

wanted() { case $WANTED in *" $1 "*) ;; *) return 1 ;; esac; }

# bounded NAME SECONDS COMMAND…: runs the command, and leaves its exit code and its seconds in NAME.end.
bounded() {
    local name=$1 limit=$2 begun=$SECONDS rc=0
    shift 2
    timeout --kill-after=10 "$limit" "$@" &
    echo $! >"$LOGS/$name.pid"
    wait $! || rc=$?
    echo "$rc $((SECONDS - begun))" >"$LOGS/$name.end"
}

# background NAME SECONDS COMMAND…: starts a long build early; `finish NAME` waits for it and shows what went wrong.
background() {
    say "== $1: started in the background"
    bounded "$@" >"$LOGS/$1.log" 2>&1 &
    printf -v "pid_$1" '%s' $!
}

finish() {
    local pid=pid_$1
    wait "${!pid}" || true
    report "$1" "in the background" || {
        tail -n 60 "$LOGS/$1.log" >&2
        return 1
    }
}

# tier NAME SECONDS COMMAND…: its output goes to the terminal and to a log.
tier() {
    say "== $1"
    bounded "$@" 2>&1 | tee "$LOGS/$1.log" &
    wait $! || true
    report "$1" ""
}

# report NAME WHERE: says how it ended.
report() {
    local rc seconds
    read -r rc seconds <"$LOGS/$1.end" || { rc=1 seconds='?'; }
    if [ "$rc" = 0 ]; then
        say "== $1: ok, $seconds s${2:+ $2}"
    else
        failed "$1" "$rc" "$seconds"
        return 1
    fi
}

failed() {
    local why="exit code $2"
    case $2 in 124 | 137) why="out of time" ;; esac
    failed_tiers+=("$1")
    say "== $1: FAILED ($why), $3 s"
}

# summary: what failed, and the sum of all tests, by the logs of all tiers.
summary() {
    python3 scripts/summary.py "$LOGS" ${failed_tiers[@]+"${failed_tiers[@]}"}
}

# against_a_server TIER…: the server as people get it, on a free port with fresh data, for tests that speak to any server.
against_a_server() {
    local port data rc=0
    port=$(free_port)
    data=$(mktemp -d)
    "$BIN" dev --listen "127.0.0.1:$port" --data "$data" --no-examples >"$LOGS/server.txt" 2>&1 &
    server=$!
    if wait_ready "http://127.0.0.1:$port" "$server" 60; then
        EVENTFLOW_URL=http://127.0.0.1:$port tier "$@" || rc=$?
    else
        tail -n 40 "$LOGS/server.txt" >&2
        failed "$1" 1 0
        rc=1
    fi
    stop_pid "$server" 40
    server=
    rm -rf "$data"
    return "$rc"
}

# The chaos runner, and what else is too long for every run of the tests.
chaos_slice() {
    # The same seeds each time: what a change breaks is then told from what another seed finds. A machine that also builds
    # Kubernetes heals more slowly than the 10 s of `make chaos`.
    EVENTFLOW_CHAOS_HEALED=${EVENTFLOW_CHAOS_HEALED:-30} \
        tier chaos 480 "$CARGO_TARGET_DIR/debug/eventflow-chaos" --seeds 2 --first 11 --steps 9 --accepted 1500 || true
}

chaos_unguarded() {
    EVENTFLOW_SHAPE=cluster tier unguarded 600 \
        cargo test --workspace --locked --no-fail-fast --test system -- --test-threads=2 unguarded:: || true
}

# The contract of the record, and of blobs in it, against PostgreSQL of other versions than this machine's.
postgres_versions() {
    local folder
    for folder in "$TOOLS"/postgres/*/; do
        [ -x "$folder/bin/postgres" ] || continue
        EVENTFLOW_POSTGRES_BIN=$(readlink -f "$folder/bin") tier "postgres-$(basename "$folder")" 900 \
            cargo test --workspace --locked --no-fail-fast --test it -- --test-threads=2 postgres || true
    done
}

chaos_whole() {
    local one=(cargo test --workspace --locked --test system --)
    tier chaos 3600 "$CARGO_TARGET_DIR/debug/eventflow-chaos" --seeds 20 --steps 12 --accepted 5000 --gateways 2 || true
    EVENTFLOW_SHAPE=cluster EVENTFLOW_IDEMPOTENCY_KEYS=1000 tier idempotency 900 \
        "${one[@]}" --exact idempotency::twenty_racing_retries_of_each_key_over_two_apis_that_are_killed_run_once ||
        true
    EVENTFLOW_SHAPE=cluster EVENTFLOW_WIPED_CALLS=10000 tier wiped 600 "${one[@]}" --exact \
        outages::all_that_a_wiped_broker_knew_is_published_again_within_about_a_minute || true
    EVENTFLOW_POWER_CUTS=50 tier power 900 "${one[@]}" --exact \
        power_cut::power_cuts_under_load_take_nothing_that_was_answered || true
}

# in_cluster TIER SECONDS ARGUMENT…: tests of Kubernetes. As root in a node's network, where pods run; else on control
# planes alone, and the tests of pods say SKIPPED.
in_cluster() {
    local name=$1 limit=$2 inside=()
    shift 2
    [ "$(id -u)" != 0 ] || inside=(e2e/cluster/cluster.sh run all)
    EVENTFLOW_CLUSTER=$LOGS/kubernetes EVENTFLOW_BIN=$BIN tier "$name" "$limit" "${inside[@]}" \
        cargo test --workspace --locked --offline --no-fail-fast --test kube -- --test-threads=3 "$@"
}

scripts/setup.sh test
tools=true examples=true
if wanted postgres; then scripts/tools.sh postgres || failed postgres 1 0; fi
if wanted lint || wanted unit || wanted system || wanted cluster || wanted chaos || wanted unguarded || wanted kube || wanted soak; then background tools 900 scripts/tools.sh; fi
# Kubernetes takes ten minutes where it was never built: behind everything else, and its tests come last.
if wanted unit || wanted kube || wanted soak; then background kubernetes 2400 nice -n 15 e2e/cluster/cluster.sh build; fi
if wanted examples || wanted system || wanted cluster || wanted kube || wanted soak; then background examples 900 scripts/examples.sh --test; fi
# A debug build of the workspace reads the UI from its folder: neither waits for the other.
if wanted web; then background webcheck 900 scripts/web.sh check; fi

built=true
if wanted unit || wanted system || wanted cluster || wanted chaos || wanted unguarded || wanted web || wanted kube || wanted soak || wanted postgres || wanted scripts; then
    # One build of all binaries and tests: the tiers below then compile nothing, because all ask for the same features.
    # The example is the services with their guards switched off, which tests of the cluster start.
    if tier build 1200 cargo build --workspace --locked --lib --bins --tests --example unguarded; then
        export XTASK=$CARGO_TARGET_DIR/debug/xtask
    else
        built=false
    fi
fi
# The contract tests start a real nats-server.
if wanted lint || wanted unit || wanted system || wanted cluster || wanted chaos || wanted unguarded || wanted kube || wanted soak; then finish tools || tools=false; fi
if wanted examples || wanted system || wanted cluster || wanted kube || wanted soak; then finish examples || examples=false; fi
if wanted system && $built && $tools && $examples; then
    EVENTFLOW_BIN=$BIN tier system 900 \
        cargo test --workspace --locked --no-fail-fast --test system -- --test-threads=2 || true
fi
if wanted cluster && $built && $tools && $examples; then
    # The same tests, over a real PostgreSQL and a real nats-server.
    # Guards switched off belong to chaos: what they let happen takes minutes and a quiet machine to show.
    EVENTFLOW_BIN=$BIN EVENTFLOW_SHAPE=cluster tier cluster 1500 \
        cargo test --workspace --locked --no-fail-fast --test system -- --test-threads=2 --skip unguarded:: || true
fi
if wanted chaos && $built && $tools; then
    export EVENTFLOW_BIN=$BIN
    "chaos_${EVENTFLOW_CHAOS:-slice}"
fi
if wanted unguarded && $built && $tools; then
    EVENTFLOW_BIN=$BIN chaos_unguarded
fi
if wanted web; then
    if finish webcheck && $built; then
        EVENTFLOW_BIN=$BIN tier web 900 scripts/web.sh e2e || true
    fi
fi
if wanted scripts && $built; then
    against_a_server scripts 180 scripts/test-function.sh || true
fi
kubernetes=true
if wanted unit || wanted kube || wanted soak; then finish kubernetes || kubernetes=false; fi
if wanted unit && $built && $tools; then
    # Everything but the package `e2e`, whose test targets are `system` and `kube`.
    tier unit 900 cargo test --workspace --locked --no-fail-fast --lib --bins --test it || true
fi
if wanted postgres && $built; then
    postgres_versions
fi
if wanted kube && $built && $tools && $examples && $kubernetes; then
    in_cluster kube 900 --skip soak:: --skip faults:: || true
    # They harm whatever else runs in their cluster.
    in_cluster faults 600 faults:: || true
fi
if wanted soak && $built && $tools && $examples && $kubernetes; then
    in_cluster soak 1800 soak:: || true
    EVENTFLOW_IDLE_SECONDS=600 tier idle 900 cargo test --workspace --locked --test it -- \
        --exact idle::an_idle_operator_writes_nothing_but_its_lease_for_a_minute || true
fi
if wanted lint; then tier lint 900 scripts/lint.sh || true; fi

say "== all: $((SECONDS - started_at)) s${failed_tiers[*]:+, FAILED: ${failed_tiers[*]}}"
summary
[ ${#failed_tiers[@]} = 0 ]
