//! Random letters and digits: keys, passwords, ids, slugs.

use crate::error::ReaderError;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random characters of a key or password: 43 × log2(62) > 255 bits.
pub const SECRET_CHARS: usize = 43;
/// Random characters of what must not be guessed but may be seen in an address: 22 × log2(62) > 130 bits.
pub const SLUG_CHARS: usize = 22;

/// That many random letters and digits.
pub fn text(characters: usize) -> Result<String, ReaderError> {
    let mut text = String::with_capacity(characters);
    let mut bytes = [0_u8; 64];
    while text.len() < characters {
        getrandom::fill(&mut bytes).map_err(|cause| ReaderError::Request {
            operation: "taking random bytes from the system",
            cause: cause.to_string().into(),
        })?;
        text.extend(bytes.iter().filter_map(|byte| base62(*byte)).take(characters - text.len()));
    }
    Ok(text)
}

/// That many random bytes.
pub(crate) fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], ReaderError> {
    let mut bytes = [0_u8; COUNT];
    getrandom::fill(&mut bytes).map_err(|cause| ReaderError::Request {
        operation: "taking random bytes from the system",
        cause: cause.to_string().into(),
    })?;
    Ok(bytes)
}

/// The letter or digit of a random byte; `None` for the bytes that would make some likelier than others.
fn base62(byte: u8) -> Option<char> {
    (byte < 248).then(|| ALPHABET.get(usize::from(byte % 62)).map(|letter| char::from(*letter))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_letter_and_digit_is_equally_likely() {
        let mut counts = BTreeMap::new();
        for letter in (0..=255).filter_map(base62) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn texts_have_their_length_and_differ() {
        let texts: BTreeSet<String> = (0..100).map(|_| text(SECRET_CHARS).unwrap()).collect();
        assert_eq!(texts.len(), 100);
        assert!(texts.iter().all(|text| text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert_eq!((text(100).unwrap().len(), text(0).unwrap().len()), (100, 0));
    }
}
