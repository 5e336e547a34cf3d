//! How tokens are kept: an `as_token` as a keyed hash, an `hs_token` encrypted.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hubbub_core::{
    context::Random,
    secrets::{Secrets, equal},
};

/// Compares a token with its stored hash. Holds the key of the hash, not the token.
#[derive(Clone)]
pub(crate) struct TokenHash([u8; 32]);

/// The key of all hashes of `as_token`s.
#[derive(Clone)]
pub(crate) struct TokenHasher([u8; 32]);

impl TokenHasher {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self(secrets.derive_key("as-token-hash"))
    }

    pub(crate) fn hash(&self, token: &str) -> TokenHash {
        TokenHash(hubbub_core::secrets::hmac_sha256(&self.0, token.as_bytes()))
    }
}

impl TokenHash {
    /// Reads a hash as D1 holds it.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = hex.get(2 * index..2 * index + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The hash as D1 holds it.
    pub(crate) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether both are hashes of the same token; in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

/// What went wrong with a stored `hs_token`; says nothing of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It could not be encrypted.
    #[error("a token could not be encrypted")]
    Encrypt,
    /// It was encrypted with another key, for another appservice, or is damaged.
    #[error("a stored hs_token cannot be decrypted: has the master key changed?")]
    Decrypt,
}

const NONCE_BYTES: usize = 24;

fn cipher(secrets: &Secrets) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&secrets.derive_key("appservice-token").into())
}

/// Encrypts the `hs_token` of an appservice: base64 of a random nonce and the ciphertext, which is
/// bound to the id.
pub(crate) fn encrypt(secrets: &Secrets, random: &dyn Random, id: &str, token: &str) -> Result<String, TokenError> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce);
    let payload = Payload { msg: token.as_bytes(), aad: id.as_bytes() };
    let ciphertext = cipher(secrets).encrypt(&nonce.into(), payload).map_err(|_| TokenError::Encrypt)?;
    Ok(STANDARD_NO_PAD.encode([nonce.as_slice(), &ciphertext].concat()))
}

/// Decrypts what [`encrypt`] made for the same appservice.
pub(crate) fn decrypt(secrets: &Secrets, id: &str, stored: &str) -> Result<String, TokenError> {
    let bytes = STANDARD_NO_PAD.decode(stored).map_err(|_| TokenError::Decrypt)?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(TokenError::Decrypt)?;
    let payload = Payload { msg: ciphertext, aad: id.as_bytes() };
    let token = cipher(secrets).decrypt(&(*nonce).into(), payload).map_err(|_| TokenError::Decrypt)?;
    String::from_utf8(token).map_err(|_| TokenError::Decrypt)
}
