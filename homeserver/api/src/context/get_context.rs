//! `GET /_matrix/client/*/rooms/{roomId}/context/{eventId}` ([spec])
//!
//! An event with what came before and after it, and tokens to page on both ways.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidcontexteventid

use hubbub_core::{
    contract::room::{ContextAnswer, RoomCommand},
    error::Result,
};
use ruma::OwnedRoomId;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, filter::room_event_filter, objects, respond};

/// How many events surround the one in all, when the request does not say.
const DEFAULT_LIMIT: u32 = 10;

/// How many events surround the one at most.
const MAX_LIMIT: u32 = 100;

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let command = RoomCommand::Context {
        reader: call.auth.actor(),
        event_id: call.id(1)?,
        limit: call.query_as("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
        filter: call.query("filter").map(|filter| room_event_filter(&filter)).transpose()?,
    };
    let answer: ContextAnswer = objects::room(&call, &room_id, &command).await?;
    respond::json(&answer)
}
