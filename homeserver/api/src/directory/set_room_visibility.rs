//! `PUT /_matrix/client/*/directory/list/room/{roomId}` ([spec])
//!
//! Lists a room in the public directory or takes it off: for members who may set the room's
//! canonical alias. Answers once the directory shows it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3directorylistroomroomid

use hubbub_core::{
    contract::{place::PlaceCommand, room::RoomCommand},
    error::Result,
};
use ruma::OwnedRoomId;

use super::wants_listed;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let listed = wants_listed(&call.object()?)?;
    let by = Some(call.auth.user_id().clone());
    let command = RoomCommand::Place(PlaceCommand::SetListed { by, listed: Some(listed) });
    let () = objects::room(&call, &room_id, &command).await?;
    respond::empty()
}
