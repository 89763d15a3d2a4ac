//! The NATS server's configuration: loopback, JetStream that syncs before it acknowledges, and a user for each role with what it may do.

use crate::secrets::Secrets;
use std::path::Path;
use weir_event::subject::{
    ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, HEADS_BUCKET, KEYS_BUCKET, REPLAY_BUCKET, SALTS_BUCKET, SITES_BUCKET, STATUS_BUCKET,
    events_stream, rejected_subject,
};

/// Largest message, bytes: a batch of `BATCH_BYTES_MAX` (900,000) and its headers.
pub(crate) const PAYLOAD_BYTES_MAX: u32 = 1_048_576;

/// What the configuration depends on.
pub(crate) struct NatsServer<'a> {
    /// Port on 127.0.0.1.
    pub(crate) port: u16,
    /// Folder of the streams.
    pub(crate) store: &'a Path,
    /// Name of the region.
    pub(crate) region: &'a str,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// Passwords.
    pub(crate) secrets: &'a Secrets,
}

/// A role, and by its name the NATS user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The edge worker.
    Edge,
    /// The aggregator.
    Aggregator,
    /// The query API.
    Query,
    /// `weir up` and the other commands.
    Admin,
}

/// All of them.
pub(crate) const ROLES: [Role; 4] = [Role::Edge, Role::Aggregator, Role::Query, Role::Admin];

impl Role {
    /// Name of its NATS user.
    pub(crate) fn user(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Aggregator => "aggregator",
            Self::Query => "query",
            Self::Admin => "admin",
        }
    }

    /// Prefix of the subjects on which it gets its answers.
    pub(crate) fn inbox_prefix(self) -> String {
        format!("_INBOX_{}", self.user())
    }

    /// Its password.
    pub(crate) fn password(self, secrets: &Secrets) -> &str {
        match self {
            Self::Edge => &secrets.nats_edge,
            Self::Aggregator => &secrets.nats_aggregator,
            Self::Query => &secrets.nats_query,
            Self::Admin => &secrets.nats_admin,
        }
    }
}

/// What a role may do. A server's answers to it arrive below its inbox prefix, which no other role may read.
#[derive(Debug, PartialEq, Eq)]
struct Permissions {
    publish: Vec<String>,
    subscribe: Vec<String>,
    /// May answer requests that it gets.
    answers: bool,
}

/// The configuration file.
pub(crate) fn render(server: &NatsServer) -> String {
    let users = users(server.region, server.partitions, |role| role.password(server.secrets).to_owned());
    format!(
        "# Written by `weir up` at every start.\n\
         server_name: {name}\n\
         listen: \"127.0.0.1:{port}\"\n\
         max_payload: {PAYLOAD_BYTES_MAX}\n\
         # Fewer messages wait for a slow reader than the default 64 MB would allow.\n\
         max_pending: 33554432\n\
         jetstream {{\n\
         \x20 store_dir: {store}\n\
         \x20 # An acknowledgement means that the message is on stable storage.\n\
         \x20 sync_interval: always\n\
         \x20 max_memory_store: 268435456\n\
         \x20 # Each stream has its own limit; this one must not be what stops them after the disk filled up otherwise.\n\
         \x20 max_file_store: 1099511627776\n\
         }}\n\
         {users}",
        name = quote(&format!("weir-{}", server.region)),
        port = server.port,
        store = quote(&server.store.display().to_string()),
    )
}

/// The users and what each may do. `password` gives a role's password, or its bcrypt hash.
pub(crate) fn users(region: &str, partitions: u32, password: impl Fn(Role) -> String) -> String {
    let users = ROLES.map(|role| user(role, &permissions(role, region, partitions), &password(role)));
    format!("authorization {{\n  users: [\n{}\n  ]\n}}\n", users.join("\n"))
}

