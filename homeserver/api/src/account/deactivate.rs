//! `POST /_matrix/client/*/account/deactivate` ([spec])
//!
//! Ends the account for ever, once the user has authenticated that: nobody can log in to it or
//! register its name again. The rooms are left soon after. No third-party identifier was bound, so
//! there is none to unbind.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3accountdeactivate

use hubbub_core::{contract::account::AccountCommand, error::Result};
use serde::Deserialize;
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Claim, respond, uia};

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    erase: bool,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let guard = uia::guard(&call).await?;
    uia::carry_out(&call, AccountCommand::Deactivate { guard, erase: body.erase }, |()| {
        respond::json(&json!({"id_server_unbind_result": "success"}))
    })
    .await
}
