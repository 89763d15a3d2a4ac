#!/usr/bin/env bash
# Builds the JavaScript package of the event crate into target/wasm-pkg (CommonJS for Node, with TypeScript types). Uses no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --profile wasm --target wasm32-unknown-unknown -p weir-wasm-pkg
.tools/bin/weir-bindgen --target nodejs --typescript --out-dir target/wasm-pkg --out-name weir \
    target/wasm32-unknown-unknown/wasm/weir_wasm_pkg.wasm
