//! What a session cookie holds: who signed in and until when, signed. Nothing is stored of a session; what it permits is looked up at each request,
//! so that it ends with its key or link.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The holder of the key with this SHA-256, in hex.
    Key(String),
    /// Somebody with a shared link.
    Link {
        /// Number of the site.
        site_id: u32,
        /// Number of the link inside the site.
        link_id: u64,
        /// What the link was: another slug or password ends its sessions.
        mark: String,
    },
}

/// Version of the token's form.
const VERSION: &str = "1";

/// The token of a session that ends at `expires_s` (Unix seconds).
pub fn seal(secret: &str, subject: &Subject, expires_s: u64) -> String {
    let content = match subject {
        Subject::Key(hash) => format!("{VERSION}.k.{hash}.{expires_s}"),
        Subject::Link { site_id, link_id, mark } => format!("{VERSION}.l.{site_id}-{link_id}-{mark}.{expires_s}"),
    };
    let signature = mac(secret, &content).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default();
    format!("{content}.{signature}")
}

/// Who signed in, if the token is ours and not over.
pub fn open(secret: &str, token: &str, now_s: u64) -> Option<Subject> {
    let (content, signature) = token.rsplit_once('.')?;
    mac(secret, content)?.verify_slice(&bytes(signature)?).ok()?;
    let mut words = content.split('.');
    let (version, kind, subject, expires_s) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if version != VERSION || words.next().is_some() || expires_s.parse::<u64>().ok()? <= now_s {
        return None;
    }
    match kind {
        "k" => Some(Subject::Key(subject.to_owned())),
        "l" => {
            let mut parts = subject.splitn(3, '-');
            let (site_id, link_id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Subject::Link { site_id, link_id, mark: parts.next()?.to_owned() })
        }
        _ => None,
    }
}

fn mac(secret: &str, content: &str) -> Option<Hmac<Sha256>> {
    // Keys of any length are taken.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(content.as_bytes());
    Some(mac)
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_end_and_only_as_it_was_made() {
        for subject in [Subject::Key("ab12".into()), Subject::Link { site_id: 7, link_id: 3, mark: "00ff-x".into() }] {
            let token = seal("secret", &subject, 1_000);
            assert_eq!(open("secret", &token, 999), Some(subject.clone()));
            assert_eq!(open("secret", &token, 1_000), None, "over");
            assert_eq!(open("Secret", &token, 0), None, "of another system");
            for (index, letter) in token.char_indices() {
                let mut changed = token.clone();
                changed.replace_range(index..=index, if letter == '1' { "2" } else { "1" });
                assert_eq!(open("secret", &changed, 0), None, "{changed}");
            }
            for length in 0..token.len() {
                assert_eq!(open("secret", token.get(..length).unwrap(), 0), None);
            }
        }
        assert_eq!(open("secret", "1.k.ab.99999999999.", 0), None, "without a signature");
    }
}
