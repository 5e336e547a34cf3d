//! `PUT /_matrix/client/*/devices/{deviceId}` ([spec])
//!
//! Names one of the user's devices; another user's is not found, and none is made: but for an
//! appservice that registered to make its users' devices ([MSC4190]), which gets 201 for a new one.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3devicesdeviceid
//! [MSC4190]: https://github.com/matrix-org/matrix-spec-proposals/pull/4190

use http::StatusCode;
use hubbub_core::{
    contract::{account::AccountCommand, user::UserCommand},
    error::Result,
};

use crate::{
    answer::Outcome,
    call::{Call, optional_text},
    credentials::Claim,
    objects, respond,
};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let display_name = optional_text(&call.object()?, "display_name")?;
    let caller = call.auth.caller.clone();
    let device_id = call.argument(0).to_owned();
    let objects = &*call.context.objects;
    if call.auth.appservice.as_ref().is_some_and(|appservice| appservice.manages_devices()) {
        let command = UserCommand::Account(AccountCommand::PutDevice { caller, device_id, display_name });
        let made: bool = objects::call_again(objects, call.auth.address(), &command).await?;
        let status = if made { StatusCode::CREATED } else { StatusCode::OK };
        return Ok(Outcome::Response(respond::json_bytes(status, b"{}".to_vec())));
    }
    let command = UserCommand::Account(AccountCommand::RenameDevice { caller, device_id, display_name });
    let () = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::empty()
}
