//! `PUT /_matrix/client/*/rooms/{roomId}/typing/{userId}` ([spec])
//!
//! Says that the user types, for a while, or stopped.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidtypinguserid

use hubbub_core::{contract::room::RoomCommand, error::Result};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

/// How long typing lasts when the request does not say.
const DEFAULT_TIMEOUT_MS: u32 = 30_000;

/// How long typing lasts at most without being said again.
const MAX_TIMEOUT_MS: u32 = 120_000;

#[derive(Deserialize)]
struct Body {
    typing: bool,
    timeout: Option<u32>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let user_id: OwnedUserId = call.id(1)?;
    call.auth.claim.must_be(&user_id)?;
    let body: Body = call.parse()?;
    let timeout = body.timeout.unwrap_or(DEFAULT_TIMEOUT_MS).min(MAX_TIMEOUT_MS);
    let command = RoomCommand::SetTyping { user_id, timeout_ms: body.typing.then_some(i64::from(timeout)) };
    let () = objects::room(&call, &room_id, &command).await?;
    respond::empty()
}
