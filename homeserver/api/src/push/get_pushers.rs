//! `GET /_matrix/client/*/pushers` ([spec])
//!
//! The user's pushers; those of devices that are gone are not among them.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3pushers

use hubbub_core::{contract::people::PeopleCommand, error::Result};
use serde_json::{json, value::RawValue};

use crate::{answer::Outcome, call::Call, credentials::Claim, people, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let command = PeopleCommand::Pushers { caller: call.auth.caller.clone() };
    let pushers: Vec<Box<RawValue>> = people::ask(&call, command).await?;
    respond::json(&json!({ "pushers": pushers }))
}
