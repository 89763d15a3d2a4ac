//! The edge's configuration: the capnp template filled in, beside copies of the built worker.

use crate::cli::WorkerOptions;
use crate::edges;
use crate::home::Home;
use crate::installation::Installation;
use crate::nats_config::Role;
use crate::secrets::Secrets;
use anyhow::{Context as _, Result, bail};
use std::borrow::Cow;
use std::ffi::OsString;

/// The template; it names its values as `@NAME@`.
const TEMPLATE: &str = include_str!("../../workerd/weir.capnp.in");
/// The files of the built worker.
const WORKER_FILES: [&str; 2] = ["index.js", "index_bg.wasm"];

/// The authority's certificates, beside the configuration.
const CA_FILE: &str = "workerd/ca.pem";
/// What the template trusts without an authority of its own, and what it says with one.
const TRUSTS_PUBLIC: &str = "trustBrowserCas = true";
const TRUSTS_OWN: &str = "trustedCertificates = [embed \"ca.pem\"]";

/// What the configuration depends on.
pub(crate) struct Edge<'a> {
    /// Which of the edges of this home, from 0: the names of its folder and file.
    pub(crate) index: u32,
    /// Which of all edges of the region: batchers carry it in their names.
    pub(crate) number: u32,
    /// Address and port of its collector.
    pub(crate) address: String,
    /// Where NATS is, and as whom to speak to it.
    pub(crate) nats: EdgeNats,
    /// Name of the region.
    pub(crate) region: &'a str,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// What the operator chose for it.
    pub(crate) worker: &'a WorkerOptions,
    /// Bearer token for the internal addresses.
    pub(crate) token: &'a str,
}

/// Where NATS is, and as whom an edge speaks to it.
pub(crate) struct EdgeNats {
    /// `host:port` of each server, separated by commas.
    pub(crate) servers: String,
    /// Whether connections begin with a TLS handshake.
    pub(crate) tls: bool,
    /// Certificates (PEM) of the authority that alone is trusted; without them, the public ones.
    pub(crate) authority: Option<String>,
    /// The user.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: String,
}

impl EdgeNats {
    /// The server of `weir up`.
    pub(crate) fn local(port: u16, secrets: &Secrets) -> Self {
        Self {
            servers: format!("127.0.0.1:{port}"),
            tls: false,
            authority: None,
            user: Role::Edge.user().to_owned(),
            password: Role::Edge.password(secrets).to_owned(),
        }
    }
}

/// Copies the built worker into the home.
pub(crate) fn install_worker(home: &Home, installation: &Installation) -> Result<()> {
    for name in WORKER_FILES {
        let built = installation.file(&format!("target/edge/{name}"), "make build")?;
        let bytes = std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
        home.replace(&format!("workerd/{name}"), &bytes)?;
    }
    Ok(())
}

/// Writes the configuration of one edge process into the home.
pub(crate) fn install(home: &Home, edge: &Edge) -> Result<()> {
    let folder = |name: &str| home.path(name).to_str().map(str::to_owned).context("WEIR_HOME must be a path in UTF-8");
    if let Some(authority) = &edge.nats.authority {
        home.replace(CA_FILE, authority.as_bytes())?;
    }
    let template = template(edge.nats.authority.is_some());
    let text = render(&template, &values(edge, folder(&edges::objects_folder(edge.index))?, folder("geo")?))?;
    home.replace(&edges::config_file(edge.index), text.as_bytes())
}

/// Arguments of workerd.
pub(crate) fn arguments(home: &Home, index: u32) -> Vec<OsString> {
    vec!["serve".into(), home.path(&edges::config_file(index)).into()]
}

/// The template, with the authority that is trusted.
fn template(has_authority: bool) -> Cow<'static, str> {
    if has_authority { TEMPLATE.replace(TRUSTS_PUBLIC, TRUSTS_OWN).into() } else { TEMPLATE.into() }
}

