//! `PUT /_matrix/client/*/rooms/{roomId}/send/{eventType}/{txnId}` ([spec])
//!
//! Sends a message event. Repeating a transaction id returns the first event id.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid

use hubbub_core::{
    contract::room::{RoomCommand, SendEvent, Sent},
    error::Result,
};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{
    answer::Outcome,
    call::{Call, parse_id},
    credentials::Authenticated,
    objects, respond,
};

/// The body of all endpoints that send an event.
#[derive(Serialize)]
pub(crate) struct SentBody {
    /// The event's id.
    pub event_id: OwnedEventId,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let event_type = call.argument(1).to_owned();
    let content = call.object()?;
    let event = SendEvent {
        actor: call.auth.actor(),
        redacts: redacted_event(&event_type, &content)?,
        event_type,
        state_key: None,
        content: call.raw_object()?,
        transaction_id: Some(call.argument(2).to_owned()),
        timestamp: call.auth.claim.timestamp,
        read_your_writes: false,
    };
    let command = RoomCommand::Send(Box::new(event));
    let sent: Sent = objects::room(&call, &room_id, &command).await?;
    respond::json(&SentBody { event_id: sent.event_id })
}

/// What a redaction redacts that is sent like a message, as room version 11 allows.
fn redacted_event(event_type: &str, content: &Map<String, Json>) -> Result<Option<OwnedEventId>> {
    if event_type != "m.room.redaction" {
        return Ok(None);
    }
    let redacts = content.get("redacts").and_then(Json::as_str);
    redacts.map(parse_id).transpose()
}
