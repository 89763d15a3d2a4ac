#!/usr/bin/env bash
# Builds the tracker into edge-worker/tracker/dist, from where the worker embeds it, and the npm package. Safe to repeat; uses no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
node edge-worker/tracker/build/build.mjs "$@"
