#!/usr/bin/env bash
# `make build`: everything that `target/release/weir up` needs.
source "$(dirname "$0")/steps.sh"
steps 3
step "tools, packages and dashboard" infra/tools/setup.sh
step "edge worker (Wasm)" infra/tools/build-edge.sh
step "weir (release)" cargo build --release -p weir
echo "built target/release/weir ($SECONDS s)"
