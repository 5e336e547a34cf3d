//! `POST /_matrix/client/*/keys/query` ([spec])
//!
//! The identity keys of users' devices, and their cross-signing keys. A user without keys has an
//! empty object.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysquery

use std::collections::BTreeMap;

use hubbub_core::{
    contract::keys::{KeysCommand, UserKeys},
    error::Result,
};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ask_users;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

#[derive(Deserialize)]
struct Body {
    device_keys: BTreeMap<OwnedUserId, Vec<String>>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let viewer = call.auth.user_id();
    let commands = body.device_keys.into_iter().map(|(user_id, device_ids)| {
        let query = KeysCommand::Query { viewer: viewer.clone(), device_ids };
        (user_id, query)
    });
    let asked = ask_users::<UserKeys>(&call, commands.collect()).await?;
    let (mut devices, mut cross_signing) = (Map::new(), BTreeMap::<String, Map<String, Json>>::new());
    for (user_id, keys) in asked.answers {
        let keys = keys?;
        devices.insert(user_id.to_string(), json!(keys.devices));
        for (usage, key) in keys.cross_signing {
            cross_signing.entry(usage).or_default().insert(user_id.to_string(), key);
        }
    }
    let mut of_usage = |usage: &str| cross_signing.remove(usage).unwrap_or_default();
    respond::json(&json!({
        "device_keys": devices,
        "master_keys": of_usage("master"),
        "self_signing_keys": of_usage("self_signing"),
        "user_signing_keys": of_usage("user_signing"),
        "failures": asked.failures,
    }))
}
