#!/usr/bin/env bash
# Builds the tracker into edge-worker/tracker/dist, from where the worker embeds it. The local one also sends from localhost.
set -euo pipefail
cd "$(dirname "$0")/../.."

tracker=edge-worker/tracker
mkdir -p "$tracker/dist"
for kind in script:false script.local:true; do
    name="${kind%%:*}"
    .tools/bin/esbuild "$tracker/src/script.ts" --bundle --minify --format=iife --target=es2018 --log-level=warning \
        --define:LOCAL="${kind##*:}" --outfile="$tracker/dist/$name.new.js"
    # In place only when its bytes differ, so that cargo does not rebuild for nothing.
    if cmp -s "$tracker/dist/$name.new.js" "$tracker/dist/$name.js"; then
        rm "$tracker/dist/$name.new.js"
    else
        mv -f "$tracker/dist/$name.new.js" "$tracker/dist/$name.js"
    fi
done
