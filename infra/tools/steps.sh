# Sourced by the scripts behind the make targets: `steps N`, then `step "what" command …` N times.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

steps() {
    steps_total="$1"
    steps_done=0
}

step() {
    local title="$1" began=$SECONDS
    shift
    steps_done=$((steps_done + 1))
    echo "==> step $steps_done/$steps_total: $title (elapsed $SECONDS s)"
    "$@" || {
        echo "==> step $steps_done/$steps_total failed: $title ($((SECONDS - began)) s)" >&2
        exit 1
    }
}
