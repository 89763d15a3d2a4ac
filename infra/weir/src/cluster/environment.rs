//! The files of variables by which a machine's programs find the cluster.

use super::passwords;
use super::plan::Plan;
use crate::nats_config::Role;

/// The files' names and contents, for systemd's `EnvironmentFile`, a container's `env_file`, or `set -a; . FILE`.
pub(crate) fn files(plan: &Plan) -> Vec<(String, String)> {
    let at = |name: &str| plan.installed_at.join(name).display().to_string();
    [
        ("edge", Role::Edge, vec![("WEIR_EDGE_TOKEN_FILE", at(passwords::EDGE_TOKEN))]),
        ("aggregator", Role::Aggregator, Vec::new()),
        ("query-api", Role::Query, Vec::new()),
        (
            "admin",
            Role::Admin,
            vec![
                ("WEIR_ADMIN_KEY_FILE", at(passwords::ADMIN_KEY)),
                ("WEIR_EDGE_TOKEN_FILE", at(passwords::EDGE_TOKEN)),
                ("WEIR_NATS_STORE_BYTES_MAX", plan.store_bytes_max.to_string()),
            ],
        ),
    ]
    .into_iter()
    .map(|(name, role, further)| {
        let common = [
            ("WEIR_NATS_URL", plan.client_urls()),
            ("WEIR_NATS_CA_FILE", at("tls/ca.pem")),
            ("WEIR_NATS_USER", role.user().to_owned()),
            ("WEIR_NATS_PASSWORD_FILE", at(&passwords::file(role))),
            ("WEIR_REGION", plan.region.clone()),
            ("WEIR_PARTITIONS", plan.partitions.to_string()),
        ];
        let lines: Vec<String> = common.into_iter().chain(further).map(|(name, value)| format!("{name}={value}\n")).collect();
        (format!("env/{name}.env"), lines.concat())
    })
    .collect()
}
