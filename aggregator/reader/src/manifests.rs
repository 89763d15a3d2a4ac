//! Manifests: immutable JSON objects that say what a partition consists of.

use crate::error::ReaderError;
use crate::store::Store;
use bytes::Bytes;
use weir_rollup::manifest::{Head, MANIFEST_VERSION, MANIFEST_VERSION_MIN, Manifest, ObjectRef};

/// Largest manifest that is read: 40,000 parts of about 400 bytes.
pub const MANIFEST_BYTES_MAX: u64 = 16_000_000;

/// Folder of a partition's manifests.
pub fn folder(region: &str, partition: u32) -> String {
    format!("manifests/{region}-{partition}")
}

/// Name of the manifest of a revision.
pub fn name(region: &str, partition: u32, revision: u64, commit_id: &str) -> String {
    format!("{}/{revision:012}-{commit_id}.json", folder(region, partition))
}

/// Folder of the manifests of a partition's shadows.
pub fn shadow_folder(region: &str, partition: u32) -> String {
    format!("shadow/{region}-{partition}")
}

/// Name of the manifest of a shadow's revision.
pub fn shadow_name(region: &str, partition: u32, revision: u64, commit_id: &str) -> String {
    format!("{}/{revision:012}-{commit_id}.json", shadow_folder(region, partition))
}

/// Writes a manifest of what is served durably and returns its name and checksum, for the head.
pub async fn put(store: &Store, manifest: &Manifest, commit_id: &str) -> Result<ObjectRef, ReaderError> {
    put_as(store, manifest, name(&manifest.region, manifest.partition, manifest.revision, commit_id)).await
}

/// Writes a manifest of a shadow durably and returns its name and checksum, for the head.
pub async fn put_shadow(store: &Store, manifest: &Manifest, commit_id: &str) -> Result<ObjectRef, ReaderError> {
    put_as(store, manifest, shadow_name(&manifest.region, manifest.partition, manifest.revision, commit_id)).await
}

async fn put_as(store: &Store, manifest: &Manifest, name: String) -> Result<ObjectRef, ReaderError> {
    let bytes = serde_json::to_vec(manifest).map_err(|cause| ReaderError::malformed(&name, cause))?;
    store.put(&name, Bytes::from(bytes)).await
}

/// Reads the manifest that a head names, and checks that it is the one that was committed.
pub async fn load(store: &Store, head: &Head) -> Result<Manifest, ReaderError> {
    let object = ObjectRef { name: head.manifest.clone(), checksum: head.checksum.clone() };
    let bytes = store.get_checked(&object, MANIFEST_BYTES_MAX).await?;
    let manifest = parse(&head.manifest, &bytes)?;
    if manifest.revision != head.revision || manifest.sealed_seq != head.sealed_seq {
        return Err(ReaderError::malformed(&head.manifest, "revision or sealed sequence differs from the head's"));
    }
    Ok(manifest)
}

/// Reads a manifest by its name and checksum, as another manifest tells them.
pub async fn read_checked(store: &Store, object: &ObjectRef) -> Result<Manifest, ReaderError> {
    parse(&object.name, &store.get_checked(object, MANIFEST_BYTES_MAX).await?)
}

/// Reads a manifest by its name alone, as a parent or a listing tells it.
pub async fn read(store: &Store, name: &str) -> Result<Manifest, ReaderError> {
    parse(name, &store.get(name, MANIFEST_BYTES_MAX).await?)
}

