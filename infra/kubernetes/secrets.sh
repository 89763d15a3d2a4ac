#!/usr/bin/env bash
# secrets.sh DIR [S3-ID-FILE S3-SECRET-FILE]: prints the Kubernetes secrets of a region made by `weir cluster init DIR`, for `kubectl apply -f -`.
# Each role's pods get what the role needs, and nothing else. kubectl is asked for nothing but the text (--dry-run).
set -euo pipefail
dir="${1:?usage: secrets.sh DIR [S3-ID-FILE S3-SECRET-FILE]}"
secret() {
    local name="$1"
    shift
    echo "---"
    kubectl --namespace weir create secret generic "$name" "$@" --dry-run=client --output yaml
}
keep() { printf -- '--from-file=%s=%s\n' "$(basename "$1")" "$1"; }
secret weir-ca "$(keep "$dir/tls/ca.pem")"
# shellcheck disable=SC2046 # one option a line, and names without spaces: weir checks them
secret weir-nats-config $(for file in "$dir"/nats/*.conf; do keep "$file"; done)
# shellcheck disable=SC2046
secret weir-nats-tls $(for file in "$dir"/tls/*; do [ "${file##*/}" = ca.key ] || keep "$file"; done)
secret weir-edge "$(keep "$dir/secrets/nats-edge")" "$(keep "$dir/secrets/edge-token")"
secret weir-aggregator "$(keep "$dir/secrets/nats-aggregator")"
secret weir-query "$(keep "$dir/secrets/nats-query")"
secret weir-admin "$(keep "$dir/secrets/nats-admin")" "$(keep "$dir/secrets/admin-key")" "$(keep "$dir/secrets/edge-token")"
if [ $# -ge 3 ]; then secret weir-s3 "--from-file=id=$2" "--from-file=secret=$3"; fi
