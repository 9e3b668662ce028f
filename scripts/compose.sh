#!/usr/bin/env bash
# compose.yaml with a container engine: scripts/compose.sh up|down
# Without one: scripts/local-stack.sh. `down` keeps the volumes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"

# secrets: writes the passwords that compose.yaml asks for, once; volumes keep what was set with them. Each begins with
# a letter: nats-server would take one of digits alone for a number.
secrets() {
    local name
    for name in POSTGRES_PASSWORD EVENTFLOW_PASSWORD NATS_PASSWORD GRAFANA_PASSWORD; do
        grep -qs "^$name=." .env ||
            (umask 077 && echo "$name=p$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" >>.env)
    done
}

engine() {
    docker compose version >/dev/null 2>&1 ||
        die "docker compose is missing: install a container engine, or start the same without one: make up-local"
    docker info >/dev/null 2>&1 || die "the container engine does not answer: is it started, and may you use it?"
}

case ${1:-} in
    up)
        engine
        secrets
        # Not with --wait, which takes the end of `init` for a failure.
        docker compose up --build --detach
        until_ready=$((SECONDS + 120))
        until curl -fs -o /dev/null --max-time 2 http://127.0.0.1:8081/readyz; do
            [ "$SECONDS" -lt "$until_ready" ] || die "the api is not ready: docker compose logs api dispatcher"
            sleep 0.5
        done
        say "EventFlow runs on http://127.0.0.1:8081, Grafana on http://127.0.0.1:3000 (make down ends them)"
        ;;
    down)
        engine
        # It asks for the passwords here too.
        secrets
        docker compose down
        ;;
    *) die "usage: scripts/compose.sh up|down" ;;
esac
