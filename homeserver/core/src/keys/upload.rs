//! Device keys, one-time keys and fallback keys on their way in
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysupload)).
//!
//! Repeating an upload changes nothing. A one-time key that was claimed stays claimed, whatever is
//! uploaded under its id afterwards.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_storage::{
    database::Transaction,
    keys::{
        self,
        devices::{self, Device},
        one_time::{self, ClaimableKey},
    },
};
use ruma::{UserId, encryption::DeviceKeys, serde::Raw};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{Change, UserKeysObject};
use crate::{
    contract::keys::{KeyCounts, UploadKeys},
    error::{MatrixError, Result},
};

/// The most bytes of a device's identity keys.
const MAX_DEVICE_KEYS_BYTES: usize = 32 * 1024;
/// The most bytes of a one-time or fallback key.
const MAX_KEY_BYTES: usize = 4 * 1024;
/// The most bytes of a key's id.
const MAX_KEY_ID_BYTES: usize = 255;
/// The most one-time keys of a device that wait to be claimed; clients keep 50 to 100.
const MAX_ONE_TIME_KEYS: usize = 1_000;
/// The most fallback keys in one upload: there is one for each algorithm.
const MAX_FALLBACK_KEYS: usize = 10;
/// Counted even when there are none, since clients look for it.
const COMMON_ALGORITHM: &str = "signed_curve25519";

/// One-time or fallback keys, checked: (algorithm, key).
type Checked = Vec<(String, ClaimableKey)>;

impl UserKeysObject {
    pub(super) fn upload(
        &self,
        device_id: &str,
        display_name: Option<String>,
        keys: &UploadKeys,
        generation: i64,
    ) -> Result<KeyCounts> {
        let upload = check(&self.user_id, device_id, display_name, keys)?;
        if !upload.is_empty() {
            self.change(|transaction, change| {
                change.must_be_of(generation)?;
                store(transaction, change, &upload)
            })?;
        }
        self.key_counts(device_id)
    }

    /// How many one-time keys of a device nobody claimed.
    pub(super) fn key_counts(&self, device_id: &str) -> Result<KeyCounts> {
        let mut counts = if self.exists() { one_time::counts(self.query(), device_id)? } else { KeyCounts::new() };
        counts.entry(COMMON_ALGORITHM.to_owned()).or_default();
        Ok(counts)
    }

    pub(super) fn rename_device(&self, device_id: &str, display_name: Option<String>) -> Result<()> {
        if !self.exists() || keys::get(self.query())?.closed {
            return Ok(());
        }
        let Some(device) = devices::get(self.query(), device_id)? else {
            return Ok(());
        };
        if device.display_name == display_name {
            return Ok(());
        }
        let device = Device { display_name, ..device };
        self.change(|transaction, change| {
            devices::put(transaction, &device)?;
            change.device(device_id);
            Ok(())
        })
    }

    pub(super) fn delete_devices(&self, device_ids: &[String], generation: i64) -> Result<()> {
        if !self.exists() || keys::get(self.query())?.closed {
            return Ok(());
        }
        self.change(|transaction, change| {
            change.state.generation = change.state.generation.max(generation);
            for device_id in device_ids {
                let had_keys = devices::get(transaction.as_query(), device_id)?.is_some();
                devices::delete(transaction, device_id)?;
                change.state.counts.remove(device_id);
                if had_keys {
                    change.device(device_id);
                }
            }
            Ok(())
        })
    }

    /// Forgets everything, for ever.
    pub(super) fn close(&self) -> Result<()> {
        if !self.exists() || keys::get(self.query())?.closed {
            return Ok(());
        }
        self.change(|transaction, change| {
            for device in devices::list(transaction.as_query())? {
                change.device(&device.device_id);
            }
            change.cross_signing();
            keys::forget_everything(transaction)?;
            // The user's object has nobody left to tell: all rooms are being left.
            change.state.told = change.state.version;
            change.state.counts.clear();
            change.state.closed = true;
            Ok(())
        })
    }
}

