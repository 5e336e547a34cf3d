//! `GET /_matrix/client/*/devices/{deviceId}` ([spec])
//!
//! One of the user's devices; another user's is not found.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3devicesdeviceid

use hubbub_core::{
    contract::{
        account::{AccountCommand, Device},
        user::UserCommand,
    },
    error::Result,
};
use ruma::api::client::device::get_device::v3;

use super::shown;
use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let command = UserCommand::Account(AccountCommand::GetDevice {
        caller: call.auth.caller.clone(),
        device_id: request.device_id.to_string(),
    });
    let device: Device = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    Ok(v3::Response::new(shown(device)))
}
