//! A cluster as the commands find it by variables, without a `run.json`: who has `WEIR_NATS_URL` and the admin's password needs no home of a
//! running system.

use crate::home::{Home, RunFile};
use crate::nats_config::Role;
use crate::plaintext;
use crate::secrets::Secrets;
use crate::surroundings::{CommonOptions, secret_of, surroundings};
use anyhow::Result;
use std::collections::BTreeMap;
use weir_reader::NatsConfig;

/// A cluster and the way to it.
pub(crate) struct Remote {
    /// The work folder.
    pub(crate) home: Home,
    /// What `run.json` would say; what is not known is empty.
    pub(crate) run: RunFile,
    /// What this machine knows of the secrets; the others are empty.
    pub(crate) secrets: Secrets,
    /// The admin's way to NATS.
    pub(crate) nats: NatsConfig,
}

/// The cluster that the variables name: `WEIR_NATS_URL` with `WEIR_NATS_PASSWORD` or `WEIR_NATS_PASSWORD_FILE`; `None` without them.
///
/// Beside the variables of the services: `WEIR_QUERY_URL`, `WEIR_COLLECTOR_URL`, `WEIR_EDGE_URLS` (all collectors, separated by commas: whose
/// backlog `flush` and `status` ask for), `WEIR_EDGE_TOKEN` and `WEIR_ADMIN_KEY` (each also with `_FILE`). Token and key go to `http://` of other machines
/// only with `WEIR_ALLOW_PLAINTEXT=1`.
pub(crate) fn from_variables() -> Result<Option<Remote>> {
    let options = CommonOptions::from_variables()?;
    if options.nats_url.is_none() || options.password()?.is_none() {
        return Ok(None);
    }
    let here = surroundings(&options, Role::Admin)?;
    let secrets = Secrets {
        nats_edge: String::new(),
        nats_aggregator: String::new(),
        nats_query: String::new(),
        nats_admin: here.nats.password.clone(),
        edge_token: secret_of("WEIR_EDGE_TOKEN")?.unwrap_or_default(),
        admin_key: secret_of("WEIR_ADMIN_KEY")?.unwrap_or_default(),
        demo_key: None,
    };
    let variable = |name: &str| std::env::var(name).unwrap_or_default().trim_end_matches('/').to_owned();
    let edges: Vec<String> = addresses(&variable("WEIR_EDGE_URLS"));
    let query = variable("WEIR_QUERY_URL");
    if !secrets.edge_token.is_empty() {
        edges.iter().try_for_each(|url| plaintext::refuse_http(url, "the edge's token"))?;
    }
    if !secrets.admin_key.is_empty() {
        plaintext::refuse_http(&query, "the admin key")?;
    }
    let collector = variable("WEIR_COLLECTOR_URL");
    let run = RunFile {
        collector_url: if collector.is_empty() { edges.first().cloned().unwrap_or_default() } else { collector },
        collector_urls: edges,
        draining_edges: BTreeMap::new(),
        query_url: query,
        nats_url: here.nats.url.clone(),
        admin_key: secrets.admin_key.clone(),
        region: here.region,
        partitions: here.partitions,
        supervisor_pid: 0,
        pids: BTreeMap::new(),
        demo_site: None,
        demo_shop: None,
        demo_key: None,
    };
    Ok(Some(Remote { home: here.home, run, secrets, nats: here.nats }))
}

fn addresses(list: &str) -> Vec<String> {
    list.split(',').map(|url| url.trim().trim_end_matches('/').to_owned()).filter(|url| !url.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses() {
        assert_eq!(addresses(""), Vec::<String>::new());
        assert_eq!(addresses("http://a:1/, http://b:2"), ["http://a:1", "http://b:2"]);
    }
}
