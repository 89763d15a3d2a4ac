//! Salts at rest in the directory's own storage: encrypted, so that only an edge with the operator's token can read them.
//!
//! The copy lets a worker that is started while NATS is away go on. It is as old as the salt in the bucket, and goes when that goes.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sha2::{Digest, Sha256};

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 12;

/// The salt of a day (its text), sealed: nonce, then ciphertext.
pub(crate) fn seal(token: &str, day: &str, salt: &str, nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
    let payload = Payload { msg: salt.as_bytes(), aad: day.as_bytes() };
    let sealed = cipher(token).encrypt(Nonce::from_slice(&nonce), payload).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// The salt that was sealed for this day with this token; `None` when it was not.
pub(crate) fn open(token: &str, day: &str, sealed: &[u8]) -> Option<String> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES)?;
    let payload = Payload { msg: ciphertext, aad: day.as_bytes() };
    String::from_utf8(cipher(token).decrypt(Nonce::from_slice(nonce), payload).ok()?).ok()
}

fn cipher(token: &str) -> ChaCha20Poly1305 {
    let key = Sha256::digest(format!("weir salts at rest {token}"));
    ChaCha20Poly1305::new(Key::from_slice(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_and_the_day_open_it() {
        let sealed = seal("token", "2026-11-21", "07ab", [9; NONCE_BYTES]).unwrap();
        assert_eq!(open("token", "2026-11-21", &sealed).as_deref(), Some("07ab"));
        assert!(!sealed.windows(4).any(|window| window == b"07ab"));
        assert_eq!(open("other", "2026-11-21", &sealed), None);
        assert_eq!(open("token", "2026-11-22", &sealed), None);
        assert_eq!(open("token", "2026-11-21", &sealed[..20]), None);
        assert_eq!(open("token", "2026-11-21", &[]), None);
    }
}
