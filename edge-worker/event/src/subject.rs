//! Names on the NATS side: streams, subjects, buckets, headers, roles. One place, used by every program.

/// Header that carries [`crate::model::SCHEMA_VERSION`] as a decimal number.
pub const SCHEMA_HEADER: &str = "Weir-Schema";
/// Bucket of sites: key `site.<domain>` → [`crate::site::Site`] as JSON, also under a renamed site's former domain; key `next_id` → the next free
/// site number.
pub const SITES_BUCKET: &str = "WEIR_SITES";
/// Bucket of API keys: key = SHA-256 of the API key in hex → [`crate::key::KeyRecord`] as JSON. The API key itself is never stored. Key
/// [`SESSION_SECRET_KEY`] → the secret that signs sessions.
pub const KEYS_BUCKET: &str = "WEIR_KEYS";
/// Key of the secret that signs sessions: 43 random letters and digits as a JSON string. Of two words, so that the edge, which may read keys of one
/// word, cannot read it.
pub const SESSION_SECRET_KEY: &str = "session.secret";
/// Bucket of what sites' owners defined: key `site.<number>` → goals, custom properties, segments, shared links as JSON, written by
/// compare-and-set.
pub const DEFINITIONS_BUCKET: &str = "WEIR_DEFINITIONS";
/// Bucket of accounts: key `account.<id>` → record as JSON.
pub const ACCOUNTS_BUCKET: &str = "WEIR_ACCOUNTS";
/// Bucket of daily salts: key `YYYY-MM-DD` (UTC) → 32 random bytes in hex. Entries live 48 hours at most.
pub const SALTS_BUCKET: &str = "WEIR_SALTS";
/// Bucket of manifest heads: key from [`head_key`] → head as JSON; only ever written by compare-and-set.
pub const HEADS_BUCKET: &str = "WEIR_HEADS";
/// Bucket of what components say of themselves: key `aggregator.<region>.<partition>` → status as JSON; key `import.<site>.<digest>` → outcome.
pub const STATUS_BUCKET: &str = "WEIR_STATUS";
/// Bucket of replays: key `record.<region>` → what is known of the newest replay, as JSON; key from [`shadow_key`] → head of a shadow, as JSON;
/// both are only ever written by compare-and-set. Key `plan.<region>` → the last plan, as JSON.
pub const REPLAY_BUCKET: &str = "WEIR_REPLAY";

/// Key of a shadow's head in [`REPLAY_BUCKET`].
pub fn shadow_key(replay_id: &str, region: &str, partition: u32) -> String {
    format!("shadow.{replay_id}.{region}.{partition}")
}

/// Key of a region's last plan in [`REPLAY_BUCKET`].
pub fn replay_plan_key(region: &str) -> String {
    format!("plan.{region}")
}

/// Key of a region's replay in [`REPLAY_BUCKET`].
pub fn replay_key(region: &str) -> String {
    format!("record.{region}")
}

/// Subject of a partition's batches, `events.<region>.<partition>`.
pub fn events_subject(region: &str, partition: u32) -> String {
    format!("events.{region}.{partition}")
}

/// Stream of a partition, `EVENTS_<region>_<partition>`.
pub fn events_stream(region: &str, partition: u32) -> String {
    format!("EVENTS_{region}_{partition}")
}

/// Subject of a region's refused payloads, `rejected.<region>`.
pub fn rejected_subject(region: &str) -> String {
    format!("rejected.{region}")
}

/// Stream of a region's refused payloads, `REJECTED_<region>`: bounded, the oldest go first.
pub fn rejected_stream(region: &str) -> String {
    format!("REJECTED_{region}")
}

/// Key of a partition's head in [`HEADS_BUCKET`].
pub fn head_key(region: &str, partition: u32) -> String {
    format!("{region}.{partition}")
}

/// Subject on which the partition's aggregator answers requests to seal: payload = JSON `{"through_seq": n}`, answer = `{"sealed_seq": n}` or `{"error": "…"}`.
pub fn flush_subject(region: &str, partition: u32) -> String {
    format!("weir.flush.{region}.{partition}")
}

/// Subject on which whoever folds a partition answers that it is there; payloads are empty.
pub fn presence_subject(region: &str, partition: u32) -> String {
    format!("weir.presence.{region}.{partition}")
}

/// `Nats-Msg-Id` of a batch: `<producer in hex>-<number>`.
pub fn message_id(producer: &[u8], number: u64) -> String {
    use std::fmt::Write;
    let mut id = String::with_capacity(producer.len() * 2 + 21);
    for byte in producer {
        // Writing to a string cannot fail.
        let _infallible = write!(id, "{byte:02x}");
    }
    let _infallible = write!(id, "-{number}");
    id
}
