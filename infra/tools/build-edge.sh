#!/usr/bin/env bash
# Builds the edge worker into target/edge/{index.js,index_bg.wasm}: tracker, Wasm, bindings, bundle. Safe to repeat; uses no network.
set -euo pipefail
cd "$(dirname "$0")/../.."

esbuild=.tools/bin/esbuild
[ -x "$esbuild" ] || esbuild=node_modules/.bin/esbuild
[ -x "$esbuild" ] || { echo "build-edge: esbuild is missing. Bring it with: infra/tools/setup.sh" >&2; exit 1; }
out=target/edge
bindings=target/edge-bindings
built="${CARGO_TARGET_DIR:-target}"
mkdir -p "$out" "$bindings"

# Puts a file in place only when its bytes differ, so that cargo does not rebuild for nothing.
place() {
    cmp -s "$1" "$2" && rm "$1" || mv -f "$1" "$2"
}

infra/tools/build-tracker.sh
cargo build --quiet --profile wasm --target wasm32-unknown-unknown -p weir-edge-worker
cargo build --quiet --profile tool -p weir-bindgen

"$built/tool/weir-bindgen" --target module --experimental-reset-state-function --force-enable-abort-handler \
    --out-dir "$bindings" --out-name bindings "$built/wasm32-unknown-unknown/wasm/weir_edge_worker.wasm"
# workerd gives a compiled module for a plain import of a .wasm file, which is what `import source` asks for elsewhere.
sed -i.old 's/^import source /import /' "$bindings/bindings.js"
cp edge-worker/entry.js "$bindings/entry.js"
"$esbuild" "$bindings/entry.js" --bundle --format=esm --target=es2022 --log-level=warning \
    '--external:cloudflare:*' '--external:./bindings_bg.wasm' --outfile="$bindings/index.new.js"
sed -i.old 's|"./bindings_bg.wasm"|"./index_bg.wasm"|' "$bindings/index.new.js"
cp "$bindings/bindings_bg.wasm" "$bindings/index_bg.new.wasm"
place "$bindings/index_bg.new.wasm" "$out/index_bg.wasm"
place "$bindings/index.new.js" "$out/index.js"
