//! What somebody sees of a user's keys
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysquery)).
//!
//! The user-signing key is shown to the user alone; of the signatures everybody sees the owner's,
//! and besides those the ones that they made themselves: whom others verified is their business.

use hubbub_storage::keys::{
    cross_signing::{self, Signature},
    devices::{self, Device},
};
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value as Json, json};

use super::{UserKeysObject, cross_signing::public_key};
use crate::{contract::keys::UserKeys, error::Result};

impl UserKeysObject {
    pub(super) fn show(&self, viewer: &OwnedUserId, device_ids: &[String]) -> Result<UserKeys> {
        let mut shown = UserKeys::default();
        if !self.exists() {
            return Ok(shown);
        }
        let signatures = cross_signing::signatures_by(self.query(), self.user_id.as_str(), viewer.as_str())?;
        for device in self.devices_named(device_ids)? {
            let mut object: Map<String, Json> = serde_json::from_str(&device.keys)?;
            self.show_signatures(&mut object, viewer, &device.device_id, &signatures);
            if let Some(name) = device.display_name {
                object.insert("unsigned".to_owned(), json!({ "device_display_name": name }));
            }
            shown.devices.insert(device.device_id, object.into());
        }
        for (usage, key) in cross_signing::list(self.query())? {
            if usage == "user_signing" && *viewer != self.user_id {
                continue;
            }
            let mut object: Map<String, Json> = serde_json::from_str(&key)?;
            let target = public_key(&object).map(|(_, key)| key).unwrap_or_default();
            self.show_signatures(&mut object, viewer, &target, &signatures);
            shown.cross_signing.insert(usage, object.into());
        }
        Ok(shown)
    }

    fn devices_named(&self, device_ids: &[String]) -> Result<Vec<Device>> {
        let mut devices = devices::list(self.query())?;
        if !device_ids.is_empty() {
            devices.retain(|device| device_ids.contains(&device.device_id));
        }
        Ok(devices)
    }

    /// Leaves the owner's signatures of those that came with the object, and adds those that were
    /// uploaded for it.
    fn show_signatures(&self, object: &mut Map<String, Json>, viewer: &UserId, target: &str, signatures: &[Signature]) {
        let owner = self.user_id.as_str();
        let own = object.get("signatures").and_then(|all| all.get(owner)).and_then(Json::as_object);
        let mut all = Map::new();
        if let Some(own) = own {
            all.insert(owner.to_owned(), own.clone().into());
        }
        for signature in signatures.iter().filter(|signature| signature.target == target) {
            if signature.signer != owner && signature.signer != viewer.as_str() {
                continue;
            }
            let of_signer = all.entry(signature.signer.clone()).or_insert_with(|| json!({}));
            if let Some(of_signer) = of_signer.as_object_mut() {
                of_signer.insert(signature.key_id.clone(), signature.signature.clone().into());
            }
        }
        object.insert("signatures".to_owned(), all.into());
    }
}
