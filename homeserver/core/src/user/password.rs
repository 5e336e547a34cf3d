//! Passwords: argon2id, with the least parameters that OWASP recommends, kept as PHC strings.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

use crate::error::{MatrixError, Result};

/// The most bytes that a password may have.
const MAX_PASSWORD_BYTES: usize = 512;
const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// A hash that no password has, under the same parameters: comparing with it takes as long.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).map_err(MatrixError::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password under a random salt; 400 when it is too long.
pub(super) fn hash(password: &str, salt: &[u8; 16]) -> Result<String> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(MatrixError::invalid_param(format_args!(
            "A password may have at most {MAX_PASSWORD_BYTES} bytes."
        )));
    }
    let hash: PasswordHash =
        argon2()?.hash_password_with_salt(password.as_bytes(), salt).map_err(MatrixError::internal)?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. Without a hash it takes the same time and is
/// never right.
pub(super) fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    // Cut, not refused: the answer must not tell lengths apart, and no stored password is longer.
    let bytes = password.as_bytes();
    let (checked, too_long) = match bytes.get(..MAX_PASSWORD_BYTES) {
        Some(cut) => (cut, bytes.len() > MAX_PASSWORD_BYTES),
        None => (bytes, false),
    };
    let parsed = PasswordHash::new(hash.unwrap_or(DUMMY)).map_err(MatrixError::internal)?;
    let matches = argon2()?.verify_password(checked, &parsed).is_ok();
    Ok(matches && hash.is_some() && !too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash("pass wörd", &[7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("pass wörd", Some(&hash)).unwrap());
        assert!(!verify("pass word", Some(&hash)).unwrap());
    }

    #[test]
    fn without_a_hash_nothing_matches() {
        assert!(!verify("", None).unwrap());
    }

    #[test]
    fn an_overlong_password_is_refused_and_never_matches() {
        let password = "x".repeat(MAX_PASSWORD_BYTES);
        let hash = hash(&password, &[1; 16]).unwrap();
        assert!(verify(&password, Some(&hash)).unwrap());
        assert!(!verify(&format!("{password}x"), Some(&hash)).unwrap());
        assert_eq!(super::hash(&format!("{password}x"), &[1; 16]).unwrap_err().status, 400);
    }
}
