//! The server's keys: the event signing key, and what is derived from the master key.

use hmac::{Hmac, KeyInit, Mac};
use ruma::signatures::Ed25519KeyPair;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What stands before the 32-byte seed in a PKCS#8 document of an Ed25519 key (RFC 8410 §7).
const ED25519_PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The keys. Never logged; `Debug` shows nothing of them.
pub struct Secrets {
    /// Signs events and requests as this server.
    pub signing_key: Ed25519KeyPair,
    master_key: [u8; 32],
    admin_token: String,
}

/// A key that could not be read; says which, never its value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretsError(String);

impl Secrets {
    /// Reads the keys from their textual form: the signing key in Synapse's key-file format
    /// (`ed25519 <version> <unpadded base64 seed>`), the master key as base64 of 32 bytes.
    pub fn parse(signing_key: &str, master_key: &str, admin_token: &str) -> Result<Self, SecretsError> {
        use base64::{Engine as _, alphabet, engine};
        let lenient = engine::GeneralPurpose::new(
            &alphabet::STANDARD,
            engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
                // The spec's own test key has trailing bits.
                .with_decode_allow_trailing_bits(true),
        );
        let mut parts = signing_key.split_whitespace();
        let (Some("ed25519"), Some(version), Some(seed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SecretsError("SIGNING_KEY must read `ed25519 <version> <seed>`".to_owned()));
        };
        let seed =
            lenient.decode(seed).map_err(|_| SecretsError("the seed in SIGNING_KEY is not base64".to_owned()))?;
        let signing_key =
            Ed25519KeyPair::from_der(&[ED25519_PKCS8_PREFIX.as_slice(), &seed].concat(), version.to_owned())
                .map_err(|_| SecretsError("the seed in SIGNING_KEY must be 32 bytes".to_owned()))?;
        let master_key = lenient
            .decode(master_key.trim())
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| SecretsError("MASTER_KEY must be base64 of 32 bytes".to_owned()))?;
        if admin_token.len() < 16 {
            return Err(SecretsError("ADMIN_TOKEN must have at least 16 characters".to_owned()));
        }
        Ok(Self { signing_key, master_key, admin_token: admin_token.to_owned() })
    }

    /// HMAC-SHA256 of `message` under a key of its own for `purpose`.
    pub fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let key = hmac_sha256(&self.master_key, purpose.as_bytes());
        hmac_sha256(&key, message)
    }

    /// A 32-byte encryption key of its own for `purpose`.
    pub fn derive_key(&self, purpose: &str) -> [u8; 32] {
        hmac_sha256(&self.master_key, purpose.as_bytes())
    }

    /// Whether this is the operator's token; compared in constant time.
    pub fn is_admin_token(&self, token: &str) -> bool {
        equal(
            &hmac_sha256(&self.master_key, token.as_bytes()),
            &hmac_sha256(&self.master_key, self.admin_token.as_bytes()),
        )
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets")
    }
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so the fallback is never taken.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        Err(_) => [0; 32],
    }
}

/// Whether two byte strings are equal, in time that depends on their length only.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
