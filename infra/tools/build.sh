#!/usr/bin/env bash
# `make build`: everything that `target/release/weir up` needs.
source "$(dirname "$0")/steps.sh"

# Each ends with one large crate that only one processor works on.
both() {
    local failed=0
    infra/tools/build-edge.sh &
    local edge=$!
    cargo build --release -p weir || failed=1
    wait "$edge" || failed=1
    return "$failed"
}

steps 2
step "tools, packages and dashboard" infra/tools/setup.sh
step "edge worker (Wasm) and weir (release), side by side" both
echo "built target/release/weir ($SECONDS s)"
