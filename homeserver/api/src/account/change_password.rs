//! `POST /_matrix/client/*/account/password` ([spec])
//!
//! Changes the password, once the user has authenticated with the old one. All other devices are
//! logged out unless the client asks to keep them. Without an access token nothing can be changed:
//! this server knows no email address that would prove who asks.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3accountpassword

use hubbub_core::{contract::account::AccountCommand, error::Result};
use serde::Deserialize;

use super::register::check_password;
use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::Claim,
    respond, uia,
};

#[derive(Deserialize)]
struct Body {
    new_password: Option<String>,
    #[serde(default = "yes")]
    logout_devices: bool,
}

fn yes() -> bool {
    true
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let new_password = body.new_password.ok_or_else(|| missing("new_password"))?;
    check_password(&new_password)?;
    let guard = uia::guard(&call).await?;
    let command = AccountCommand::ChangePassword { guard, new_password, logout_devices: body.logout_devices };
    uia::carry_out(&call, command, |()| respond::empty()).await
}
