#!/usr/bin/env bash
# Builds the npm package of the event crate into target/wasm-pkg, ready for `npm pack target/wasm-pkg`: Wasm, JavaScript for Node (ES module
# and CommonJS), browsers and Workers, TypeScript types. Uses no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
built="${CARGO_TARGET_DIR:-target}"
out=target/wasm-pkg
bindings=target/wasm-pkg-bindings
gzip_bytes_max=200000

# Small matters more than fast here. The package must not tell where it was built.
cargo build --quiet --profile wasm --config 'profile.wasm.opt-level="z"' --target wasm32-unknown-unknown -p weir-wasm-pkg \
    --config "target.wasm32-unknown-unknown.rustflags=['--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src/=']"
cargo build --quiet --profile tool -p weir-bindgen
rm -rf "$out" "$bindings"
mkdir -p "$out"
for target in nodejs web; do
    "$built/tool/weir-bindgen" --target "$target" --typescript --remove-names --out-dir "$bindings/$target" --out-name weir \
        "$built/wasm32-unknown-unknown/wasm/weir_wasm_pkg.wasm"
done
cmp "$bindings/nodejs/weir_bg.wasm" "$bindings/web/weir_bg.wasm"
cp wasm-pkg/package.json wasm-pkg/README.md wasm-pkg/js/*.mjs LICENSE NOTICE "$bindings/nodejs/weir.js" "$bindings/nodejs/weir.d.ts" \
    "$bindings/web/weir_bg.wasm" "$out"
cp "$bindings/nodejs/weir.d.ts" "$out/weir.d.mts"
sed 's|"./weir.d.ts"|"./web.d.mts"|' "$bindings/web/weir.js" >"$out/web.mjs"
cp "$bindings/web/weir.d.ts" "$out/web.d.mts"

# What is linked in: the crates' names, versions and licences; procedural macros only ran.
cargo tree --quiet --locked -p weir-wasm-pkg --target wasm32-unknown-unknown -e normal,no-proc-macro --prefix none --no-dedupe \
    --format '{p} – {l}' | grep -v '^weir-' | sort -u >"$out/THIRD-PARTY.txt"

gzip_bytes=$(gzip -9 -c "$out/weir_bg.wasm" | wc -c)
echo "wasm-pkg: $(wc -c <"$out/weir_bg.wasm") bytes of Wasm, $gzip_bytes with gzip -9"
[ "$gzip_bytes" -le "$gzip_bytes_max" ] || { echo "build-wasm-pkg: the limit is $gzip_bytes_max bytes with gzip" >&2; exit 1; }
