//! `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC])
//!
//! Deletes the user's dehydrated device; 404 `M_NOT_FOUND` when there is none.
//!
//! [MSC]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use hubbub_core::{
    contract::{keys::OwnKeysCommand, user::UserCommand},
    error::Result,
};
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let command = OwnKeysCommand::DeleteDehydrated { caller: call.auth.caller.clone() };
    let command = UserCommand::Keys(Box::new(command));
    let device_id: String = objects::call(&*call.context.objects, call.auth.address(), &command).await?;
    respond::json(&json!({ "device_id": device_id }))
}
