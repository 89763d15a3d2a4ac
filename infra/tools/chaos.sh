#!/usr/bin/env bash
# `make chaos`: release builds, then twenty minutes of faults (tests/README.md). Arguments go to weir-chaos.
set -euo pipefail
cd "$(dirname "$0")/../.."

infra/tools/build.sh
cargo build --quiet --release -p weir-tests --bin weir-chaos
WEIR_BIN="$(realpath -m "${WEIR_BIN:-target/release/weir}")"
export WEIR_BIN
mkdir -p target/chaos
exec target/release/weir-chaos --report target/chaos/report.json "$@"
