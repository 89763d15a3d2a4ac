#!/usr/bin/env bash
# `make sbom`: the bill of materials, target/sbom/weir.cdx.json (CycloneDX 1.6), checked against its schema. The library that writes it comes from PyPI
# into .tools/sbom, once; versions and checksums stand in infra/tools/sbom/.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "sbom: $1" >&2
    exit 1
}

requirements=infra/tools/sbom/requirements.txt
mkdir -p .tools
venv="$(cd .tools && pwd -P)/sbom"
wanted="$(cksum <"$requirements") $venv"
if ! { [ "$wanted" = "$(cat "$venv/requirements.cksum" 2>/dev/null)" ] && "$venv/bin/python" -c ''; } 2>/dev/null; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or later is needed. Install it with: sudo apt-get install -y python3 python3-venv"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 cannot make a virtual environment. Install what it needs with: sudo apt-get install -y python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: --requirement "$requirements" ||
        fail "the packages of $requirements could not be installed from PyPI."
    echo "$wanted" >"$venv/requirements.cksum"
fi
cargo fetch --quiet --locked
"$venv/bin/python" -B infra/tools/sbom/sbom.py "${1:-target/sbom/weir.cdx.json}"
