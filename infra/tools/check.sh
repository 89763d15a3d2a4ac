#!/usr/bin/env bash
# `make check`: format, lints, docs, types. Warnings are errors.
source "$(dirname "$0")/steps.sh"
steps 9
step "tools, packages and dashboard" infra/tools/setup.sh
step "tracker, which the worker embeds" infra/tools/build-tracker.sh
step "format" cargo fmt --all --check
# Both wait for the network most of the time.
begin deploy infra/tools/check-deploy.sh
begin deny infra/tools/deny.sh licences
step "clippy" cargo clippy --quiet --workspace --exclude weir-edge-worker --exclude weir-wasm-pkg --all-targets -- -D warnings
step "clippy for Wasm" cargo clippy --quiet --target wasm32-unknown-unknown -p weir-edge-worker -p weir-wasm-pkg -- -D warnings
step "licences, bans and sources of crates and npm packages" await deny
step "docs" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps
step "TypeScript" bash -c 'npm run --silent check --workspace @weir/dashboard && npm run --silent check --workspace @weir/tracker'
step "images, manifests, units, alerts, runbooks" await deploy
echo "all checks passed ($SECONDS s)"
