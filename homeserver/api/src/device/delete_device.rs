//! `DELETE /_matrix/client/*/devices/{deviceId}` ([spec])
//!
//! Deletes one of the user's devices, once the user has authenticated just that. Its sessions end
//! at once, a `/sync` that waits included.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3devicesdeviceid

use hubbub_core::{contract::account::AccountCommand, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim, respond, uia};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let guard = uia::guard(&call).await?;
    let device_id = call.argument(0).to_owned();
    uia::carry_out(&call, AccountCommand::DeleteDevice { guard, device_id }, |()| respond::empty()).await
}
