# Sourced by the scripts behind the make targets: `steps N`, then `step "what" command …` N times. What waits for the network can go on beside
# other steps: `begin NAME command …`, and later `step "what" await NAME`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# All that runs natively. The same packages are named whatever is built of them: cargo unites the features of what is named, and would build most crates
# again for another choice.
native=(--workspace --exclude weir-edge-worker --exclude weir-wasm-pkg --exclude weir-bindgen)

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

# Runs a command in the background; what it prints is shown by `await`. It ends with the script.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

begin() {
    local name="$1"
    shift
    mkdir -p target/steps
    "$@" >"target/steps/$name.log" 2>&1 &
    declare -g "begun_$name=$!"
}

await() {
    local status=0 pid="begun_$1"
    wait "${!pid}" || status=$?
    cat "target/steps/$1.log"
    return "$status"
}