fn user(role: Role, permissions: &Permissions, password: &str) -> String {
    let list = |subjects: &[String]| subjects.iter().map(|subject| quote(subject)).collect::<Vec<_>>().join(", ");
    let answers = if permissions.answers { ", allow_responses: { max: 1, expires: \"2m\" }" } else { "" };
    format!(
        "    {{ user: {user}, password: {password}, permissions: {{ publish: {{ allow: [{publish}] }}, subscribe: {{ allow: [{subscribe}] }}{answers} }} }}",
        user = quote(role.user()),
        password = quote(password),
        publish = list(&permissions.publish),
        subscribe = list(&permissions.subscribe),
    )
}

fn permissions(role: Role, region: &str, partitions: u32) -> Permissions {
    let streams: Vec<String> = (0..partitions).map(|partition| events_stream(region, partition)).collect();
    let mut publish = Vec::new();
    let mut subscribe = vec![format!("{}.>", role.inbox_prefix())];
    let mut answers = false;
    match role {
        Role::Edge => {
            publish.push(format!("events.{region}.*"));
            publish.push(rejected_subject(region));
            publish.push(format!("$KV.{SALTS_BUCKET}.*"));
            for bucket in [SITES_BUCKET, SALTS_BUCKET] {
                publish.extend(reads(&format!("KV_{bucket}")));
            }
            // A key's record by the key's hash, and nothing else of that bucket: the edge cannot list keys.
            publish.push(format!("$JS.API.DIRECT.GET.KV_{KEYS_BUCKET}.$KV.{KEYS_BUCKET}.*"));
        }
        Role::Aggregator => {
            publish.extend(["$JS.API.INFO".to_owned(), "$JS.FC.>".to_owned()]);
            publish.extend([HEADS_BUCKET, STATUS_BUCKET].map(|bucket| format!("$KV.{bucket}.>")));
            // What shadows name must not be swept. Replays themselves are the admin's.
            let buckets = [HEADS_BUCKET, STATUS_BUCKET, REPLAY_BUCKET].map(|bucket| format!("KV_{bucket}"));
            // How long sites keep their events.
            let buckets = buckets.into_iter().chain([format!("KV_{SITES_BUCKET}")]).collect::<Vec<_>>();
            for stream in streams.iter().chain(&buckets) {
                publish.extend(reads(stream).into_iter().chain(consumes(stream)));
            }
            subscribe.extend([format!("weir.flush.{region}.*"), format!("weir.presence.{region}.*")]);
            publish.push(format!("weir.presence.{region}.*"));
            // Only the streams of events: what is archived and past its retention.
            publish.extend(streams.iter().map(|stream| format!("$JS.API.STREAM.PURGE.{stream}")));
            answers = true;
        }
        Role::Query => {
            publish.extend(["$JS.API.INFO".to_owned(), "$JS.FC.>".to_owned()]);
            // The Sites API changes sites, their definitions and their keys.
            let owned = [SITES_BUCKET, ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET];
            publish.extend(owned.map(|bucket| format!("$KV.{bucket}.>")));
            // A deleted site's events are to be forgotten: a control record on its stream says so.
            publish.push(format!("events.{region}.*"));
            let read = [HEADS_BUCKET, STATUS_BUCKET, REPLAY_BUCKET];
            let buckets = owned.into_iter().chain(read).map(|bucket| format!("KV_{bucket}")).collect::<Vec<_>>();
            for stream in streams.iter().chain(&buckets) {
                publish.extend(reads(stream).into_iter().chain(consumes(stream)));
            }
        }
        Role::Admin => {
            publish.push(">".to_owned());
            subscribe.push("weir.>".to_owned());
        }
    }
    Permissions { publish, subscribe, answers }
}

/// Subjects to ask a stream for its state and for single messages.
fn reads(stream: &str) -> Vec<String> {
    vec![
        format!("$JS.API.STREAM.INFO.{stream}"),
        format!("$JS.API.STREAM.MSG.GET.{stream}"),
        format!("$JS.API.DIRECT.GET.{stream}"),
        format!("$JS.API.DIRECT.GET.{stream}.>"),
    ]
}