fn values(edge: &Edge, objects: String, geo: String) -> Vec<(&'static str, String)> {
    vec![
        ("EDGE_INDEX", edge.number.to_string()),
        ("GEO_PATH", geo),
        ("ADDRESS", edge.address.clone()),
        ("DO_PATH", objects),
        ("REGION", edge.region.to_owned()),
        ("PARTITIONS", edge.partitions.to_string()),
        ("SLOTS", edge.worker.slots.to_string()),
        ("NATS_SERVERS", edge.nats.servers.clone()),
        ("NATS_TLS", if edge.nats.tls { "on" } else { "off" }.to_owned()),
        ("NATS_USER", edge.nats.user.clone()),
        ("NATS_PASSWORD", edge.nats.password.clone()),
        ("EDGE_TOKEN", edge.token.to_owned()),
        ("BACKLOG_BYTES_MAX", edge.worker.backlog_bytes_max.to_string()),
        ("SITE_EVENTS_PER_S", edge.worker.site_events_per_s.to_string()),
        ("SITE_REQUESTS_PER_S", edge.worker.site_requests_per_s.to_string()),
        ("TRUSTED_PROXIES", edge.worker.trusted_proxies.clone()),
        ("TEST_PANIC", u8::from(edge.worker.test_panic).to_string()),
        ("TEST_CLOCK_OFFSET_MS", edge.worker.test_clock_offset_ms.to_string()),
    ]
}

/// Puts the values in place; every one stands between quotes in the template.
fn render(template: &str, values: &[(&str, String)]) -> Result<String> {
    let mut text = String::with_capacity(template.len() + 512);
    // Comments may show what a value looks like.
    let code: Vec<&str> = template.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let code = code.join("\n");
    let mut rest = code.as_str();
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let name_and_rest = after.split_once('@').filter(|(name, _)| is_name(name));
        let Some((name, after)) = name_and_rest else {
            // An `@` of the language itself, as in the file's id.
            text.push('@');
            rest = after;
            continue;
        };
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            bail!("the edge's template asks for {name}, which this program does not know");
        };
        text.push_str(&escape(value));
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A value inside the quotes of a capnp string.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_filled_completely() {
        let secrets = Secrets {
            nats_edge: "edge-password".into(),
            nats_aggregator: String::new(),
            nats_query: String::new(),
            nats_admin: "admin-password".into(),
            edge_token: "edge-token".into(),
            admin_key: "weir_admin".into(),
            demo_key: None,
        };
        let nats = EdgeNats::local(4223, &secrets);
        let worker = WorkerOptions {
            slots: 3,
            backlog_bytes_max: 1000,
            site_events_per_s: 3_301,
            site_requests_per_s: 376,
            trusted_proxies: "127.0.0.0/8".to_owned(),
            test_panic: false,
            test_clock_offset_ms: -86_400_000,
        };
        let edge = Edge {
            index: 0,
            number: 3,
            address: "127.0.0.1:8081".to_owned(),
            nats,
            region: "local",
            partitions: 2,
            worker: &worker,
            token: &secrets.edge_token,
        };
        let text = render(TEMPLATE, &values(&edge, "/home/with \"quotes\"".into(), "/home/geo".into())).unwrap();
        for expected in [
            "127.0.0.1:8081",
            "127.0.0.1:4223",
            "edge-password",
            "edge-token",
            "127.0.0.0/8",
            "/home/with \\\"quotes\\\"",
            "/home/geo",
            "text = \"3\"",
            "(name = \"SITE_EVENTS_PER_S\", text = \"3301\")",
            "(name = \"SITE_REQUESTS_PER_S\", text = \"376\")",
            "-86400000",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains("admin"), "{text}");
    }

    #[test]
    fn an_authority_of_ones_own_is_trusted_alone() {
        assert!(template(false).contains("tlsOptions = (trustBrowserCas = true)"));
        assert!(template(true).contains("tlsOptions = (trustedCertificates = [embed \"ca.pem\"])"));
    }

    #[test]
    fn an_unknown_value_is_an_error() {
        let values = [("A", "x\"y".to_owned())];
        assert_eq!(render("# @NAME@\n@0xabc; \"@A@\" a@b", &values).unwrap(), "@0xabc; \"x\\\"y\" a@b");
        assert!(render("@B@", &values).unwrap_err().to_string().contains('B'));
    }
}
