#!/usr/bin/env bash
# `make test`: every test. The end-to-end tests run the development build, which checks for overflow and shares what the unit tests need: a release
# build beside it would take as long as all tests. `WEIR_BIN=target/release/weir make test` runs them on that one.
source "$(dirname "$0")/steps.sh"
WEIR_BIN="$(realpath -m "${WEIR_BIN:-target/debug/weir}")"
export WEIR_BIN
steps 11
step "tools, packages and dashboard" infra/tools/setup.sh
step "edge worker (Wasm)" infra/tools/build-edge.sh
# Both wait for the network most of the time.
begin wrangler infra/tools/wrangler-dry-run.sh
begin clients infra/tools/setup-clients.sh
step "front-end unit tests" bash -c 'npm run --silent test --workspace @weir/dashboard && npm run --silent test --workspace @weir/tracker'
step "JavaScript package of the event crate" bash -c 'infra/tools/build-wasm-pkg.sh && node --test wasm-pkg/tests/*.test.cjs'
step "programs (development build)" cargo build "${native[@]}"
step "the worker deploys to Cloudflare (wrangler --dry-run; the first time it brings 400 MB, half a minute)" await wrangler
step "clients that the query API is tested with (the first time they bring 230 MB)" await clients
step "all tests (build)" cargo test "${native[@]}" --no-run
step "unit, property and service tests" cargo test "${native[@]}" --lib --bins --test nats --test part_sql --test simulation --test service \
    --test answers --test live
step "unit tests of the two Wasm crates, run natively" cargo test -p weir-edge-worker -p weir-wasm-pkg
step "end-to-end tests" infra/tools/e2e.sh
echo "all tests passed ($SECONDS s)"
