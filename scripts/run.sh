#!/usr/bin/env bash
# EventFlow on this machine, in the background: scripts/run.sh start|stop|logs
# EVENTFLOW_LISTEN (default 127.0.0.1:8080) is where it listens; its data and its log are in .dev/.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

LISTEN=${EVENTFLOW_LISTEN:-127.0.0.1:8080}
PID_FILE=$STATE/eventflow.pid
LOG=$STATE/eventflow.log
BIN=$ROOT/target/release/eventflow

# running_pid: the pid of our server, where it still is ours: pids are used again.
running_pid() {
    local pid
    pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
    [ "$(ps -o comm= -p "$pid" 2>/dev/null)" = eventflow ] || return 1
    echo "$pid"
}

start() {
    local pid
    if pid=$(running_pid); then
        say "EventFlow is already running (pid $pid): make logs, make stop"
        return
    fi
    "$ROOT/scripts/setup.sh" run
    mkdir -p "$STATE"
    ui
    say "building EventFlow and the examples: the first time takes some minutes"
    (cd "$ROOT" && CARGO_TARGET_DIR=$ROOT/target cargo build --locked --release --bin eventflow)
    "$ROOT/scripts/examples.sh"
    have node || say "node is missing: the example \`notes\` is there, but cannot start"

    # In a session of its own, so that it outlives this terminal and its Ctrl-C.
    setsid "$BIN" dev --listen "$LISTEN" --data "$STATE/data" --examples "$ROOT/examples" >"$LOG" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$PID_FILE"
    if ! wait_ready "http://$LISTEN" "$pid" 60; then
        tail -n 20 "$LOG" >&2
        stop_pid "$pid" 10
        rm -f "$PID_FILE"
        die "EventFlow did not become ready; its whole log is $LOG"
    fi
    hints "$pid"
}

# ui: makes the pages that the binary embeds, where Node is there.
ui() {
    say "building the web UI"
    "$ROOT/scripts/web.sh" build >"$STATE/web.log" 2>&1 || {
        tail -n 5 "$STATE/web.log" >&2
        say "the web UI could not be built, and EventFlow runs without it: install Node 20.19 or newer, then make run again"
    }
}

hints() {
    cat <<EOF
EventFlow runs on http://$LISTEN (pid $1; make logs, make stop). Open it in a browser, or try:

  export PATH="$ROOT/target/release:\$PATH" EVENTFLOW_URL=http://$LISTEN
  eventflow login
  eventflow list
  eventflow invoke hello --data you --wait 10s
  eventflow invoke markdown --file examples/markdown/article.md --wait 10s
  eventflow invoke thumbnail --file examples/thumbnail/landscape.png --wait 30s > thumbnail.png
  eventflow invoke pagerank --file examples/pagerank/karate.txt --async
  eventflow logs -f pagerank
  eventflow invocations list
  make test-function
EOF
}

stop() {
    local pid
    if ! pid=$(running_pid); then
        say "EventFlow is not running"
        rm -f "$PID_FILE"
        return
    fi
    stop_pid "$pid" 40
    rm -f "$PID_FILE"
    say "EventFlow stopped"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    logs)
        [ -e "$LOG" ] || die "there is no log yet: make run"
        exec tail -n 100 -F "$LOG"
        ;;
    *) die "usage: scripts/run.sh start|stop|logs" ;;
esac
