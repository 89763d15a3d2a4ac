//! What an API key permits at the edge: server-side senders show one, and are believed in what they say of their clients.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use weir_event::key::{KeyRecord, Scope};
use worker::Env;

use crate::platform::now_ms;
use crate::timeout::with_timeout;

/// How long an isolate uses what it was told, milliseconds: a revoked key is of no use after this.
const FRESH_MS: u64 = 5_000;
/// Most keys that an isolate remembers, good or not.
const KNOWN_MAX: usize = 1_000;
/// Longest key, bytes.
const KEY_BYTES_MAX: usize = 256;
/// How long the directory may take to answer, milliseconds.
const TIMEOUT_MS: u64 = 5_000;

/// What a key permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may send for these sites.
    Sites(Rc<[u32]>),
    /// It is none, or may not send.
    Refused,
    /// It cannot be told now.
    Unknown,
}

thread_local! {
    static KNOWN: RefCell<HashMap<String, (u64, Verdict)>> = RefCell::default();
}

/// What the key permits.
pub(crate) async fn judge(env: &Env, key: &str) -> Verdict {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Verdict::Refused;
    }
    let hash = hash(key);
    let now = now_ms();
    let known = KNOWN.with_borrow(|known| known.get(&hash).cloned());
    if let Some((asked_ms, verdict)) = known
        && now.saturating_sub(asked_ms) < FRESH_MS
    {
        return verdict;
    }
    let asking = async {
        let mut response = super::get(env, &format!("/key?hash={hash}")).await?;
        match response.status_code() {
            200 => Ok(read(&response.bytes().await?)),
            404 => Ok(Verdict::Refused),
            _ => Ok(Verdict::Unknown),
        }
    };
    let answer: Option<worker::Result<Verdict>> = with_timeout(TIMEOUT_MS, asking).await;
    let verdict = answer.and_then(Result::ok).unwrap_or(Verdict::Unknown);
    if verdict != Verdict::Unknown {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(hash, (now, verdict.clone()));
        });
    }
    verdict
}

/// Sites must be named: what belongs to an account is not known here.
fn read(record: &[u8]) -> Verdict {
    let Ok(record) = serde_json::from_slice::<KeyRecord>(record) else { return Verdict::Refused };
    let sites = record.site_ids();
    if record.scopes().contains(&Scope::EventsWrite) && !sites.is_empty() {
        Verdict::Sites(sites.into())
    } else {
        Verdict::Refused
    }
}

/// SHA-256 in hex: the name under which the key's record is stored.
fn hash(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a text can be a hash: nothing else goes into a subject.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let check = |site_id: u32, scope: &str, expected: Verdict| {
            let record = format!(r#"{{"id":"k","site_id":{site_id},"domain":"a","scope":"{scope}","created_ms":1}}"#);
            assert_eq!(read(record.as_bytes()), expected, "{scope}");
        };
        check(7, "events:write", Verdict::Sites([7].into()));
        check(7, "stats:read", Verdict::Refused);
        check(0, "admin", Verdict::Refused);
        check(0, "events:write", Verdict::Refused);
        assert_eq!(read(b"{"), Verdict::Refused);
        let several = br#"{"id":"k","scopes":["stats:read","events:write"],"sites":[3,5],"created_ms":1}"#;
        assert_eq!(read(several), Verdict::Sites([3, 5].into()));
        let of_account = br#"{"id":"k","scopes":["events:write"],"account":"acc","created_ms":1}"#;
        assert_eq!(read(of_account), Verdict::Refused);
    }

    #[test]
    fn hashes() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(is_hash(&hash("abc")) && !is_hash("abc") && !is_hash(&"*".repeat(64)));
    }
}
