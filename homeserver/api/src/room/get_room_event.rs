//! `GET /_matrix/client/*/rooms/{roomId}/event/{eventId}` ([spec])
//!
//! One event that the user may see; 404 `M_NOT_FOUND` for any other.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomideventeventid

use hubbub_core::{contract::room::RoomCommand, error::Result};
use ruma::OwnedRoomId;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let command = RoomCommand::Event { reader: call.auth.actor(), event_id: call.id(1)? };
    let event: Box<RawValue> = objects::room(&call, &room_id, &command).await?;
    respond::json(&event)
}
