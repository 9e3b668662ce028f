#!/usr/bin/env bash
# Everything that can be said about the code without running it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet --keep-going -- -D warnings
# `make test` has built the tasks already.
xtask() { if [ -n "${XTASK:-}" ]; then "$XTASK" "$@"; else cargo xtask "$@"; fi; }
xtask check
xtask codegen --check
scripts/tools.sh buf
buf lint
scripts/web.sh drift
