#!/usr/bin/env bash
# Brings the clients that the query API's tests run (plausible-mcp, schemathesis, airbyte-source-plausible) into .tools/clients and .tools/airbyte.
# Versions and checksums stand in infra/tools/clients/. Safe to repeat: what is up to date is left alone, without network.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "setup-clients: $1" >&2
    exit 1
}

# The requirements of two programs contradict each other, so each has its own environment: install NAME PYTHON [OPTION…]
install() {
    local name="$1" python="$2" venv="$tools/$1" requirements="infra/tools/clients/$1.txt"
    local stamp="$venv/requirements.cksum"
    shift 2
    # Programs of an environment name its path: after the repository was moved it must be made again.
    local wanted
    wanted="$(cksum <"$requirements") $venv"
    if [ -f "$stamp" ] && [ "$wanted" = "$(cat "$stamp")" ] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "$python cannot make a virtual environment. Install what it needs with: sudo apt-get install -y python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: "$@" \
        --requirement "$requirements" || fail "the packages of $requirements could not be installed from PyPI."
    echo "$wanted" >"$stamp"
}

began=$SECONDS
mkdir -p .tools
tools="$(cd .tools && pwd -P)"
is_python() { command -v "$1" >/dev/null && "$1" -c "import sys; sys.exit(not ($2))" 2>/dev/null; }
is_python python3 'sys.version_info >= (3, 11)' || fail "schemathesis needs Python 3.11 or later. Install it with: sudo apt-get install -y python3 python3-venv"
install clients python3 &
clients=$!
# The connector says that it needs a Python before 3.12; the packages below it do not.
install airbyte python3 --ignore-requires-python
wait "$clients"
echo "clients are in place ($((SECONDS - began)) s)"
