//! `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC])
//!
//! Makes the user's dehydrated device, in place of the one before.
//!
//! [MSC]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        keys::{DehydratedDevice, OwnKeysCommand, UploadKeys},
        user::UserCommand,
    },
    error::Result,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

#[derive(Deserialize)]
struct Body {
    device_id: String,
    device_data: Box<RawValue>,
    initial_device_display_name: Option<String>,
    device_keys: Box<RawValue>,
    one_time_keys: Option<BTreeMap<String, Box<RawValue>>>,
    fallback_keys: Option<BTreeMap<String, Box<RawValue>>>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let device = DehydratedDevice {
        device_id: body.device_id.clone(),
        device_data: body.device_data,
        display_name: body.initial_device_display_name,
        keys: UploadKeys {
            device_keys: Some(body.device_keys),
            one_time_keys: body.one_time_keys.unwrap_or_default(),
            fallback_keys: body.fallback_keys.unwrap_or_default(),
        },
    };
    let command = OwnKeysCommand::PutDehydrated { caller: call.auth.caller.clone(), device };
    let command = UserCommand::Keys(Box::new(command));
    let () = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    respond::json(&json!({ "device_id": body.device_id }))
}
