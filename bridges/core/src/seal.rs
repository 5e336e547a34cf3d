//! How a login's secrets are kept: encrypted with a key of their own, bound to the login.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use serde::{Deserialize, Serialize};

use crate::contract::Secret;

const NONCE_BYTES: usize = 24;

/// What a connected login knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoginSecrets {
    /// The key with which the network signs its requests to us.
    pub signing_secret: Secret,
    /// The person's token; `None` once it stopped working.
    pub token: Option<Secret>,
}

fn cipher(context: &Context) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&context.config.secrets.derive_key("bridge-login").into())
}

/// Encrypts a login's secrets.
pub(crate) fn seal(context: &Context, login_id: &str, secrets: &LoginSecrets) -> Result<String> {
    let nonce = context.random_bytes::<NONCE_BYTES>();
    let plain = serde_json::to_vec(secrets)?;
    let payload = Payload { msg: &plain, aad: login_id.as_bytes() };
    let sealed = cipher(context)
        .encrypt(&nonce.into(), payload)
        .map_err(|_| MatrixError::internal("a login's secrets could not be encrypted"))?;
    Ok(STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// Decrypts what [`seal`] made for the same login.
pub(crate) fn unseal(context: &Context, login_id: &str, sealed: &str) -> Result<LoginSecrets> {
    let broken = || MatrixError::internal("a login's secrets cannot be decrypted");
    let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| broken())?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
    let payload = Payload { msg: sealed, aad: login_id.as_bytes() };
    let plain = cipher(context).decrypt(&(*nonce).into(), payload).map_err(|_| broken())?;
    Ok(serde_json::from_slice(&plain)?)
}
