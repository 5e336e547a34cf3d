//! Handing one-time keys out
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysclaim)): one
//! transaction takes and forgets, so nobody gets a key that another has.

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Transaction,
    keys::{
        self,
        one_time::{self, ClaimableKey},
    },
};
use serde_json::value::RawValue;

use super::{Change, UserKeysObject};
use crate::{contract::keys::ClaimedKeys, error::Result};

impl UserKeysObject {
    pub(super) fn claim(&self, devices: &BTreeMap<String, String>) -> Result<ClaimedKeys> {
        if !self.exists() || keys::get(self.query())?.closed {
            return Ok(ClaimedKeys::new());
        }
        self.change(|transaction, change| {
            let mut claimed = ClaimedKeys::new();
            for (device_id, algorithm) in devices {
                if let Some(key) = claim_one(transaction, change, device_id, algorithm)? {
                    let json = RawValue::from_string(key.key)?;
                    claimed.entry(device_id.clone()).or_default().insert(key.key_id, json);
                }
            }
            Ok(claimed)
        })
    }
}

/// The oldest one-time key, else the fallback key; `None` when there is neither.
fn claim_one(
    transaction: &dyn Transaction,
    change: &mut Change,
    device_id: &str,
    algorithm: &str,
) -> Result<Option<ClaimableKey>> {
    if let Some(key) = one_time::take(transaction, device_id, algorithm)? {
        change.counts(device_id);
        return Ok(Some(key));
    }
    let Some((key, used)) = one_time::fallback(transaction.as_query(), device_id, algorithm)? else {
        return Ok(None);
    };
    if !used {
        one_time::use_fallback(transaction, device_id, algorithm)?;
        change.counts(device_id);
    }
    Ok(Some(key))
}
