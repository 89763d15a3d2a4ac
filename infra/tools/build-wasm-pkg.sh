#!/usr/bin/env bash
# Builds the JavaScript package of the event crate into target/wasm-pkg (CommonJS for Node, with TypeScript types). Uses no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
built="${CARGO_TARGET_DIR:-target}"
cargo build --quiet --profile wasm --target wasm32-unknown-unknown -p weir-wasm-pkg
cargo build --quiet --profile tool -p weir-bindgen
"$built/tool/weir-bindgen" --target nodejs --typescript --out-dir target/wasm-pkg --out-name weir \
    "$built/wasm32-unknown-unknown/wasm/weir_wasm_pkg.wasm"
