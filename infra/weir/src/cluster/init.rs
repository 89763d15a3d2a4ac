//! `weir cluster init`: the files of a cluster. What is there stays; what is new is added.

use super::certificates::{self, Pair};
use super::node::Node;
use super::plan::{Plan, Wanted};
use super::{environment, passwords, server_config};
use crate::home::Home;
use crate::output::Output;
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use std::path::Path;
use time::OffsetDateTime;

/// What became of the folder.
#[derive(Debug, Default, Serialize)]
struct Done {
    /// Files that were made.
    made: Vec<String>,
    /// Files that say something else than before: the servers must be told (`nats-server --signal reload`).
    changed: Vec<String>,
}

/// Makes the files of a cluster in a folder, or adds to them.
pub(crate) fn init(folder: &Path, wanted: Wanted, output: Output) -> Result<()> {
    let folder = Home::at(folder)?;
    let done = write(&folder, wanted)?;
    let list = |title: &str, files: &[String]| match files {
        [] => String::new(),
        files => format!("\n{title}:\n  {}", files.join("\n  ")),
    };
    let text = match (done.made.is_empty(), done.changed.is_empty()) {
        (true, true) => format!("everything is there already in {}", folder.root().display()),
        _ => format!(
            "{}{}{}\nStart each server with `nats-server -c …/nats/NAME.conf`, then make the streams with the variables of env/admin.env: \
             `weir cluster provision`",
            folder.root().display(),
            list("made", &done.made),
            list("changed (tell the servers: `nats-server --signal reload`)", &done.changed),
        ),
    };
    output.result(&serde_json::json!({ "folder": folder.root(), "made": done.made, "changed": done.changed }), &text)
}

fn write(folder: &Home, wanted: Wanted) -> Result<Done> {
    for name in ["", "tls", "nats", "secrets", "env"] {
        folder.create_folder(name)?;
    }
    let mut plan = match Plan::read(folder)? {
        Some(plan) => plan.changed(wanted)?,
        None => Plan::new(folder, wanted)?,
    };
    let mut done = Done { made: passwords::make_missing(folder)?, changed: Vec::new() };
    plan.hashes = passwords::hashes(folder, &plan.hashes)?;
    let authority_key = authority(folder, &plan.region, &mut done)?;
    for node in &plan.nodes {
        certificate(folder, &plan.region, node, &authority_key, &mut done)?;
    }
    let configs = plan.nodes.iter().map(|node| (format!("nats/{}.conf", node.name), server_config::render(&plan, node)));
    // The plan last: while it is not there, everything is made from what was asked for again.
    for (name, text) in configs.chain(environment::files(&plan)).chain([plan.file()?]) {
        put(folder, &name, &text, &mut done)?;
    }
    Ok(done)
}

/// The authority's key, made at first.
fn authority(folder: &Home, region: &str, done: &mut Done) -> Result<String> {
    let (certificate, key) = ("tls/ca.pem", "tls/ca.key");
    match (folder.path(certificate).exists(), folder.path(key).exists()) {
        (true, true) => std::fs::read_to_string(folder.path(key)).context("cannot read tls/ca.key"),
        (false, false) => {
            let pair = certificates::authority(region, OffsetDateTime::now_utc())?;
            let made = pair.key.clone();
            save(folder, certificate, key, &pair, done)?;
            Ok(made)
        }
        // The key may be kept apart. Then nothing can be signed here, but perhaps nothing has to be.
        (true, false) => Ok(String::new()),
        (false, true) => {
            bail!("tls/ca.key is there and tls/ca.pem is not: put the certificate back, or remove the key for a new authority")
        }
    }
}

fn certificate(folder: &Home, region: &str, node: &Node, authority_key: &str, done: &mut Done) -> Result<()> {
    let (certificate, key) = (format!("tls/{}.pem", node.name), format!("tls/{}.key", node.name));
    // A machine that only renews files of variables has no keys of servers.
    if folder.path(&certificate).exists() {
        return Ok(());
    }
    if authority_key.is_empty() {
        bail!("{certificate} is missing and tls/ca.key, by which it could be made, is not here: put the key back for a moment");
    }
    let pair = certificates::server(region, &node.name, &node.host, authority_key, OffsetDateTime::now_utc())?;
    save(folder, &certificate, &key, &pair, done)
}

/// The key first: a certificate stands for both.
fn save(folder: &Home, certificate: &str, key: &str, pair: &Pair, done: &mut Done) -> Result<()> {
    folder.replace(key, pair.key.as_bytes())?;
    folder.replace(certificate, pair.certificate.as_bytes())?;
    done.made.extend([certificate.to_owned(), key.to_owned()]);
    Ok(())
}

fn put(folder: &Home, name: &str, text: &str, done: &mut Done) -> Result<()> {
    let path = folder.path(name);
    let before = match std::fs::read_to_string(&path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    match before {
        Some(before) if before == text => return Ok(()),
        Some(_) => done.changed.push(name.to_owned()),
        None => done.made.push(name.to_owned()),
    }
    folder.replace(name, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::wanted;
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    fn files(folder: &Path) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for part in ["tls", "nats", "secrets", "env", "."] {
            for entry in std::fs::read_dir(folder.join(part)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
                    all.insert(path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        all
    }

    #[test]
    fn twice_changes_nothing_and_a_new_server_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        write(&home, wanted(&[("a", 10), ("b", 20)])).unwrap();
        let first = files(folder.path());
        let done = write(&home, wanted(&[("a", 10), ("b", 20)])).unwrap();
        assert!(done.made.is_empty() && done.changed.is_empty(), "{done:?}");
        assert_eq!(files(folder.path()), first);
        let done = write(&home, wanted(&[("c", 30)])).unwrap();
        assert_eq!(done.made, ["tls/c.pem", "tls/c.key", "nats/c.conf"]);
        let second = files(folder.path());
        for name in ["tls/ca.pem", "tls/ca.key", "tls/a.pem", "tls/a.key", "secrets/nats-edge", "secrets/admin-key"] {
            assert_eq!(second[name], first[name], "{name}");
        }
        assert!(second["nats/a.conf"].contains("nats-route://10.0.0.1:31"), "{}", second["nats/a.conf"]);
        assert!(second["env/edge.env"].contains("tls://10.0.0.1:30"));
    }

    #[test]
    fn servers_know_hashes_and_roles_their_own_secret() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        write(&home, wanted(&[("a", 10)])).unwrap();
        let all = files(folder.path());
        for (name, text) in &all {
            for (secret, value) in all.iter().filter(|(secret, _)| secret.starts_with("secrets/")) {
                assert!(name == secret || !text.contains(value.trim_end()), "{secret} stands in {name}");
            }
        }
        let config = &all["nats/a.conf"];
        for expected in ["sync_interval: always", "handshake_first: true", "verify: true", "user: \"edge\", password: \"$2a$04$"]
        {
            assert!(config.contains(expected), "{expected} is missing in\n{config}");
        }
        assert!(all["env/edge.env"].contains("secrets/nats-edge") && !all["env/edge.env"].contains("nats-admin"));
    }
}
