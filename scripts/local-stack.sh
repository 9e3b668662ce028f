#!/usr/bin/env bash
# The cluster's shape as plain processes: PostgreSQL, nats-server, two dispatchers, two apis, one gateway; see
# compose.yaml for the same in containers. Usage: scripts/local-stack.sh up|down|status
# All of it is in .dev/stack (EVENTFLOW_STACK): data, logs, key, passwords, pid files. `down` keeps the data.
# EVENTFLOW_LISTEN (default 127.0.0.1:8081) is where the gateway listens, EVENTFLOW_BINARIES where the services are: else
# in target/release, else they are built into target/debug. Further EVENTFLOW_… variables reach the services.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

STACK=${EVENTFLOW_STACK:-$STATE/stack}
LISTEN=${EVENTFLOW_LISTEN:-127.0.0.1:8081}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# In the order in which they are started.
PARTS=(postgres nats dispatcher-1 dispatcher-2 api-1 api-2 gateway)

# --- processes -------------------------------------------------------------------------------------------------------

# born PID: when it was started, in ticks since the boot: a pid that is used again has another one.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# pid_of PART: its pid, where it still is the process that we started.
pid_of() {
    local pid start
    read -r pid start 2>/dev/null <"$STACK/$1.pid" || return 1
    [ -n "$start" ] && [ "$(born "$pid")" = "$start" ] || return 1
    # One that ended but was not waited for yet.
    case $(ps -o stat= -p "$pid" 2>/dev/null) in Z* | '') return 1 ;; esac
    echo "$pid"
}

# launch PART COMMAND…: in a session of its own, so that it outlives this terminal and its Ctrl-C.
launch() {
    local part=$1 pid
    shift
    setsid "$@" >"$STACK/$part.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(born "$pid")" >"$STACK/$part.pid"
}

# failed PART WHY: shows its log and ends what runs.
failed() {
    tail -n 20 "$STACK/$1.log" >&2 || true
    down
    die "$1 $2; its whole log is $STACK/$1.log"
}

# until_it PART SECONDS COMMAND…: waits until the command succeeds.
until_it() {
    local part=$1 until=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        pid_of "$part" >/dev/null || failed "$part" "ended at its start"
        [ "$SECONDS" -lt "$until" ] || failed "$part" "did not become ready"
        sleep 0.1
    done
}

# --- what is kept ----------------------------------------------------------------------------------------------------

# secret FILE: makes a random one that only its owner may read; one that is there stays.
secret() {
    [ -s "$STACK/$1" ] || (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$STACK/$1")
}

# ports: kept while anything runs, new ones otherwise.
ports() {
    local part running=false
    for part in "${PARTS[@]}"; do ! pid_of "$part" >/dev/null || running=true; done
    if ! $running || [ ! -s "$STACK/ports" ]; then
        # All at once, so that they differ.
        python3 - >"$STACK/ports" <<'PYTHON'
import socket
services = [name + kind for name in ["DISPATCHER_1", "DISPATCHER_2", "API_1", "API_2"] for kind in ["", "_ADMIN"]]
names = ["POSTGRES", "NATS", "GATEWAY_ADMIN", *services]
sockets = [socket.socket() for _ in names]
for name, one in zip(names, sockets):
    one.bind(("127.0.0.1", 0))
    print(f"{name}_PORT={one.getsockname()[1]}")
PYTHON
    fi
    # shellcheck disable=SC1091  # made above
    . "$STACK/ports"
}

# --- the parts -------------------------------------------------------------------------------------------------------

# postgres_programs: the folder of the newest PostgreSQL: Debian keeps it off the PATH.
postgres_programs() {
    local folders
    mapfile -t folders < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
    if [ -x "${folders[-1]}/postgres" ]; then
        echo "${folders[-1]}"
    elif have postgres; then
        dirname "$(command -v postgres)"
    else
        die "PostgreSQL is missing: make setup (Debian: apt-get install postgresql)"
    fi
}

# as_postgres COMMAND…: PostgreSQL refuses to run as root, so that it gets a user of its own there.
as_postgres() { exec "${AS_POSTGRES[@]}" "$@"; }

postgres_user() {
    AS_POSTGRES=(env)
    [ "$(id -u)" = 0 ] || return 0
    local user=nobody
    ! id postgres >/dev/null 2>&1 || user=postgres
    chown -R "$user" "$STACK/postgres"
    AS_POSTGRES=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups env HOME=/)
    (as_postgres test -w "$STACK/postgres") ||
        die "the user $user cannot reach $STACK/postgres: PostgreSQL does not run as root, and its data lies there"
}

