#!/usr/bin/env bash
# Applies, invokes, reads and deletes a function on a running EventFlow, with curl alone as the client.
#
# EVENTFLOW_URL (default http://127.0.0.1:8080), EVENTFLOW_TOKEN or EVENTFLOW_USERNAME and EVENTFLOW_PASSWORD (default
# admin and admin), EVENTFLOW_NAMESPACE (default: the server's).
# Takes the first of wasm, process and container that the server runs; RUNTIME=wasm|process|container picks one.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

URL=${EVENTFLOW_URL:-http://127.0.0.1:8080}
API=$URL/v1${EVENTFLOW_NAMESPACE:+/namespaces/$EVENTFLOW_NAMESPACE}
NAME=test-function-$$
WORK=$(mktemp -d)
TOKEN=${EVENTFLOW_TOKEN:-}
applied=false
passed=0
# The counts go to the script's own stdout, also from within $(…).
exec 3>&1

cleanup() {
    if $applied; then
        call DELETE "$API/functions/$NAME" >/dev/null || true
    fi
    rm -rf "$WORK"
}
trap cleanup EXIT

# json PATH: a field of the JSON on stdin, such as .id or .lines.0.text; empty where it is not there.
json() {
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].strip(".").split("."):
    value = value[int(key)] if isinstance(value, list) else (value or {}).get(key)
print("" if value is None else value)' "$1"
}

# call METHOD URL [curl options]: the body on stdout and in $WORK/body, the status in $WORK/status.
call() {
    local method=$1 url=$2
    shift 2
    curl -sS --max-time 60 -X "$method" ${TOKEN:+-H "Authorization: Bearer $TOKEN"} -D "$WORK/headers" \
        -o "$WORK/body" -w '%{http_code}' "$@" "$url" >"$WORK/status"
    cat "$WORK/body"
}

status() { cat "$WORK/status"; }

# expect WHAT STATUS: checks the last call.
expect() {
    [ "$(status)" = "$2" ] || fail "$1: expected status $2, got $(status): $(head -c 600 "$WORK/body")"
    ok "$1"
}

ok() {
    passed=$((passed + 1))
    say "ok: $1"
}

fail() {
    say "FAILED: $1"
    echo "$passed passed, 1 failed, 0 skipped" >&3
    exit 1
}

login() {
    [ -z "$TOKEN" ] || return 0
    local body
    body=$(printf '{"username": "%s", "password": "%s"}' "${EVENTFLOW_USERNAME:-admin}" "${EVENTFLOW_PASSWORD:-admin}")
    body=$(call POST "$URL/auth/token" -H 'Content-Type: application/json' -d "$body")
    expect "login" 200
    TOKEN=$(printf '%s' "$body" | json .token)
    [ -n "$TOKEN" ] || fail "login: there is no token in the answer"
}

# declaration RUNTIME: the function in JSON. Every runtime greets the name in the payload, and logs a line about it.
declaration() {
    # shellcheck disable=SC2016  # expanded where it runs
    local shell='["/bin/sh", "-c", "echo saying hello >&2; printf \"Hello, %s!\\n\" \"$(cat \"$EVENTFLOW_PAYLOAD_FILE\")\" > \"$EVENTFLOW_RESULT_FILE\""]'
    case $1 in
        wasm)
            local digest
            digest=$(call POST "$API/artifacts" -H 'Content-Type: application/octet-stream' \
                --data-binary "@$ROOT/examples/hello/hello.wat" | json .digest)
            printf '{"name": "%s", "runtime": "WASM", "mode": "JOB", "image": "artifact@%s"}' "$NAME" "$digest"
            ;;
        process) printf '{"name": "%s", "runtime": "PROCESS", "mode": "JOB", "command": %s}' "$NAME" "$shell" ;;
        container)
            printf '{"name": "%s", "runtime": "CONTAINER", "mode": "JOB", "image": "%s", "command": %s}' \
                "$NAME" "${CONTAINER_IMAGE:-busybox:1.37}" "$shell"
            ;;
        *) die "unknown runtime: $1" ;;
    esac
}

# choose: the first runtime whose declaration the server takes on trial.
choose() {
    local runtime
    for runtime in ${RUNTIME:-wasm process container}; do
        declaration "$runtime" >"$WORK/function.json" || continue
        call POST "$API/functions?dry_run=true" -H 'Content-Type: application/json' \
            --data-binary "@$WORK/function.json" >/dev/null
        case $(status) in
            200 | 201)
                say "runtime: $runtime"
                return
                ;;
        esac
        say "not $runtime: $(status) $(head -c 300 "$WORK/body")"
    done
    fail "the server runs none of: ${RUNTIME:-wasm, process, container}"
}

# wait_for_end ID: until the call has ended; prints its record.
wait_for_end() {
    local record
    for _ in $(seq 12); do
        record=$(call GET "$API/invocations/$1?wait=10s")
        case $(printf '%s' "$record" | json .state) in
            SUCCEEDED | FAILED | CANCELLED)
                printf '%s' "$record"
                return
                ;;
        esac
    done
    fail "the call $1 did not end: $record"
}

login
choose
call POST "$API/functions" -H 'Content-Type: application/json' --data-binary "@$WORK/function.json" >/dev/null
applied=true
expect "apply" 201
call GET "$API/functions/$NAME" >/dev/null
expect "get" 200

call POST "$API/functions/$NAME:invoke?wait=60s" -H 'Content-Type: text/plain' -d 'synchronous caller' >/dev/null
expect "invoke and wait" 200
[ "$(cat "$WORK/body")" = 'Hello, synchronous caller!' ] || fail "the result is: $(head -c 300 "$WORK/body")"
ok "the answer is the function's own"
grep -qi '^eventflow-invocation-id: ' "$WORK/headers" || fail "the answer does not name its call"
ok "the answer names its call"

id=$(call POST "$API/functions/$NAME:invoke" -H 'Content-Type: text/plain' -d 'patient caller' | json .id)
expect "invoke without waiting" 202
record=$(wait_for_end "$id")
[ "$(printf '%s' "$record" | json .state)" = SUCCEEDED ] || fail "the record is: $record"
ok "the call succeeded"
[ "$(call GET "$API/invocations/$id/result")" = 'Hello, patient caller!' ] || fail "the result is: $(cat "$WORK/body")"
expect "the result is kept" 200
call GET "$API/invocations/$id/logs" | grep -q 'saying hello' || fail "the log is: $(head -c 600 "$WORK/body")"
expect "the log is kept" 200

call POST "$API/functions/does-not-exist-$$:invoke" -d '' >/dev/null
expect "an unknown function is refused" 404

call DELETE "$API/functions/$NAME" >/dev/null
expect "delete" 200
applied=false
call GET "$API/functions/$NAME" >/dev/null
expect "it is gone" 404
call GET "$API/invocations/$id" >/dev/null
expect "its record stays" 200

echo "$passed passed, 0 failed, 0 skipped"
