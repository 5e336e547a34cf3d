//! `GET /_matrix/client/*/rooms/{roomId}/state` ([spec])
//!
//! The whole state of a room; for a former member as of leaving.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidstate

use hubbub_core::{contract::room::RoomCommand, error::Result};
use ruma::OwnedRoomId;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let command = RoomCommand::State { reader: call.auth.user_id().clone() };
    let events: Vec<Box<RawValue>> = objects::room(&call, &room_id, &command).await?;
    respond::json(&events)
}
