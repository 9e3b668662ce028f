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
