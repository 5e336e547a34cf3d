//! `POST /_matrix/client/*/delete_devices` ([spec])
//!
//! Deletes several of the user's devices, once the user has authenticated just these. Ids that are
//! none of the user's are passed over.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3delete_devices

use hubbub_core::{contract::account::AccountCommand, error::Result};
use serde::Deserialize;

use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::Claim,
    respond, uia,
};

#[derive(Deserialize)]
struct Body {
    devices: Option<Vec<String>>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let device_ids = body.devices.ok_or_else(|| missing("devices"))?;
    let guard = uia::guard(&call).await?;
    uia::carry_out(&call, AccountCommand::DeleteDevices { guard, device_ids }, |()| respond::empty()).await
}
