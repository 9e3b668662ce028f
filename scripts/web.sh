#!/usr/bin/env bash
# The web UI, by npm: scripts/web.sh gen|drift|build|check|e2e
#   gen    generates web/src/api/generated from proto/
#   drift  says whether what is committed there is what proto/ yields
#   build  makes web/dist, which a release build of EventFlow embeds and a debug build reads
#   check  types, lint, unit tests, and the build with its budget of script
#   e2e    the pages in a real Chromium against the real `eventflow dev` ($EVENTFLOW_BIN); EVENTFLOW_SCREENSHOTS=1 keeps
#          pictures in docs/screenshots
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

NODE_LEAST=20.19

# node_fits: Node is there and new enough.
node_fits() {
    local found
    have node && have npm || return 1
    found=$(node --version | tr -d v)
    printf '%s\n' "$NODE_LEAST" "$found" | sort -CV
}

# modules: installs what package-lock.json names, where that was not done already.
modules() {
    node_fits || die "Node $NODE_LEAST or newer and npm are missing"
    local done=node_modules/.package-lock.json
    if [ ! -e "$done" ] || [ package-lock.json -nt "$done" ]; then
        npm ci --no-audit --no-fund --loglevel=error
        touch "$done"
    fi
}

GENERATED=web/src/api/generated

# drift: generates into a fresh folder and compares.
drift() {
    local fresh
    fresh=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$fresh'" EXIT
    buf generate -o "$fresh"
    diff -r "$fresh/$GENERATED" "$GENERATED" >&2 ||
        die "$GENERATED is not what proto/ yields: run scripts/web.sh gen and commit the result"
    say "web: generated code is up to date"
}

cd "$ROOT/web"
case ${1:-} in
    gen | drift)
        modules
        cd "$ROOT"
        scripts/tools.sh buf
        if [ "$1" = gen ]; then buf generate; else drift; fi
        ;;
    build)
        modules
        npm run --silent build
        ;;
    check)
        modules
        npm run --silent typecheck
        npm run --silent lint
        npm run --silent test
        npm run --silent build
        ;;
    e2e)
        modules
        npm run --silent e2e
        ;;
    *) die "usage: scripts/web.sh gen|drift|build|check|e2e" ;;
esac
