//! `POST /_matrix/client/v1/login/get_token` ([spec])
//!
//! A token with which another device can log in once, within two minutes, once the user has
//! authenticated that.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv1loginget_token

use hubbub_core::{
    contract::account::{AccountCommand, ShortToken},
    error::Result,
};
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Claim, respond, uia};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let guard = uia::guard(&call).await?;
    uia::carry_out(&call, AccountCommand::LoginToken { guard }, |token: ShortToken| {
        respond::json(&json!({"login_token": token.token, "expires_in_ms": token.expires_in_ms}))
    })
    .await
}