start_postgres() {
    local programs data=$STACK/postgres/data
    programs=$(postgres_programs)
    mkdir -p "$STACK/postgres"
    secret postgres/superuser
    secret postgres.password
    postgres_user
    if [ ! -s "$data/PG_VERSION" ]; then
        rm -rf "$data"
        (as_postgres "$programs/initdb" -D "$data" -U postgres -A scram-sha-256 -E UTF8 --locale=C \
            "--pwfile=$STACK/postgres/superuser") >"$STACK/postgres.log" 2>&1 || failed postgres "could not make its data"
    fi
    launch postgres "${AS_POSTGRES[@]}" "$programs/postgres" -D "$data" -c listen_addresses=127.0.0.1 \
        -c "port=$POSTGRES_PORT" -c unix_socket_directories= -c max_connections=200
    until_it postgres 60 "$programs/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT"
    PGPASSWORD=$(cat "$STACK/postgres/superuser") "$programs/psql" -qX -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres \
        -d postgres -f - >>"$STACK/postgres.log" 2>&1 < <(
        # Not by an argument, which everybody on this machine may read.
        echo "\\set password '$(cat "$STACK/postgres.password")'"
        cat "$ROOT/scripts/init-db.sql"
    ) || failed postgres "did not take scripts/init-db.sql"
}

start_nats() {
    have nats-server || "$ROOT/scripts/tools.sh" nats-server
    secret nats.password
    (umask 077 && cat >"$STACK/nats.conf") <<EOF
listen: "127.0.0.1:$NATS_PORT"
jetstream { store_dir: "$STACK/nats" }
authorization { user: "eventflow", password: "$(cat "$STACK/nats.password")" }
EOF
    launch nats "$(command -v nats-server)" -c "$STACK/nats.conf"
    until_it nats 20 python3 -c "
import socket, sys
link = socket.create_connection(('127.0.0.1', $NATS_PORT), 1)
link.settimeout(1)
sys.exit(not link.recv(5).startswith(b'INFO'))"
}

# start_program PART ADMIN_PORT SETTING…
start_program() {
    local part=$1 admin=$2 program=eventflow-${1%-*} settings=() setting
    shift 2
    secret key
    for setting in "admin_listen=127.0.0.1:$admin" "auth.key_file=$STACK/key" "$@"; do
        settings+=(--set "$setting")
    done
    launch "$part" "$BINARIES/$program" "${settings[@]}"
    until_it "$part" 60 curl -fs -o /dev/null --max-time 2 "http://127.0.0.1:$admin/readyz"
}

# start_service PART PORT ADMIN_PORT SETTING…: one that stands on the servers.
start_service() {
    local part=$1 port=$2 admin=$3
    shift 3
    # Passwords by the environment: arguments may be read by everybody on this machine.
    EVENTFLOW_POSTGRES__URL="postgres://eventflow:$(cat "$STACK/postgres.password")@127.0.0.1:$POSTGRES_PORT/eventflow?sslmode=disable" \
        EVENTFLOW_NATS__SERVERS="nats://eventflow:$(cat "$STACK/nats.password")@127.0.0.1:$NATS_PORT" \
        start_program "$part" "$admin" "listen=127.0.0.1:$port" "data=$STACK/$part" runtimes=wasm,process \
        "blobs.folder=$STACK/blobs" auth.dev_login=cluster "$@"
}

