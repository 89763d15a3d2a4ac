#!/usr/bin/env bash
# Builds the dashboard when one of its sources changed: the query API embeds it, and new files would compile that crate anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
stamp=.tools/stamps/dashboard
sources() {
    find query-api/dashboard -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -name '*.tsbuildinfo' | LC_ALL=C sort
    echo package-lock.json
}
now="$(sources | xargs cksum | cksum)"
if [ -f query-api/dashboard/dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi
npm run --silent build --workspace @weir/dashboard
echo "$now" >"$stamp"
