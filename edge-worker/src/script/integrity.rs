//! Names a content by its digest.

use sha2::{Digest as _, Sha384};

/// Alphabet of base64.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bytes of the digest in an address.
const HASH_BYTES: usize = 16;

/// The digest of a content.
pub(super) struct Integrity {
    value: String,
    hash: String,
}

impl Integrity {
    /// Computes it.
    pub(super) fn of(content: &str) -> Self {
        let digest = Sha384::digest(content);
        let digits = digest.iter().take(HASH_BYTES).flat_map(|byte| [byte >> 4, byte & 15]);
        let hash = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect();
        Self { value: format!("sha384-{}", base64(&digest)), hash }
    }

    /// For `integrity="…"`.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// For addresses: 32 hexadecimal digits.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// For `ETag`; weak, because the content may travel compressed.
    pub(super) fn entity_tag(&self) -> String {
        format!("W/\"{}\"", self.hash)
    }
}

/// Base64 of bytes in threes, as those of a digest of 48 are.
fn base64(bytes: &[u8]) -> String {
    let digits = bytes.as_chunks::<3>().0.iter().flat_map(|[high, middle, low]| {
        let bits = u32::from(*high) << 16 | u32::from(*middle) << 8 | u32::from(*low);
        [18, 12, 6, 0].map(|shift| ((bits >> shift) & 63) as usize)
    });
    digits.filter_map(|digit| BASE64.get(digit)).map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        // printf abc | openssl dgst -sha384 -binary | base64
        let integrity = Integrity::of("abc");
        assert_eq!(integrity.value(), "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn");
        assert_eq!(integrity.hash(), "cb00753f45a35e8bb5a03d699ac65007");
    }
}
