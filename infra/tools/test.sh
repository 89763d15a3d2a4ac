#!/usr/bin/env bash
# `make test`: every test. The end-to-end tests run the development build, which checks for overflow and shares what the unit tests need: a release
# build beside it would take as long as all tests. `WEIR_BIN=target/release/weir make test` runs them on that one.
source "$(dirname "$0")/steps.sh"
WEIR_BIN="$(realpath -m "${WEIR_BIN:-target/debug/weir}")"
export WEIR_BIN
steps 10
step "tools, packages and dashboard" infra/tools/setup.sh
step "edge worker (Wasm)" infra/tools/build-edge.sh
step "front-end unit tests" bash -c 'npm run --silent test --workspace @weir/dashboard && npm run --silent test --workspace @weir/tracker'
step "JavaScript package of the event crate" bash -c 'infra/tools/build-wasm-pkg.sh && node --test wasm-pkg/tests/*.test.cjs'
step "the worker deploys to Cloudflare (wrangler --dry-run; the first time it brings 400 MB, half a minute)" infra/tools/wrangler-dry-run.sh
step "clients that the query API is tested with (the first time they bring 230 MB)" infra/tools/setup-clients.sh
step "weir (development build)" cargo build -p weir
step "unit, property and service tests" cargo test
step "unit tests of the two Wasm crates, run natively" cargo test -p weir-edge-worker -p weir-wasm-pkg
step "end-to-end tests" infra/tools/e2e.sh
echo "all tests passed ($SECONDS s)"
