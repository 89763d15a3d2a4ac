//! The configuration of one nats-server of the cluster.

use super::node::Node;
use super::plan::Plan;
use crate::nats_config::{PAYLOAD_BYTES_MAX, Role, quote, users};

/// The configuration file of one of the plan's servers.
pub(crate) fn render(plan: &Plan, node: &Node) -> String {
    let tls = |file: String| quote(&plan.installed_at.join("tls").join(file).display().to_string());
    let (certificate, key, authority) =
        (tls(format!("{}.pem", node.name)), tls(format!("{}.key", node.name)), tls("ca.pem".to_owned()));
    let routes: Vec<String> = plan
        .nodes
        .iter()
        .filter(|other| other.name != node.name)
        .map(|other| quote(&format!("nats-route://{}:{}", other.url_host(), other.route_port)))
        .collect();
    // The hash of no password: whoever lacks one is not let in.
    let hash = |role: Role| plan.hashes.get(role.user()).cloned().unwrap_or_else(|| "$2a$04$none".to_owned());
    format!(
        "# Written by `weir cluster init`: change the cluster there, then `nats-server --signal reload`.\n\
         server_name: {name}\n\
         listen: {listen}\n\
         max_payload: {PAYLOAD_BYTES_MAX}\n\
         # Fewer messages wait for a slow reader than the default 64 MB would allow.\n\
         max_pending: 33554432\n\
         # A client or server that went away silently is found within a minute.\n\
         ping_interval: \"15s\"\n\
         # SIGUSR2: leadership moves at once, clients are sent away one after the other, then it ends.\n\
         lame_duck_grace_period: \"2s\"\n\
         lame_duck_duration: \"30s\"\n\
         http: {monitor}\n\
         jetstream {{\n\
         \x20 store_dir: {store}\n\
         \x20 # An acknowledgement means that the message is on stable storage of a majority.\n\
         \x20 sync_interval: always\n\
         \x20 max_memory_store: 268435456\n\
         \x20 max_file_store: {store_bytes_max}\n\
         }}\n\
         # No byte before the handshake: plaintext has no answer.\n\
         tls {{\n\
         \x20 cert_file: {certificate}\n\
         \x20 key_file: {key}\n\
         \x20 ca_file: {authority}\n\
         \x20 handshake_first: true\n\
         \x20 min_version: \"1.3\"\n\
         \x20 timeout: 5\n\
         }}\n\
         cluster {{\n\
         \x20 name: {cluster}\n\
         \x20 listen: {route_listen}\n\
         \x20 # Clients know all servers; what these would say of themselves may not be reachable from there.\n\
         \x20 no_advertise: true\n\
         \x20 # Whoever wants to be a server shows a certificate of this authority.\n\
         \x20 tls {{\n\
         \x20   cert_file: {certificate}\n\
         \x20   key_file: {key}\n\
         \x20   ca_file: {authority}\n\
         \x20   verify: true\n\
         \x20   min_version: \"1.3\"\n\
         \x20   timeout: 5\n\
         \x20 }}\n\
         \x20 routes: [{routes}]\n\
         }}\n\
         {users}",
        name = quote(&format!("weir-{}-{}", plan.region, node.name)),
        listen = quote(&format!("{}:{}", node.listen_host(), node.client_port)),
        monitor = quote(&format!("{}:{}", plan.monitor_host, node.monitor_port)),
        store = quote(&plan.store.join(&node.name).display().to_string()),
        store_bytes_max = plan.store_bytes_max,
        cluster = quote(&format!("weir-{}", plan.region)),
        route_listen = quote(&format!("{}:{}", node.listen_host(), node.route_port)),
        routes = routes.join(", "),
        users = users(&plan.region, plan.partitions, hash),
    )
}
