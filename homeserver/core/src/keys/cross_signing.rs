//! Cross-signing keys
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysdevice_signingupload)).
//!
//! The master key vouches for the other two, which is verified. Whoever replaces one takes the
//! user's identity over, so that needs the password: decided here, asked for by the user's object.
//! The first keys need none
//! ([MSC3967](https://github.com/matrix-org/matrix-spec-proposals/pull/3967)).

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Transaction,
    keys::{
        cross_signing::{self, forget_signatures_by, forget_signatures_of},
        devices,
    },
};
use ruma::serde::{Base64, base64::Standard};
use serde_json::{Map, Value as Json};

use super::{UserKeysObject, signatures, upload::keep_own_signatures};
use crate::{
    contract::keys::{CrossSigningKeys, CrossSigningOutcome},
    error::{MatrixError, Result},
};

/// The usage of the key that vouches for the others.
pub(super) const MASTER: &str = "master";
/// The usage of the key that vouches for the user's own devices.
pub(super) const SELF_SIGNING: &str = "self_signing";
/// The usage of the key that vouches for other users.
pub(super) const USER_SIGNING: &str = "user_signing";
/// All usages.
pub(super) const USAGES: [&str; 3] = [MASTER, SELF_SIGNING, USER_SIGNING];

/// The most bytes of a cross-signing key.
const MAX_KEY_BYTES: usize = 32 * 1024;

/// A cross-signing key's form.
type Object = Map<String, Json>;

impl UserKeysObject {
    /// Stores cross-signing keys, unless they would replace others without the user's leave.
    pub(super) fn set_cross_signing(&self, keys: &CrossSigningKeys, authorised: bool) -> Result<CrossSigningOutcome> {
        let mut uploaded = BTreeMap::new();
        for (usage, key) in &keys.keys {
            uploaded.insert(usage.as_str(), self.check_cross_signing_key(usage, key)?);
        }
        let stored = self.stored_cross_signing()?;
        let is_stored = |usage: &str, key: &Object| {
            stored.get(usage).is_some_and(|stored| signatures::is_same_content(stored, key))
        };
        // A new master key vouches for others anew, also for those that stay the same.
        if uploaded.get(MASTER).is_none_or(|master| is_stored(MASTER, master)) {
            uploaded.retain(|usage, key| !is_stored(usage, key));
        }
        if uploaded.is_empty() {
            return Ok(CrossSigningOutcome::Stored);
        }
        let master = uploaded.get(MASTER).or_else(|| stored.get(MASTER));
        let master = master.ok_or_else(|| {
            MatrixError::new(400, "M_MISSING_PARAM", "There is no master key yet, so master_key must be there.")
        })?;
        for (usage, key) in uploaded.iter().filter(|(usage, _)| **usage != MASTER) {
            self.must_be_vouched_for(usage, key, master)?;
        }
        self.must_not_be_a_device(uploaded.values())?;
        if stored.contains_key(MASTER) && !authorised {
            return Ok(CrossSigningOutcome::NeedsAuthentication);
        }
        self.change(|transaction, change| {
            self.replace(transaction, &stored, &uploaded)?;
            change.cross_signing();
            Ok(CrossSigningOutcome::Stored)
        })
    }

    /// The cross-signing keys by usage.
    pub(super) fn stored_cross_signing(&self) -> Result<BTreeMap<String, Object>> {
        if !self.exists() {
            return Ok(BTreeMap::new());
        }
        let stored = cross_signing::list(self.query())?;
        stored.into_iter().map(|(usage, key)| Ok((usage, serde_json::from_str(&key)?))).collect()
    }

    fn check_cross_signing_key(&self, usage: &str, key: &Json) -> Result<Object> {
        let wrong = |what: &str| MatrixError::invalid_param(format_args!("The {usage} key {what}."));
        let Json::Object(object) = key else {
            return Err(MatrixError::bad_json(format_args!("The {usage} key must be an object.")));
        };
        if serde_json::to_vec(object)?.len() > MAX_KEY_BYTES {
            return Err(MatrixError::too_large("A cross-signing key is too large."));
        }
        if object.get("user_id").and_then(Json::as_str) != Some(self.user_id.as_str()) {
            return Err(wrong("is not of the user who uploads it"));
        }
        let usages = object.get("usage").and_then(Json::as_array);
        if !usages.is_some_and(|usages| usages.iter().any(|named| named.as_str() == Some(usage))) {
            return Err(wrong("does not name its usage"));
        }
        let Some((key_id, key)) = public_key(object) else {
            return Err(wrong("must have exactly one key"));
        };
        let is_key = Base64::<Standard>::parse(&key).is_ok_and(|key| key.as_bytes().len() == 32);
        if key_id != format!("ed25519:{key}") || !is_key {
            return Err(wrong("is no ed25519 key under its own name"));
        }
        let mut object = object.clone();
        object.remove("unsigned");
        keep_own_signatures(&self.user_id, &mut object);
        Ok(object)
    }

    /// 400 `M_INVALID_SIGNATURE` unless the master key signed this key.
    fn must_be_vouched_for(&self, usage: &str, key: &Object, master: &Object) -> Result<()> {
        let (key_id, public) = public_key(master).ok_or_else(|| MatrixError::internal("a master key without key"))?;
        signatures::verify(key, self.user_id.as_str(), &key_id, &public).map(|_| ()).map_err(|_| {
            MatrixError::new(
                400,
                "M_INVALID_SIGNATURE",
                format_args!("The {usage} key lacks a valid signature of the master key."),
            )
        })
    }

    /// 403 `M_FORBIDDEN` for a key with the name of a device: what is signed for one would be taken
    /// for the other.
    fn must_not_be_a_device<'a>(&self, mut keys: impl Iterator<Item = &'a Object>) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        let devices = devices::list(self.query())?;
        let collides = keys
            .any(|key| public_key(key).is_some_and(|(_, key)| devices.iter().any(|device| device.device_id == key)));
        if collides {
            return Err(MatrixError::forbidden("A cross-signing key has the name of one of your devices."));
        }
        Ok(())
    }

    /// Replaces keys. What a former key vouched for is not vouched for any more.
    fn replace(
        &self,
        transaction: &dyn Transaction,
        stored: &BTreeMap<String, Object>,
        uploaded: &BTreeMap<&str, Object>,
    ) -> Result<()> {
        for (usage, former) in stored {
            let replaced = uploaded.contains_key(usage.as_str());
            // Without its master key nothing vouches for it.
            let orphaned = uploaded.contains_key(MASTER) && !replaced;
            if !replaced && !orphaned {
                continue;
            }
            if let Some((key_id, public)) = public_key(former) {
                forget_signatures_by(transaction, self.user_id.as_str(), &key_id)?;
                forget_signatures_of(transaction, &public)?;
            }
            if orphaned {
                cross_signing::delete(transaction, usage)?;
            }
        }
        for (usage, key) in uploaded {
            cross_signing::put(transaction, usage, &serde_json::to_string(key)?)?;
        }
        Ok(())
    }
}

/// The only key of a cross-signing key: its id and its public part.
pub(super) fn public_key(object: &Object) -> Option<(String, String)> {
    let mut keys = object.get("keys")?.as_object()?.iter();
    let (key_id, key) = keys.next()?;
    keys.next().is_none().then_some(())?;
    Some((key_id.clone(), key.as_str()?.to_owned()))
}
