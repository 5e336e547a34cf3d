//! `GET /_matrix/client/*/rooms/{roomId}/messages` ([spec])
//!
//! A page of events from a token, filtered.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidmessages

use std::borrow::Cow;

use hubbub_core::{
    contract::room::{Messages, MessagesAnswer, RoomCommand},
    error::{MatrixError, Result},
};
use ruma::OwnedRoomId;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::Authenticated,
    filter::room_event_filter,
    objects, respond,
    tokens::room_token,
};

/// How many events a page has when the request does not say.
const DEFAULT_LIMIT: u32 = 10;

/// How many events a page has at most.
const MAX_LIMIT: u32 = 1000;

#[derive(Serialize)]
struct Body {
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    chunk: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    state: Vec<Box<RawValue>>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let direction = call.query("dir").map(Cow::into_owned);
    let messages = Messages {
        reader: call.auth.actor(),
        from: room_token(&call, &room_id, "from").await?,
        to: room_token(&call, &room_id, "to").await?,
        backwards: direction.as_deref() != Some("f"),
        limit: call.query_as("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
        filter: call.query("filter").map(|filter| room_event_filter(&filter)).transpose()?,
    };
    let command = RoomCommand::Messages(Box::new(messages));
    let page: MessagesAnswer = objects::room(&call, &room_id, &command).await?;
    // Complained about only now: whether the user may read the room comes first.
    match direction.as_deref() {
        Some("b" | "f") => {}
        None => return Err(missing("dir")),
        Some(_) => return Err(MatrixError::invalid_param("dir is either b or f.")),
    }
    respond::json(&Body { start: page.start, end: page.end, chunk: page.chunk, state: page.state })
}
