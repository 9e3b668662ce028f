#!/usr/bin/env bash
# The web UI's tasks that need more than npm. See docs/web.md.
# Usage: scripts/web.sh gen | check | lint | test | build
#   gen    generates web/src/api/generated from proto/
#   check  says whether what is committed is what proto/ yields
#   lint   check, types, ESLint and the format
#   test   the unit tests
#   build  web/dist
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

GENERATED=web/src/api/generated
cd "$ROOT"

# packages: what package-lock.json says, installed again only where it changed.
packages() {
    local stamp=web/node_modules/.eventflow-lock
    cmp -s web/package-lock.json "$stamp" && return
    have npm || die "npm is missing: install Node.js 20.19 or newer"
    npm ci --prefix web --no-audit --no-fund --loglevel=error >&2 || die "the web UI's packages could not be installed"
    cp web/package-lock.json "$stamp"
}

gen() {
    packages
    scripts/tools.sh buf
    buf generate
}

check() {
    packages
    scripts/tools.sh buf
    local fresh
    fresh=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$fresh'" EXIT
    # The plugin's own `out` is below the given folder.
    buf generate -o "$fresh"
    diff -r "$fresh/$GENERATED" "$GENERATED" >&2 ||
        die "$GENERATED is not what proto/ yields: run scripts/web.sh gen and commit the result"
    say "web: generated code is up to date"
}

case ${1:-} in
    gen) gen ;;
    check) check ;;
    lint)
        check
        npm --prefix web run --silent typecheck
        npm --prefix web run --silent lint
        ;;
    test)
        packages
        npm --prefix web run --silent test
        ;;
    build)
        packages
        npm --prefix web run --silent build
        ;;
    *) die "usage: scripts/web.sh gen|check|lint|test|build" ;;
esac
