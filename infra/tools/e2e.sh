#!/usr/bin/env bash
# Runs the end-to-end tests, three files at a time: most of them wait for something most of the time. What each prints is shown when it ends; all of it stays in target/e2e/.
source "$(dirname "$0")/steps.sh"

LANES=3
logs="$PWD/target/e2e"
# Those that take longest begin, so that none of them runs alone at the end.
first="chaos powercut faults durability replay dashboard rooms tracker edges shields"

one() {
    local name="$1" began=$SECONDS
    if cargo test --quiet $native_packages --test "$name" -- --test-threads=1 >"$logs/$name.log" 2>&1; then
        echo "ok      $name: $(grep -o '[0-9]* passed' "$logs/$name.log" | head -1) ($((SECONDS - began)) s)"
        # What this machine could not do is no success.
        grep 'NOT RUN' "$logs/$name.log" || true
    else
        cat "$logs/$name.log"
        echo "FAILED  $name ($((SECONDS - began)) s): what it printed stands above and in target/e2e/$name.log"
        return 1
    fi
}
export -f one
export logs

rm -rf "$logs"
mkdir -p "$logs"
export native_packages="${native[*]}"
cargo test "${native[@]}" --no-run
# shellcheck disable=SC2086
names="$({ printf '%s\n' $first; find tests/tests -name '*.rs' -exec basename {} .rs \; | sort; } | awk '!seen[$0]++')"
# Every file is run; one that fails makes the whole fail.
xargs -P "$LANES" -I{} bash -euo pipefail -c 'one {}' <<<"$names" || {
    echo "end-to-end tests failed" >&2
    exit 1
}