/// An upload whose form is right.
pub(crate) struct Upload<'a> {
    device_id: &'a str,
    device: Option<Device>,
    one_time_keys: Checked,
    fallback_keys: Checked,
}

impl Upload<'_> {
    fn is_empty(&self) -> bool {
        self.device.is_none() && self.one_time_keys.is_empty() && self.fallback_keys.is_empty()
    }
}

/// Checks an upload's form. 400 `M_BAD_JSON` or `M_INVALID_PARAM`, 413 `M_TOO_LARGE`.
pub(super) fn check<'a>(
    user_id: &UserId,
    device_id: &'a str,
    display_name: Option<String>,
    keys: &UploadKeys,
) -> Result<Upload<'a>> {
    let device = match &keys.device_keys {
        None => None,
        Some(keys) => {
            let keys = check_device_keys(user_id, device_id, keys)?;
            Some(Device { device_id: device_id.to_owned(), keys: serde_json::to_string(&keys)?, display_name })
        }
    };
    if keys.one_time_keys.len() > MAX_ONE_TIME_KEYS || keys.fallback_keys.len() > MAX_FALLBACK_KEYS {
        return Err(too_many_keys());
    }
    let one_time_keys = check_keys(&keys.one_time_keys)?;
    let fallback_keys = check_keys(&keys.fallback_keys)?;
    let algorithms: BTreeSet<_> = fallback_keys.iter().map(|(algorithm, _)| algorithm).collect();
    if algorithms.len() < fallback_keys.len() {
        return Err(MatrixError::invalid_param("There can be one fallback key of each algorithm."));
    }
    Ok(Upload { device_id, device, one_time_keys, fallback_keys })
}

/// The object without `unsigned`, which is the server's to add.
fn check_device_keys(user_id: &UserId, device_id: &str, keys: &RawValue) -> Result<Map<String, Json>> {
    if keys.get().len() > MAX_DEVICE_KEYS_BYTES {
        return Err(MatrixError::too_large("These device keys are too large."));
    }
    let raw: Raw<DeviceKeys> = Raw::from_json(keys.to_owned());
    let parsed = raw.deserialize().map_err(|error| {
        MatrixError::bad_json(format_args!("device_keys is not of the form that it must have: {error}"))
    })?;
    if parsed.user_id != user_id || parsed.device_id != device_id {
        return Err(MatrixError::invalid_param("device_keys is for another user or device than yours."));
    }
    let mut object: Map<String, Json> = serde_json::from_str(keys.get()).map_err(MatrixError::bad_json)?;
    object.remove("unsigned");
    keep_own_signatures(user_id, &mut object);
    Ok(object)
}

/// Others' signatures come by themselves and are verified, or not at all.
pub(super) fn keep_own_signatures(user_id: &UserId, object: &mut Map<String, Json>) {
    if let Some(all) = object.get_mut("signatures").and_then(Json::as_object_mut) {
        all.retain(|signer, _| signer == user_id.as_str());
    }
}

/// Stores what is new of an upload.
pub(super) fn store(transaction: &dyn Transaction, change: &mut Change, upload: &Upload<'_>) -> Result<()> {
    if let Some(device) = &upload.device {
        store_device(transaction, change, device)?;
    }
    let more = store_one_time_keys(transaction, change, upload)?;
    let other = store_fallback_keys(transaction, upload)?;
    if more || other {
        change.counts(upload.device_id);
    }
    Ok(())
}

fn store_device(transaction: &dyn Transaction, change: &mut Change, device: &Device) -> Result<()> {
    let before = devices::get(transaction.as_query(), &device.device_id)?;
    let identity = |keys: &str| -> Result<Json> {
        let mut object: Map<String, Json> = serde_json::from_str(keys)?;
        object.remove("signatures");
        Ok(Json::Object(object))
    };
    if let Some(before) = &before {
        let same = serde_json::from_str::<Json>(&before.keys)? == serde_json::from_str::<Json>(&device.keys)?;
        if same && before.display_name == device.display_name {
            return Ok(());
        }
        if identity(&before.keys)? != identity(&device.keys)? {
            // Nobody vouched for these.
            keys::cross_signing::forget_signatures_of(transaction, &device.device_id)?;
        }
    }
    devices::put(transaction, device)?;
    change.device(&device.device_id);
    Ok(())
}

