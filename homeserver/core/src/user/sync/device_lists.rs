//! The device lists and key counts of a `/sync`
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#extensions-to-sync)).

use hubbub_storage::user::keys_news;
use ruma::OneTimeKeyAlgorithm;

use super::{UserSyncObject, View, body::KeyCounts};
use crate::{contract::device_lists::DeviceLists, error::Result};

impl View<'_> {
    /// Whose keys to ask for again; nothing in a first sync, after which a client asks for all.
    pub(super) fn device_lists(&self) -> Result<Option<DeviceLists>> {
        let Some(since) = self.since else {
            return Ok(None);
        };
        let lists = self.object.device_lists_since(since)?;
        Ok((!lists.is_empty()).then_some(lists))
    }
}

impl UserSyncObject {
    /// What is left of a device's keys, and whether that changed after an inbox position.
    pub(super) fn key_counts(&self, device: &str, since: i64) -> Result<(KeyCounts, bool)> {
        let mut counts = KeyCounts::default();
        let mut changed = false;
        if let Some(held) = keys_news::get_counts(self.query(), device)? {
            counts.one_time_keys = serde_json::from_str(&held.one_time_keys)?;
            counts.fallback_keys = serde_json::from_str(&held.fallback_keys)?;
            changed = held.changed_pos > since;
        }
        // A client with none left must see a number.
        counts.one_time_keys.entry(OneTimeKeyAlgorithm::SignedCurve25519).or_insert(0);
        Ok((counts, changed))
    }
}
