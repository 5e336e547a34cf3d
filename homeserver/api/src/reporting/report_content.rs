//! `POST /_matrix/client/*/rooms/{roomId}/report/{eventId}` ([spec])
//!
//! Reports an event that the user may read; 404 `M_NOT_FOUND` for any other, whether it exists or
//! not.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidreporteventid

use hubbub_core::{
    contract::room::RoomCommand,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::reports::{self, Report};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value as Json, value::RawValue};

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let event_id: OwnedEventId = call.id(1)?;
    let body = call.object()?;
    // From -100 (most offensive) to 0 (inoffensive); later versions of the specification dropped it.
    let score = match body.get("score") {
        None | Some(Json::Null) => None,
        Some(score) => match score.as_i64().filter(|score| (-100..=0).contains(score)) {
            Some(score) => Some(score),
            None => return Err(MatrixError::bad_json("score is a whole number from -100 to 0.")),
        },
    };
    let report = super::report(&call, &body)?;
    super::check_allowance(&call).await?;
    let command = RoomCommand::Event { reader: call.auth.actor(), event_id: event_id.clone() };
    let _: Box<RawValue> = objects::room(&call, &room_id, &command).await?;
    let report = Report { room_id: Some(room_id.to_string()), event_id: Some(event_id.to_string()), score, ..report };
    reports::insert(&*call.context.directory, &report).await?;
    respond::empty()
}
