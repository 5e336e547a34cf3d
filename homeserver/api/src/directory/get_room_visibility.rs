//! `GET /_matrix/client/*/directory/list/room/{roomId}` ([spec])
//!
//! Whether the public directory lists a room. 404 `M_NOT_FOUND` for a room that is not known.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3directorylistroomroomid

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::directory::public_rooms;
use ruma::OwnedRoomId;
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Visitor, respond};

#[derive(Serialize)]
struct Body {
    visibility: &'static str,
}

pub(crate) async fn handle(call: Call<Visitor>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let listed = public_rooms::is_listed(&*call.context.directory, room_id.as_str()).await?;
    let listed = listed.ok_or_else(|| MatrixError::not_found("There is no such room."))?;
    respond::json(&Body { visibility: if listed { "public" } else { "private" } })
}
