//! `POST /_matrix/client/*/keys/upload` ([spec])
//!
//! Publishes keys of the calling device. Repeating it changes nothing; a one-time key under the id
//! of another one is refused, and one that was claimed never comes back.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysupload

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        keys::{KeyCounts, OwnKeysCommand, UploadKeys},
        user::UserCommand,
    },
    error::Result,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

#[derive(Deserialize)]
struct Body {
    device_keys: Option<Box<RawValue>>,
    one_time_keys: Option<BTreeMap<String, Box<RawValue>>>,
    fallback_keys: Option<BTreeMap<String, Box<RawValue>>>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let keys = UploadKeys {
        device_keys: body.device_keys,
        one_time_keys: body.one_time_keys.unwrap_or_default(),
        fallback_keys: body.fallback_keys.unwrap_or_default(),
    };
    let command = OwnKeysCommand::Upload { caller: call.auth.caller.clone(), keys };
    let command = UserCommand::Keys(Box::new(command));
    let counts: KeyCounts = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    respond::json(&json!({ "one_time_key_counts": counts }))
}
