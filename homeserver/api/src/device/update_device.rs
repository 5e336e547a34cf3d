//! `PUT /_matrix/client/*/devices/{deviceId}` ([spec])
//!
//! Names one of the user's devices; another user's is not found, and none is made.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3devicesdeviceid

use hubbub_core::{
    contract::{account::AccountCommand, user::UserCommand},
    error::Result,
};
use ruma::api::client::device::update_device::v3;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let command = UserCommand::Account(AccountCommand::RenameDevice {
        caller: call.auth.caller.clone(),
        device_id: request.device_id.to_string(),
        display_name: request.display_name,
    });
    let () = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    Ok(v3::Response::new())
}