start_part() {
    local dispatchers=peers.dispatchers=127.0.0.1:$DISPATCHER_1_PORT,127.0.0.1:$DISPATCHER_2_PORT
    case $1 in
        postgres) start_postgres ;;
        nats) start_nats ;;
        dispatcher-1) start_service "$1" "$DISPATCHER_1_PORT" "$DISPATCHER_1_ADMIN_PORT" ;;
        dispatcher-2) start_service "$1" "$DISPATCHER_2_PORT" "$DISPATCHER_2_ADMIN_PORT" ;;
        api-1) start_service "$1" "$API_1_PORT" "$API_1_ADMIN_PORT" "$dispatchers" ;;
        api-2) start_service "$1" "$API_2_PORT" "$API_2_ADMIN_PORT" "$dispatchers" ;;
        gateway)
            start_program gateway "$GATEWAY_ADMIN_PORT" "listen=$LISTEN" "$dispatchers" \
                "peers.apis=127.0.0.1:$API_1_PORT,127.0.0.1:$API_2_PORT"
            ;;
    esac
}

# whole FOLDER: whether all of the services are in it.
whole() { [ -x "$1/eventflow-api" ] && [ -x "$1/eventflow-dispatcher" ] && [ -x "$1/eventflow-gateway" ]; }

# binaries: the folder of the services, built where that is needed.
binaries() {
    local release=$TARGET/release
    if [ -n "${EVENTFLOW_BINARIES:-}" ]; then
        BINARIES=$EVENTFLOW_BINARIES
    elif whole "$release"; then
        BINARIES=$release
    else
        say "building the services: the first time takes some minutes"
        (cd "$ROOT" && cargo build --locked --quiet --package eventflow-wiring --package eventflow-cli --bins) ||
            die "the services could not be built"
        BINARIES=$TARGET/debug
    fi
    whole "$BINARIES" || die "eventflow-api, eventflow-dispatcher and eventflow-gateway are not all in $BINARIES"
}

# --- verbs -----------------------------------------------------------------------------------------------------------

up() {
    local part tool
    for tool in setsid setpriv curl python3 ps; do have "$tool" || die "$tool is missing: make setup"; done
    mkdir -p "$STACK/blobs"
    if ! pid_of gateway >/dev/null && curl -s -o /dev/null --max-time 2 "http://$LISTEN/healthz"; then
        die "something else answers on http://$LISTEN: end it, or set EVENTFLOW_LISTEN"
    fi
    binaries
    ports
    for part in "${PARTS[@]}"; do
        if pid_of "$part" >/dev/null; then
            say "$part runs already"
        else
            start_part "$part"
            say "$part runs (pid $(pid_of "$part"))"
        fi
    done
    cat <<EOF
EventFlow runs on http://$LISTEN (make down-local ends it; logs and data are in $STACK). Try:

  export PATH="$BINARIES:\$PATH" EVENTFLOW_URL=http://$LISTEN
  eventflow login
  eventflow apply -f examples/hello/function.yaml
  eventflow invoke hello --data you --wait 10s
  eventflow invoke hello --data you --async
  eventflow invocations list
EOF
}

down() {
    local i part pid
    for ((i = ${#PARTS[@]} - 1; i >= 0; i--)); do
        part=${PARTS[i]}
        if pid=$(pid_of "$part"); then
            if [ "$part" = postgres ]; then
                # It waits for its clients on SIGTERM, and ends them on SIGINT.
                kill -INT "$pid" 2>/dev/null || true
                await_end "$pid" 30 || true
            fi
            stop_pid "$pid" 40
            say "$part ended"
        fi
        rm -f "$STACK/$part.pid"
    done
}

# await_end PID SECONDS: whether it ends by itself.
await_end() {
    local until=$((SECONDS + $2))
    while kill -0 "$1" 2>/dev/null; do
        case $(ps -o stat= -p "$1" 2>/dev/null) in Z* | '') return 0 ;; esac
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

status() {
    local part pid all=0
    for part in "${PARTS[@]}"; do
        if pid=$(pid_of "$part"); then
            echo "$part runs (pid $pid)"
        else
            echo "$part does not run"
            all=3
        fi
    done
    return $all
}

case ${1:-} in
    up) up ;;
    down) down ;;
    status) status ;;
    *) die "usage: scripts/local-stack.sh up|down|status" ;;
esac
