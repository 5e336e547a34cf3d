//! Signatures of keys
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keyssignaturesupload)):
//! each is verified, and kept beside what it signs.
//!
//! A user vouches for own devices (with the self-signing key), for the own master key (with a
//! device's key), and for others' master keys (with the user-signing key). The last are kept in the
//! other's object, so that they go when that master key does, and shown to their maker only.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use hubbub_storage::keys::{
    cross_signing::{self, Signature},
    devices,
};
use ruma::{
    OwnedUserId, SigningKeyAlgorithm, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
    serde::{Base64, base64::Standard},
    signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};
use serde_json::{Map, Value as Json};

use super::{
    UserKeysObject,
    cross_signing::{MASTER, SELF_SIGNING, USER_SIGNING, public_key},
};
use crate::{
    contract::{
        Address, call,
        keys::{KeysCommand, SignatureFailure, SignatureFailures, SignedObjects},
    },
    error::{MatrixError, Result},
};

/// How many other users' objects are asked at once.
const USERS_AT_ONCE: usize = 8;
/// The most users in one upload.
const MAX_USERS: usize = 200;

/// A signed object.
type Object = Map<String, Json>;

/// Failures by device id or public key.
type Failures = BTreeMap<String, SignatureFailure>;

impl UserKeysObject {
    /// Takes signatures that the user made. What is refused is told by target; the rest is taken.
    pub(super) async fn sign(&self, mut objects: SignedObjects) -> Result<SignatureFailures> {
        if objects.len() > MAX_USERS {
            return Err(MatrixError::too_large(format_args!(
                "Signatures of at most {MAX_USERS} users' keys can be uploaded at once."
            )));
        }
        let mut failures = SignatureFailures::new();
        if let Some(own) = objects.remove(&self.user_id) {
            failures.insert(self.user_id.clone(), self.sign_own(&own)?);
        }
        let user_signing_key = self.stored_cross_signing()?.get(USER_SIGNING).and_then(public_key);
        let asked = stream::iter(objects).map(|(user_id, objects)| {
            let key = user_signing_key.clone().map(|(_, key)| key);
            async move { Ok((user_id.clone(), self.sign_other(&user_id, key, objects).await?)) }
        });
        let results: Vec<Result<_>> = asked.buffer_unordered(USERS_AT_ONCE).collect().await;
        for result in results {
            let (user_id, failed) = result?;
            failures.insert(user_id, failed);
        }
        failures.retain(|_, failed| !failed.is_empty());
        Ok(failures)
    }

    fn sign_own(&self, objects: &BTreeMap<String, Json>) -> Result<Failures> {
        let mut failures = Failures::new();
        let mut taken = Vec::new();
        let cross_signing = self.stored_cross_signing()?;
        for (target, object) in objects {
            match self.own_signatures(&cross_signing, target, object)? {
                Ok(signatures) => taken.extend(signatures),
                Err(failure) => {
                    failures.insert(target.clone(), failure);
                }
            }
        }
        self.keep(&taken)?;
        Ok(failures)
    }

    /// The valid signatures of an own device or of the own master key.
    fn own_signatures(
        &self,
        cross_signing: &BTreeMap<String, Object>,
        target: &str,
        object: &Json,
    ) -> Result<Result<Vec<Signature>, SignatureFailure>> {
        let owner = self.user_id.as_str();
        let Json::Object(object) = object else {
            return Ok(Err(not_an_object()));
        };
        let device = if self.exists() { devices::get(self.query(), target)? } else { None };
        if let Some(device) = device {
            let stored: Object = serde_json::from_str(&device.keys)?;
            let Some((key_id, key)) = cross_signing.get(SELF_SIGNING).and_then(public_key) else {
                return Ok(Err(no_key("self-signing")));
            };
            return Ok(check(&stored, object, owner, &key_id, &key)
                .map(|signature| vec![signature_of(target, owner, &key_id, signature)]));
        }
        let master = cross_signing.get(MASTER).filter(|key| public_key(key).is_some_and(|(_, key)| key == target));
        let Some(master) = master else {
            return Ok(Err(unknown_target()));
        };
        self.device_signatures(master, target, object)
    }

