//! `GET /_matrix/client/*/devices` ([spec])
//!
//! The user's devices. When one was last seen is noted coarsely: half an hour may be missing.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3devices

use hubbub_core::{
    contract::{
        account::{AccountCommand, Device},
        user::UserCommand,
    },
    error::Result,
};
use ruma::api::client::device::get_devices::v3;

use super::shown;
use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, _: v3::Request) -> Result<v3::Response> {
    let command = UserCommand::Account(AccountCommand::ListDevices { caller: call.auth.caller.clone() });
    let devices: Vec<Device> = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    Ok(v3::Response::new(devices.into_iter().map(shown).collect()))
}