/// Reads a manifest from the bytes of its object, and checks that its numbers can be reckoned with.
///
/// # Errors
/// When it is of another version, or no manifest.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Manifest, ReaderError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(|cause| ReaderError::malformed(name, cause))?;
    if !(MANIFEST_VERSION_MIN..=MANIFEST_VERSION).contains(&versioned.version) {
        return Err(ReaderError::Version { name: name.to_owned(), found: versioned.version, known: MANIFEST_VERSION });
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|cause| ReaderError::malformed(name, cause))?;
    manifest.check_numbers().map_err(|cause| ReaderError::malformed(name, cause))?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::manifest::{
        ArchiveObject, Checkpoint, Erasure, Level, LogicFrom, Part, PartLedger, Promotion, PromotionKind, Rollup, StreamIdentity,
    };

    fn manifest() -> Manifest {
        Manifest {
            version: 1,
            revision: 2,
            parent: Some("manifests/local-0/000000000001-a.json".to_owned()),
            region: "local".to_owned(),
            partition: 0,
            sealed_seq: 9,
            sealed_stream_ms: 1_700_000_000_123,
            parts: vec![Part {
                name: "parts/local-0/p.duckdb".to_owned(),
                level: Level::Flush,
                min_seq: 1,
                max_seq: 9,
                min_event_ms: -5,
                max_event_ms: 1_700_000_000_000,
                min_site_id: 1,
                max_site_id: 3,
                rows: 20,
                bytes: 4096,
                content_checksum: "20-ff".to_owned(),
                file_checksum: None,
                format: 1,
                ledger: None,
            }],
            state: vec![ObjectRef { name: "state/local-0/9-b.state.zst".to_owned(), checksum: "cd".to_owned() }],
            archived_seq: 0,
            logic: vec![LogicFrom::new(1, "1-0123456789abcdef")],
            stream: StreamIdentity {
                name: "EVENTS_local_0".to_owned(),
                created: "2026-11-21T03:00:00.123456789Z".to_owned(),
                sealed_message_id: "00-4".to_owned(),
            },
            written_ms: 1_700_000_001_000,
            accepted: None,
            checkpoints: Vec::new(),
            promotion: None,
            archive: Vec::new(),
            rollups: Vec::new(),
            erasures: Vec::new(),
            erased: 0,
        }
    }

    const PINNED: &str = concat!(
        r#"{"version":1,"revision":2,"parent":"manifests/local-0/000000000001-a.json","region":"local","partition":0,"#,
        r#""sealed_seq":9,"sealed_stream_ms":1700000000123,"parts":[{"name":"parts/local-0/p.duckdb","level":"flush","#,
        r#""min_seq":1,"max_seq":9,"min_event_ms":-5,"max_event_ms":1700000000000,"min_site_id":1,"max_site_id":3,"#,
        r#""rows":20,"bytes":4096,"content_checksum":"20-ff","format":1}],"#,
        r#""state":[{"name":"state/local-0/9-b.state.zst","checksum":"cd"}],"archived_seq":0,"#,
        r#""logic":[{"from_seq":1,"logic":"1-0123456789abcdef"}],"#,
        r#""stream":{"name":"EVENTS_local_0","created":"2026-11-21T03:00:00.123456789Z","sealed_message_id":"00-4"},"#,
        r#""written_ms":1700000001000}"#
    );

    #[test]
    fn the_format_is_pinned() {
        // The first programs wrote no ledger: theirs stay readable.
        assert_eq!(serde_json::to_string(&manifest()).unwrap(), PINNED, "a change needs a new MANIFEST_VERSION");
        assert_eq!(parse("m", PINNED.as_bytes()).unwrap(), manifest());
        let mut with_ledger = Manifest { accepted: Some(20), ..manifest() };
        with_ledger.parts[0].format = 2;
        with_ledger.parts[0].ledger = Some(PartLedger { accepted: 20, min_hour_ms: 0, max_hour_ms: 7_200_000 });
        let ledger = r#""format":2,"ledger":{"accepted":20,"min_hour_ms":0,"max_hour_ms":7200000}}]"#;
        let pinned = PINNED.replace(r#""format":1}]"#, ledger).replace("1000}", r#"1000,"accepted":20}"#);
        assert_eq!(serde_json::to_string(&with_ledger).unwrap(), pinned);
        assert_eq!(parse("m", pinned.as_bytes()).unwrap(), with_ledger);
    }

    #[test]
    fn the_format_of_what_replays_add_is_pinned() {
        let object = |name: &str| ObjectRef { name: name.to_owned(), checksum: "cd".to_owned() };
        let checkpoint = Checkpoint { seq: 5, stream_ms: 6, message_id: "00-2".to_owned(), state: object("s5") };
        let promotion = Promotion {
            replay_id: "ab".to_owned(),
            kind: PromotionKind::Promote,
            at_ms: 7,
            revision: 2,
            from_seq: 6,
            through_seq: 9,
            former: Some(object("m1")),
            state: Some(object("s9")),
        };
        let mut with_replay = Manifest { checkpoints: vec![checkpoint], promotion: Some(promotion), ..manifest() };
        with_replay.logic[0].pinned = true;
        with_replay.logic[0].state = Some(object("s0"));
        let pinned = PINNED.replace(r#"cdef"}]"#, r#"cdef","pinned":true,"state":{"name":"s0","checksum":"cd"}}]"#).replace(
            "1000}",
            concat!(
                r#"1000,"checkpoints":[{"seq":5,"stream_ms":6,"message_id":"00-2","state":{"name":"s5","checksum":"cd"}}],"#,
                r#""promotion":{"replay_id":"ab","kind":"promote","at_ms":7,"revision":2,"from_seq":6,"through_seq":9,"#,
                r#""former":{"name":"m1","checksum":"cd"},"state":{"name":"s9","checksum":"cd"}}}"#
            ),
        );
        assert_eq!(serde_json::to_string(&with_replay).unwrap(), pinned);
        assert_eq!(parse("m", pinned.as_bytes()).unwrap(), with_replay);
        assert_eq!(with_replay.barrier(), Some(9));
        with_replay.promotion.as_mut().unwrap().former = None;
        assert_eq!(with_replay.barrier(), None, "there is nothing to roll back to");
    }

    #[test]
    fn the_format_of_version_2_is_pinned() {
        let with_files = Manifest {
            version: 2,
            archived_seq: 9,
            archive: vec![ArchiveObject {
                name: "archive/local-0/1-9-c.zst".to_owned(),
                checksum: "ab".to_owned(),
                bytes: 7,
                first_seq: 1,
                last_seq: 9,
                first_stream_ms: 5,
                last_stream_ms: 6,
                events: 20,
            }],
            rollups: vec![Rollup {
                name: "rollups/local-0/r.duckdb".to_owned(),
                checksum: "ef".to_owned(),
                bytes: 8,
                format: 1,
                start_ms: 0,
                end_ms: 86_400_000,
            }],
            erasures: vec![Erasure {
                id: "0a".to_owned(),
                seq: 9,
                idx: 2,
                site_id: 3,
                visitor_id: Some(4),
                before_ms: None,
                requested_ms: 5,
                parts_done: true,
                done_ms: None,
                history_done: false,
                final_ms: None,
            }],
            erased: 1,
            ..manifest()
        };
        let pinned = PINNED.replace(r#""version":1"#, r#""version":2"#).replace(r#""archived_seq":0"#, r#""archived_seq":9"#).replace(
            "1000}",
            concat!(
                r#"1000,"archive":[{"name":"archive/local-0/1-9-c.zst","checksum":"ab","bytes":7,"first_seq":1,"last_seq":9,"#,
                r#""first_stream_ms":5,"last_stream_ms":6,"events":20}],"#,
                r#""rollups":[{"name":"rollups/local-0/r.duckdb","checksum":"ef","bytes":8,"format":1,"start_ms":0,"end_ms":86400000}],"#,
                r#""erasures":[{"id":"0a","seq":9,"idx":2,"site_id":3,"visitor_id":4,"requested_ms":5,"parts_done":true}],"erased":1}"#
            ),
        );
        assert_eq!(serde_json::to_string(&with_files).unwrap(), pinned);
        assert_eq!(parse("m", pinned.as_bytes()).unwrap(), with_files);
    }

    #[tokio::test]
    async fn only_the_committed_manifest_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let object = put(&store, &manifest(), "b").await.unwrap();
        assert_eq!(object.name, "manifests/local-0/000000000002-b.json");
        let head = Head {
            revision: 2,
            sealed_seq: 9,
            manifest: object.name.clone(),
            checksum: object.checksum.clone(),
            commit_id: "b".to_owned(),
        };
        assert_eq!(load(&store, &head).await.unwrap(), manifest());
        let other = Head { checksum: "00".repeat(32), ..head.clone() };
        assert!(matches!(load(&store, &other).await, Err(ReaderError::Checksum { .. })));
        let other = Head { sealed_seq: 8, ..head };
        assert!(matches!(load(&store, &other).await, Err(ReaderError::Malformed { .. })));
    }

    #[test]
    fn numbers_that_overflow_are_refused() {
        let wrong = PINNED.replace(r#""rows":20"#, r#""rows":18446744073709551615"#);
        assert!(matches!(parse("m", wrong.as_bytes()), Err(ReaderError::Malformed { .. })));
    }

    #[test]
    fn a_later_version_is_refused_by_name() {
        let later = PINNED.replace(r#"{"version":1"#, r#"{"version":3"#);
        assert!(matches!(parse("m", later.as_bytes()), Err(ReaderError::Version { found: 3, known: 2, .. })));
    }
}
