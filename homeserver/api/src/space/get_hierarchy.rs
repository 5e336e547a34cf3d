//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy` ([spec])
//!
//! A space with what is in it, depth first, by pages. Each room says itself whether the user may
//! see it; one that says no is left out, with all that is only below it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidhierarchy

use hubbub_core::error::{MatrixError, Result};
use ruma::OwnedRoomId;

use super::{token::Scope, walk::Walk};
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

/// The most rooms of a page, and how many it has when the client does not say.
const MAX_LIMIT: usize = 50;

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let root: OwnedRoomId = call.id(0)?;
    let limit = match call.query_as::<usize>("limit")? {
        Some(0) => return Err(MatrixError::invalid_param("limit is at least 1.")),
        limit => limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT),
    };
    let scope = Scope {
        user_id: call.auth.user_id(),
        root: &root,
        suggested_only: call.query_as("suggested_only")?.unwrap_or(false),
        max_depth: call.query_as("max_depth")?,
    };
    let from = call.query("from");
    let place = from.as_deref().map(|token| scope.parse(&call.context.config.secrets, token)).transpose()?;
    let page = Walk::new(&call, &scope, limit).page(place).await?;
    respond::json(&page)
}