/// Returns whether there are more now.
fn store_one_time_keys(transaction: &dyn Transaction, change: &mut Change, upload: &Upload<'_>) -> Result<bool> {
    if upload.one_time_keys.is_empty() {
        return Ok(false);
    }
    let query = transaction.as_query();
    let mut there: BTreeMap<String, String> =
        one_time::list(query, upload.device_id)?.into_iter().map(|key| (key.key_id, key.key)).collect();
    let ids: Vec<&str> = upload.one_time_keys.iter().map(|(_, key)| key.key_id.as_str()).collect();
    let used = one_time::used(query, upload.device_id, &ids)?;
    let before = there.len();
    for (algorithm, key) in &upload.one_time_keys {
        if used.contains(&key.key_id) {
            continue;
        }
        if let Some(other) = there.get(&key.key_id) {
            must_be_same(other, key)?;
            continue;
        }
        one_time::add(transaction, upload.device_id, algorithm, change.state.next_position, key)?;
        change.state.next_position += 1;
        there.insert(key.key_id.clone(), key.key.clone());
    }
    if there.len() > MAX_ONE_TIME_KEYS {
        return Err(too_many_keys());
    }
    Ok(there.len() > before)
}

/// Returns whether any is new: the one that is there already stays used if it was.
fn store_fallback_keys(transaction: &dyn Transaction, upload: &Upload<'_>) -> Result<bool> {
    let mut any = false;
    for (algorithm, key) in &upload.fallback_keys {
        if let Some((before, _)) = one_time::fallback(transaction.as_query(), upload.device_id, algorithm)?
            && is_same(&before.key, &key.key)?
            && before.key_id == key.key_id
        {
            continue;
        }
        one_time::put_fallback(transaction, upload.device_id, algorithm, key)?;
        any = true;
    }
    Ok(any)
}

/// 400 unless it is the key that is there under its id. Clients know the sentence.
fn must_be_same(there: &str, key: &ClaimableKey) -> Result<()> {
    if is_same(there, &key.key)? {
        return Ok(());
    }
    Err(MatrixError::invalid_param(format_args!(
        "One time key {} already exists, and it is another one; use a new id.",
        key.key_id
    )))
}

fn is_same(left: &str, right: &str) -> Result<bool> {
    Ok(left == right || serde_json::from_str::<Json>(left)? == serde_json::from_str::<Json>(right)?)
}

/// One-time or fallback keys: an id of algorithm and name, and a string or an object.
fn check_keys(keys: &BTreeMap<String, Box<RawValue>>) -> Result<Checked> {
    keys.iter()
        .map(|(key_id, key)| {
            let algorithm = match key_id.split_once(':') {
                Some((algorithm, name)) if !algorithm.is_empty() && !name.is_empty() => algorithm,
                _ => {
                    return Err(MatrixError::invalid_param("A key's id is made of an algorithm, a colon and a name."));
                }
            };
            if key_id.len() > MAX_KEY_ID_BYTES || key.get().len() > MAX_KEY_BYTES {
                return Err(MatrixError::too_large("A one-time key or its id is too large."));
            }
            if !key.get().starts_with(['"', '{']) {
                return Err(MatrixError::bad_json("A one-time key is a string or an object."));
            }
            Ok((algorithm.to_owned(), ClaimableKey { key_id: key_id.clone(), key: key.get().to_owned() }))
        })
        .collect()
}

fn too_many_keys() -> MatrixError {
    MatrixError::too_large(format_args!(
        "A device can have {MAX_ONE_TIME_KEYS} one-time keys and {MAX_FALLBACK_KEYS} fallback keys."
    ))
}
