#!/usr/bin/env bash
# Measures queries on a year of 999 sites beside ClickHouse (chdb), which comes into a venv of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv="$PWD/.tools/bench-venv"
wanted="infra/tools/bench-requirements.txt"
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi
cargo build --release -p weir-tests --bin weir-bench
WEIR_BENCH_PYTHON="$venv/bin/python" target/release/weir-bench queries "$@"
