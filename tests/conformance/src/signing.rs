//! A key that signs JSON, as a client's cross-signing keys do.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::signatures::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;

/// An ed25519 key.
#[derive(Clone)]
pub struct SigningKey(Rc<Ed25519KeyPair>);

impl SigningKey {
    /// A new key.
    pub fn random() -> Self {
        match Ed25519KeyPair::from_der(&Ed25519KeyPair::generate(), "key".to_owned()) {
            Ok(pair) => Self(Rc::new(pair)),
            Err(error) => panic!("a generated key is no key: {error}"),
        }
    }

    /// Its public part.
    pub fn public(&self) -> String {
        STANDARD_NO_PAD.encode(self.0.public_key())
    }

    /// The signature of an object without signatures, of plain strings: it is canonical as it stands, since its keys
    /// are sorted.
    pub fn sign(&self, object: &Value) -> String {
        self.0.sign(object.to_string().as_bytes()).base64()
    }
}