/// Subjects to read a stream by a consumer.
fn consumes(stream: &str) -> Vec<String> {
    let mut subjects = vec![format!("$JS.API.CONSUMER.CREATE.{stream}"), format!("$JS.ACK.{stream}.>")];
    subjects.extend(["CREATE", "INFO", "DELETE", "MSG.NEXT"].map(|operation| format!("$JS.API.CONSUMER.{operation}.{stream}.>")));
    subjects
}

/// A string of the configuration's language.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets {
            nats_edge: "password-edge".into(),
            nats_aggregator: "password-aggregator".into(),
            nats_query: "password-query".into(),
            nats_admin: "password-admin".into(),
            edge_token: "token".into(),
            admin_key: "weir_key".into(),
            demo_key: None,
        }
    }

    /// Whether a subscription's or permission's pattern covers a subject.
    fn covers(pattern: &str, subject: &str) -> bool {
        let mut subject = subject.split('.');
        for token in pattern.split('.') {
            match (token, subject.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (token, Some(other)) if token == other => {}
                _ => return false,
            }
        }
        subject.next().is_none()
    }

    fn may_publish(role: Role, subject: &str) -> bool {
        permissions(role, "local", 2).publish.iter().any(|pattern| covers(pattern, subject))
    }

    fn may_subscribe(role: Role, subject: &str) -> bool {
        permissions(role, "local", 2).subscribe.iter().any(|pattern| covers(pattern, subject))
    }

    #[test]
    fn each_role_may_do_its_work() {
        for subject in [
            "events.local.0",
            "events.local.1",
            "rejected.local",
            "$KV.WEIR_SALTS.2026-11-21",
            "$JS.API.DIRECT.GET.KV_WEIR_SITES",
            "$JS.API.DIRECT.GET.KV_WEIR_KEYS.$KV.WEIR_KEYS.0123abcd",
        ] {
            assert!(may_publish(Role::Edge, subject), "{subject}");
        }
        for subject in [
            "$JS.API.CONSUMER.CREATE.EVENTS_local_1.weir-1.events.local.1",
            "$KV.WEIR_HEADS.local.0",
            "$KV.WEIR_STATUS.aggregator.local.0",
            "$JS.API.DIRECT.GET.KV_WEIR_SITES.$KV.WEIR_SITES.retention",
            "$JS.API.CONSUMER.CREATE.KV_WEIR_SITES.c.$KV.WEIR_SITES.site.>",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_REPLAY",
            "$JS.API.CONSUMER.CREATE.KV_WEIR_REPLAY.c.$KV.WEIR_REPLAY.>",
            "$JS.API.STREAM.PURGE.EVENTS_local_1",
        ] {
            assert!(may_publish(Role::Aggregator, subject), "{subject}");
        }
        assert!(may_subscribe(Role::Aggregator, "weir.flush.local.0"));
        assert!(may_subscribe(Role::Aggregator, "weir.presence.local.0"));
        for subject in [
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS_local_0.c",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_KEYS",
            "$JS.API.STREAM.INFO.KV_WEIR_HEADS",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_REPLAY",
            "$JS.API.CONSUMER.CREATE.KV_WEIR_REPLAY.c.$KV.WEIR_REPLAY.>",
            "$KV.WEIR_SITES.next_id",
            "$KV.WEIR_SITES.site.shop.example",
            "$KV.WEIR_KEYS.0123abcd",
            "$KV.WEIR_ACCOUNTS.account.1",
            "$KV.WEIR_DEFINITIONS.goal.7.1",
            "events.local.1",
        ] {
            assert!(may_publish(Role::Query, subject), "{subject}");
        }
        assert!(may_publish(Role::Admin, "$JS.API.STREAM.CREATE.EVENTS_local_0"));
        assert!(may_publish(Role::Admin, "events.local.0"));
        assert!(may_publish(Role::Admin, "$KV.WEIR_REPLAY.record.local"));
    }

    #[test]
    fn no_role_may_do_more() {
        for subject in [
            "$JS.API.CONSUMER.CREATE.EVENTS_local_0.c.events.local.0",
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS_local_0.c",
            "$JS.API.DIRECT.GET.EVENTS_local_0",
            "$JS.API.STREAM.MSG.GET.EVENTS_local_0",
            "$JS.API.STREAM.DELETE.EVENTS_local_0",
            "$JS.API.STREAM.PURGE.EVENTS_local_0",
            "$KV.WEIR_SITES.site.shop.example",
            "$KV.WEIR_HEADS.local.0",
            "events.other.0",
            "$JS.API.DIRECT.GET.KV_WEIR_KEYS",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_KEYS",
            "$KV.WEIR_KEYS.0123abcd",
            "rejected.other",
            "$JS.API.DIRECT.GET.REJECTED_local",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_REPLAY",
            "$JS.API.DIRECT.GET.KV_WEIR_REPLAY",
            "$KV.WEIR_REPLAY.record.local",
        ] {
            assert!(!may_publish(Role::Edge, subject), "{subject}");
        }
        assert!(!may_publish(Role::Aggregator, "events.local.0") && !may_publish(Role::Query, "events.other.0"));
        for subject in [
            "$JS.API.STREAM.DELETE.EVENTS_local_0",
            "$JS.API.STREAM.MSG.GET.KV_WEIR_SALTS",
            "$JS.API.STREAM.DELETE.KV_WEIR_SITES",
            "$JS.API.STREAM.PURGE.KV_WEIR_KEYS",
            "$KV.WEIR_SALTS.2026-11-21",
            "$JS.API.STREAM.MSG.GET.REJECTED_local",
            "rejected.local",
            "$KV.WEIR_REPLAY.record.local",
            "$KV.WEIR_REPLAY.shadow.ab.local.0",
            "$JS.API.STREAM.MSG.DELETE.KV_WEIR_REPLAY",
            "$JS.API.STREAM.PURGE.KV_WEIR_REPLAY",
            "$JS.API.STREAM.PURGE.KV_WEIR_HEADS",
            "$JS.API.STREAM.PURGE.EVENTS_other_0",
            "$JS.API.STREAM.PURGE.REJECTED_local",
        ] {
            assert!(!may_publish(Role::Aggregator, subject), "{subject}");
            assert!(!may_publish(Role::Query, subject), "{subject}");
        }
        assert!(!may_publish(Role::Query, "$KV.WEIR_HEADS.local.0"));
        assert!(!may_publish(Role::Query, "$JS.API.STREAM.PURGE.EVENTS_local_0"));
        for subject in ["$KV.WEIR_SITES.next_id", "$KV.WEIR_KEYS.0123abcd", "$KV.WEIR_ACCOUNTS.account.1"] {
            assert!(!may_publish(Role::Aggregator, subject), "{subject}");
        }
        for role in [Role::Edge, Role::Aggregator, Role::Query] {
            for subject in ["events.local.0", ">", "_INBOX.x", "_INBOX_admin.x"] {
                assert!(!may_subscribe(role, subject), "{role:?} {subject}");
            }
        }
        assert!(!may_subscribe(Role::Edge, "_INBOX_query.x"));
    }

    #[test]
    fn the_file_names_all_that_matters() {
        let secrets = secrets();
        let server = NatsServer {
            port: 4333,
            store: Path::new("/with \"quotes\"/store"),
            region: "local",
            partitions: 1,
            secrets: &secrets,
        };
        let text = render(&server);
        for expected in [
            "listen: \"127.0.0.1:4333\"",
            "sync_interval: always",
            "store_dir: \"/with \\\"quotes\\\"/store\"",
            "user: \"edge\", password: \"password-edge\"",
            "user: \"admin\", password: \"password-admin\"",
            "allow_responses",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains("EVENTS_local_1"), "{text}");
    }
}
