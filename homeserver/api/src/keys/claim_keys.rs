//! `POST /_matrix/client/*/keys/claim` ([spec])
//!
//! Hands out one key of each device that is named: a one-time key that nobody ever gets again, or
//! else the device's fallback key. Devices without a key, and users without such devices, are left
//! out.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysclaim

use std::collections::BTreeMap;

use hubbub_core::{
    contract::keys::{ClaimedKeys, KeysCommand},
    error::{MatrixError, Result},
};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;

use super::ask_users;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

/// The most devices in one request.
const MAX_DEVICES: usize = 2_000;

#[derive(Deserialize)]
struct Body {
    one_time_keys: BTreeMap<OwnedUserId, BTreeMap<String, String>>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    if body.one_time_keys.values().map(BTreeMap::len).sum::<usize>() > MAX_DEVICES {
        return Err(MatrixError::too_large(format_args!("Claim keys of at most {MAX_DEVICES} devices at once.")));
    }
    let commands = body.one_time_keys.into_iter().map(|(user_id, devices)| (user_id, KeysCommand::Claim { devices }));
    let mut asked = ask_users::<ClaimedKeys>(&call, commands.collect()).await?;
    let mut claimed = BTreeMap::new();
    for (user_id, keys) in asked.answers {
        match keys {
            Ok(keys) if keys.is_empty() => {}
            Ok(keys) => {
                claimed.insert(user_id, keys);
            }
            // What others gave is not to be lost with it.
            Err(error) => {
                asked.failures.insert(user_id.server_name().to_string(), error.body());
            }
        }
    }
    respond::json(&json!({ "one_time_keys": claimed, "failures": asked.failures }))
}
