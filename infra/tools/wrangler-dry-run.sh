#!/usr/bin/env bash
# Checks that the built edge worker deploys to Cloudflare: `wrangler deploy --dry-run`, without an account and without sending anything.
# The first run brings the pinned wrangler and a Node that is new enough for it (infra/wrangler/package-lock.json, about 400 MB, half a
# minute); later ones use no network and take two seconds. `make build` must have been run.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=infra/wrangler
stamp="$folder/node_modules/.weir-stamp"
for name in index.js index_bg.wasm; do
    [ -f "target/edge/$name" ] || { echo "wrangler-dry-run: target/edge/$name is missing. Build it with: infra/tools/build-edge.sh" >&2; exit 1; }
done

if [ "$(cat "$folder/package.json" "$folder/package-lock.json" | cksum)" != "$(cat "$stamp" 2>/dev/null)" ]; then
    (cd "$folder" && npm ci --no-progress --loglevel=error) || { echo "wrangler-dry-run: npm ci failed: see above." >&2; exit 1; }
    cat "$folder/package.json" "$folder/package-lock.json" | cksum >"$stamp"
fi

# The package brings a Node for Linux and for macOS on x86-64; elsewhere the system's must do.
node="$PWD/$folder/node_modules/.bin/node"
[ -x "$node" ] || node="$(command -v node)"
if ! "$node" -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1)'; then
    echo "wrangler-dry-run: wrangler needs Node 22.12 or later, this is $("$node" --version). Install one from https://nodejs.org/en/download" >&2
    exit 1
fi

out="$PWD/target/wrangler"
rm -rf "$out"
mkdir -p "$out/home"
# Settings and logs of wrangler go below target/, not into the user's home.
export WRANGLER_SEND_METRICS=false WRANGLER_LOG_PATH="$out/logs" XDG_CONFIG_HOME="$out/home" NO_UPDATE_NOTIFIER=1 CI=1
cd "$folder"
"$node" node_modules/wrangler/bin/wrangler.js deploy --dry-run --config wrangler.jsonc --outdir "$out/upload"

# What would be uploaded is what was built.
for name in index.js index_bg.wasm; do
    cmp -s "$out/upload/$name" "../../target/edge/$name" || { echo "wrangler-dry-run: $name would not be uploaded as built, see $out/upload" >&2; exit 1; }
done
echo "wrangler-dry-run: the worker in target/edge deploys as it is"
