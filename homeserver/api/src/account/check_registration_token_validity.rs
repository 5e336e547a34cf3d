//! `GET /_matrix/client/v1/register/m.login.registration_token/validity` ([spec])
//!
//! Whether a registration token would be accepted: none is while registration needs none. Compared
//! in constant time, and limited by address as registrations are.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity

use hubbub_core::{context::Registration, error::Result};
use serde_json::json;

use super::register::{closed, is_registration_token};
use crate::{
    answer::Outcome,
    call::{Call, missing},
    peer::RateLimit,
    respond,
};

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    let registration = call.context.config.registration;
    if registration == Registration::Closed {
        return Err(closed());
    }
    call.peer.limit(&call.context, RateLimit::Registration).await?;
    let token = call.query("token").ok_or_else(|| missing("token"))?;
    let valid = registration == Registration::Token && is_registration_token(&call, &token);
    respond::json(&json!({"valid": valid}))
}
