//! Keys as a client has them: it makes them, and signs with them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
    signatures::{Ed25519KeyPair, sign_json},
};
use serde_json::{Value as Json, json};

/// An ed25519 key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    /// The name in its id (`ed25519:name`).
    pub name: String,
}

impl SigningKey {
    /// A new key; without a name it has its public part's.
    pub fn new(name: Option<&str>) -> Self {
        let document = Ed25519KeyPair::generate();
        let pair = |name: String| Ed25519KeyPair::from_der(&document, name).expect("a key pair");
        let public = STANDARD_NO_PAD.encode(pair(String::from("x")).public_key());
        let name = name.map_or(public, str::to_owned);
        Self { pair: pair("x".to_owned()), name }
    }

    /// Its public part.
    pub fn public(&self) -> String {
        STANDARD_NO_PAD.encode(self.pair.public_key())
    }

    /// Its id.
    pub fn id(&self) -> String {
        format!("ed25519:{}", self.name)
    }

    /// Signs an object for a user, beside the signatures that are there.
    pub fn sign(&self, user_id: &str, object: &mut Json) {
        let CanonicalJsonValue::Object(mut signed) =
            CanonicalJsonValue::try_from(object.clone()).expect("canonical JSON")
        else {
            panic!("only objects are signed");
        };
        signed.remove("signatures");
        signed.remove("unsigned");
        let mut bare: CanonicalJsonObject = signed;
        sign_json("signer", &self.pair, &mut bare).expect("it can be signed");
        let signature = json!(bare)["signatures"]["signer"]["ed25519:x"].clone();
        object["signatures"][user_id][self.id()] = signature;
    }
}

/// A user's cross-signing keys.
pub struct Identity {
    /// Vouches for the other two.
    pub master: SigningKey,
    /// Vouches for devices.
    pub self_signing: SigningKey,
    /// Vouches for users.
    pub user_signing: SigningKey,
    /// Whose they are.
    pub user_id: String,
}

impl Identity {
    /// New keys of a user.
    pub fn new(user_id: &str) -> Self {
        let key = || SigningKey::new(None);
        Self { master: key(), self_signing: key(), user_signing: key(), user_id: user_id.to_owned() }
    }

    /// The master key.
    pub fn master_key(&self) -> Json {
        self.key("master", &self.master)
    }

    /// The self-signing key, signed.
    pub fn self_signing_key(&self) -> Json {
        self.signed("self_signing", &self.self_signing)
    }

    /// The user-signing key, signed.
    pub fn user_signing_key(&self) -> Json {
        self.signed("user_signing", &self.user_signing)
    }

    /// The body that uploads all three.
    pub fn body(&self) -> Json {
        json!({
            "master_key": self.master_key(),
            "self_signing_key": self.self_signing_key(),
            "user_signing_key": self.user_signing_key(),
        })
    }

    fn key(&self, usage: &str, key: &SigningKey) -> Json {
        json!({"user_id": self.user_id, "usage": [usage], "keys": {key.id(): key.public()}})
    }

    fn signed(&self, usage: &str, key: &SigningKey) -> Json {
        let mut object = self.key(usage, key);
        self.master.sign(&self.user_id, &mut object);
        object
    }
}

/// The identity keys of a device, signed by itself.
pub fn device_keys(user_id: &str, device_id: &str, key: &SigningKey) -> Json {
    let mut keys = json!({
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {
            format!("curve25519:{device_id}"): "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
            key.id(): key.public(),
        },
    });
    key.sign(user_id, &mut keys);
    keys
}
