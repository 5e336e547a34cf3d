//! `GET /_matrix/client/*/register/available` ([spec])
//!
//! Whether a name can be registered. It says no more than a registration would: nothing at all
//! while registration is closed.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3registeravailable

use hubbub_core::{context::Registration, error::Result};
use serde_json::json;

use super::register::{closed, wanted_user_id};
use crate::{
    answer::Outcome,
    call::{Call, missing},
    peer::RateLimit,
    respond,
};

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    if call.context.config.registration == Registration::Closed {
        return Err(closed());
    }
    call.peer.limit(&call.context, RateLimit::Registration).await?;
    let username = call.query("username").ok_or_else(|| missing("username"))?;
    wanted_user_id(&call, Some(&username)).await?;
    respond::json(&json!({"available": true}))
}
