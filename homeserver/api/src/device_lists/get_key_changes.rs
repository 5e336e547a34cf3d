//! `GET /_matrix/client/*/keys/changes` ([spec])
//!
//! Whose keys changed since a sync token. What came after the second token is among it: a client
//! that asks for more keys than it had to is never wrong.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3keyschanges

use hubbub_core::{
    contract::{
        device_lists::{DeviceListCommand, DeviceLists},
        user::UserCommand,
    },
    error::Result,
};
use ruma::api::client::keys::get_key_changes::v3;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let command =
        UserCommand::DeviceLists(DeviceListCommand::Changes { caller: call.auth.caller.clone(), from: request.from });
    let lists: DeviceLists = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    Ok(v3::Response::new(lists.changed, lists.left))
}
