#!/usr/bin/env bash
# The tour, on a server of its own: real input through each runtime, then SIGKILL in the middle of a hundred queued
# calls, a restart, and an account of every one of them. Ends with an error where a call is lost or ends twice.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

CALLS=${CALLS:-100}
WORK=$(mktemp -d)
SERVER=
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}

cleanup() {
    [ -z "$SERVER" ] || stop_pid "$SERVER" 40
    rm -rf "$WORK"
}
trap cleanup EXIT

# show COMMAND…: prints the command, then its output.
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# serve: starts the server on the same port and data as before.
serve() {
    eventflow dev --listen "127.0.0.1:$PORT" --data "$WORK/data" --no-examples >>"$WORK/server.log" 2>&1 &
    SERVER=$!
    if ! wait_ready "$EVENTFLOW_URL" "$SERVER" 60; then
        tail -n 20 "$WORK/server.log" >&2
        die "the server did not become ready"
    fi
}

api() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --max-time 30 -X "$method" -H "Authorization: Bearer $EVENTFLOW_TOKEN" "$@" "$EVENTFLOW_URL$path"
}

# enqueue N: one accepted call; its id goes to the list only when the server has promised it.
enqueue() { api POST /v1/functions/slow:invoke -d "call $1" 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' 2>/dev/null || true; }

# account FILE: follows every promised id to its end; fails unless each succeeded.
account() {
    local id total=0 succeeded=0 repeated=0 record
    while read -r id; do
        total=$((total + 1))
        for _ in $(seq 6); do
            record=$(api GET "/v1/invocations/$id?wait=10s")
            case $record in *'"SUCCEEDED"'* | *'"FAILED"'* | *'"CANCELLED"'*) break ;; esac
        done
        case $record in *'"SUCCEEDED"'*) succeeded=$((succeeded + 1)) ;; *) say "not succeeded: $record" ;; esac
        [ "$(printf '%s' "$record" | python3 -c 'import json, sys; print(len(json.load(sys.stdin).get("attempts", [])))')" -le 1 ] ||
            repeated=$((repeated + 1))
    done <"$1"
    echo "promised $total, succeeded $succeeded, of them started again after the kill $repeated"
    [ "$total" = "$succeeded" ]
}

"$ROOT/scripts/setup.sh" run
(cd "$ROOT" && cargo build --quiet --locked --release --bin eventflow)
"$ROOT/scripts/examples.sh"
export PATH="$CARGO_TARGET_DIR/release:$PATH"
PORT=$(free_port)
export EVENTFLOW_URL=http://127.0.0.1:$PORT
cd "$ROOT/examples"

echo "# One process, no Docker, no broker, no database server."
serve
EVENTFLOW_TOKEN=$(curl -sS -H 'Content-Type: application/json' -d '{"username": "admin", "password": "admin"}' \
    "$EVENTFLOW_URL/auth/token" | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
export EVENTFLOW_TOKEN

for example in hello markdown thumbnail pagerank; do
    show eventflow apply -f "$example/function.yaml"
done
if have node; then show eventflow apply -f notes/function.yaml; fi
show eventflow list

echo
echo "# Text, a picture, a graph."
show eventflow invoke hello --data you --wait 10s
show eventflow invoke markdown --file markdown/article.md --wait 10s | head -n 12
show eventflow invoke thumbnail --file thumbnail/landscape.png --wait 30s >"$WORK/out"
python3 - "$WORK/out" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
start = data.index(b"\x89PNG")
print("a PNG of %d x %d pixels" % struct.unpack(">II", data[start + 16:start + 24]))
PYTHON
show eventflow invoke pagerank --file pagerank/karate.txt --wait 30s | head -c 300
echo
show eventflow logs pagerank
if have node; then show eventflow invoke notes --file notes/notes.json --wait 10s | head -c 300; fi
echo
show eventflow invocations list

echo
echo "# $CALLS calls are queued; the server is killed while it works on them."
cat >"$WORK/slow.yaml" <<'YAML'
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata: {name: slow}
spec:
  runtime: process
  mode: job
  command: [/bin/sh, -c, "sleep 1; cat"]
  concurrency: 8
YAML
show eventflow apply -f "$WORK/slow.yaml"
for n in $(seq "$CALLS"); do enqueue "$n"; done >"$WORK/ids"
echo "promised: $(wc -l <"$WORK/ids")"
printf '\n$ kill -KILL %s\n' "$SERVER"
kill -KILL "$SERVER"
wait "$SERVER" 2>/dev/null || true
echo "# … and started again on the same data."
serve
account "$WORK/ids"
