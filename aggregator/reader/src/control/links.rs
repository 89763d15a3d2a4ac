//! Passwords of shared links: salted and stretched, so that the stored form tells nothing.

use crate::error::ReaderError;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

/// Longest password, bytes: hashing must not be made costly by its input.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Memory of one hashing, KiB; with two passes this is what OWASP names as the least for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A password as it is stored, in PHC form. Takes tens of milliseconds of one core.
pub fn hash(password: &str) -> Result<String, ReaderError> {
    let failed = |cause: String| ReaderError::Request { operation: "hashing a password", cause: cause.into() };
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|cause| failed(cause.to_string()))?;
    let salt = SaltString::encode_b64(&bytes).map_err(|cause| failed(cause.to_string()))?;
    let hash = hasher().hash_password(password.as_bytes(), &salt).map_err(|cause| failed(cause.to_string()))?;
    Ok(hash.to_string())
}

/// Whether it is the password of a stored form. Takes as long as [`hash`]: a form that asks for more than ours is not ours.
pub fn verify(password: &str, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    let is_ours = |params: Params| params.m_cost() <= MEMORY_KIB && params.t_cost() <= PASSES && params.p_cost() == 1;
    Params::try_from(&stored).is_ok_and(is_ours) && hasher().verify_password(password.as_bytes(), &stored).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_stored_form_alone() {
        let (one, other) = (hash("open sesame").unwrap(), hash("open sesame").unwrap());
        assert_ne!(one, other, "each has its salt");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !one.contains("sesame"));
        assert!(verify("open sesame", &one) && verify("open sesame", &other));
        assert!(!verify("Open sesame", &one) && !verify("", &one) && !verify("open sesame", "open sesame"));
        // A stored form says how much memory it takes: this one four terabytes.
        assert!(
            !verify("open sesame", &one.replace("m=19456", "m=4294967295"))
                && !verify("open sesame", &one.replace("t=2", "t=9999999"))
        );
    }
}