    /// The signatures that own devices made of the master key: all must be valid.
    fn device_signatures(
        &self,
        master: &Object,
        target: &str,
        object: &Object,
    ) -> Result<Result<Vec<Signature>, SignatureFailure>> {
        let owner = self.user_id.as_str();
        let own_key_id = public_key(master).map(|(key_id, _)| key_id);
        let signatures = object.get("signatures").and_then(|all| all.get(owner)).and_then(Json::as_object);
        let mut taken = Vec::new();
        for key_id in signatures.into_iter().flatten().map(|(key_id, _)| key_id) {
            // The object may come with what the master key says of itself.
            if own_key_id.as_ref() == Some(key_id) {
                continue;
            }
            let Some(key) = self.device_key(key_id)? else {
                return Ok(Err(invalid("The master key is signed with a key that is none of your devices'.")));
            };
            match check(master, object, owner, key_id, &key) {
                Ok(signature) => taken.push(signature_of(target, owner, key_id, signature)),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(if taken.is_empty() { Err(invalid("The key is not signed by any of your devices.")) } else { Ok(taken) })
    }

    /// The public key of this id (`ed25519:DEVICE`) of the device that it names.
    fn device_key(&self, key_id: &str) -> Result<Option<String>> {
        let Some(device_id) = key_id.strip_prefix("ed25519:") else {
            return Ok(None);
        };
        let Some(device) = devices::get(self.query(), device_id)? else {
            return Ok(None);
        };
        let object: Object = serde_json::from_str(&device.keys)?;
        let key = object.get("keys").and_then(|keys| keys.get(key_id)).and_then(Json::as_str);
        Ok(key.map(str::to_owned))
    }

    /// Has another user's object take signatures of its master key.
    async fn sign_other(
        &self,
        user_id: &OwnedUserId,
        user_signing_key: Option<String>,
        objects: BTreeMap<String, Json>,
    ) -> Result<Failures> {
        let all = |failure: SignatureFailure| objects.keys().map(|target| (target.clone(), failure.clone())).collect();
        let Some(user_signing_key) = user_signing_key else {
            return Ok(all(no_key("user-signing")));
        };
        if user_id.server_name() != self.context.config.server_name {
            return Ok(all(unknown_target()));
        }
        let command = KeysCommand::SignedBy { signer: self.user_id.clone(), user_signing_key, objects };
        call(self.context.objects.as_ref(), Address::user_keys(user_id), &command).await
    }

    /// Takes another user's signatures of the own master key.
    pub(super) fn signed_by(
        &self,
        signer: &UserId,
        user_signing_key: &str,
        objects: &BTreeMap<String, Json>,
    ) -> Result<Failures> {
        let key_id = format!("ed25519:{user_signing_key}");
        let master = self.stored_cross_signing()?.remove(MASTER);
        let public = master.as_ref().and_then(public_key).map(|(_, key)| key);
        let (mut failures, mut taken) = (Failures::new(), Vec::new());
        for (target, object) in objects {
            let checked = match (&master, object) {
                (Some(master), Json::Object(object)) if public.as_ref() == Some(target) => {
                    check(master, object, signer.as_str(), &key_id, user_signing_key)
                }
                (_, Json::Object(_)) => Err(unknown_target()),
                _ => Err(not_an_object()),
            };
            match checked {
                Ok(signature) => taken.push(signature_of(target, signer.as_str(), &key_id, signature)),
                Err(failure) => {
                    failures.insert(target.clone(), failure);
                }
            }
        }
        self.keep(&taken)?;
        Ok(failures)
    }

    /// Keeps signatures; repeating it changes nothing.
    fn keep(&self, signatures: &[Signature]) -> Result<()> {
        if signatures.is_empty() {
            return Ok(());
        }
        self.change(|transaction, change| {
            for signature in signatures {
                if !cross_signing::sign(transaction, signature)? {
                    continue;
                }
                if devices::get(transaction.as_query(), &signature.target)?.is_some() {
                    change.device(&signature.target);
                } else {
                    change.cross_signing();
                }
            }
            Ok(())
        })
    }
}

fn signature_of(target: &str, signer: &str, key_id: &str, signature: String) -> Signature {
    Signature { target: target.to_owned(), signer: signer.to_owned(), key_id: key_id.to_owned(), signature }
}

/// The valid signature of an object that says the same as the stored one.
fn check(stored: &Object, object: &Object, signer: &str, key_id: &str, key: &str) -> Result<String, SignatureFailure> {
    if !is_same_content(stored, object) {
        return Err(failure("M_INVALID_PARAM", "The signed object is not the one that was uploaded."));
    }
    verify(object, signer, key_id, key)
}

/// Whether two signed objects say the same, whoever signed them.
pub(super) fn is_same_content(left: &Object, right: &Object) -> bool {
    match (signed_text(left), signed_text(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// The signature that a key made of an object, if it is valid.
pub(super) fn verify(
    object: &Object,
    signer: &str,
    key_id: &str,
    public_key: &str,
) -> Result<String, SignatureFailure> {
    let signatures = object.get("signatures").and_then(|all| all.get(signer));
    let signature = signatures.and_then(|of_signer| of_signer.get(key_id)).and_then(Json::as_str);
    let signature = signature.ok_or_else(|| invalid("The object lacks the signature of the key that it needs."))?;
    let text = signed_text(object).ok_or_else(|| invalid("The object is not canonical JSON."))?;
    let (Ok(key), Ok(bytes)) = (Base64::<Standard>::parse(public_key), Base64::<Standard>::parse(signature)) else {
        return Err(invalid("The key or the signature is not base64."));
    };
    verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, key.as_bytes(), bytes.as_bytes(), text.as_bytes())
        .map_err(|_| invalid("The signature is not valid."))?;
    Ok(signature.to_owned())
}

/// What is signed of an object; `None` when it is not canonical JSON.
fn signed_text(object: &Object) -> Option<String> {
    let object: CanonicalJsonObject = match CanonicalJsonValue::try_from(Json::Object(object.clone())).ok()? {
        CanonicalJsonValue::Object(object) => object,
        _ => return None,
    };
    to_canonical_json_string_for_signing(&object).ok()
}

fn failure(errcode: &str, error: &str) -> SignatureFailure {
    SignatureFailure { errcode: errcode.to_owned(), error: error.to_owned() }
}

fn invalid(error: &str) -> SignatureFailure {
    failure("M_INVALID_SIGNATURE", error)
}

fn no_key(which: &str) -> SignatureFailure {
    failure("M_NOT_FOUND", &format!("You have no {which} key."))
}

fn unknown_target() -> SignatureFailure {
    failure("M_NOT_FOUND", "There is no such device or master key.")
}

fn not_an_object() -> SignatureFailure {
    failure("M_BAD_JSON", "A signed key is an object.")
}
