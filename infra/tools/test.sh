#!/usr/bin/env bash
# `make test`: every test. The end-to-end tests run the release build.
source "$(dirname "$0")/steps.sh"
steps 6
step "build" infra/tools/build.sh
step "front-end unit tests" npm run --silent test --workspace @weir/dashboard
step "JavaScript package of the event crate" bash -c 'infra/tools/build-wasm-pkg.sh && node --test wasm-pkg/tests/*.test.cjs'
step "unit, property and service tests" cargo test
step "unit tests of the two Wasm crates, run natively" cargo test -p weir-edge-worker -p weir-wasm-pkg
step "end-to-end tests" cargo test -p weir-tests -- --test-threads=1
echo "all tests passed ($SECONDS s)"
