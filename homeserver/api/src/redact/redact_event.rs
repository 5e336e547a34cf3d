//! `PUT /_matrix/client/*/rooms/{roomId}/redact/{eventId}/{txnId}` ([spec])
//!
//! Takes the content of an event away. Repeating a transaction id returns the first redaction's
//! id.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid

use hubbub_core::{
    contract::room::{RoomCommand, SendEvent, Sent},
    error::Result,
};
use ruma::OwnedRoomId;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, message::SentBody, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let event = SendEvent {
        actor: call.auth.actor(),
        event_type: "m.room.redaction".to_owned(),
        state_key: None,
        content: call.raw_object()?,
        redacts: Some(call.id(1)?),
        transaction_id: Some(call.argument(2).to_owned()),
        // Only messages and state can be dated.
        timestamp: None,
        read_your_writes: false,
    };
    let command = RoomCommand::Send(Box::new(event));
    let sent: Sent = objects::room(&call, &room_id, &command).await?;
    respond::json(&SentBody { event_id: sent.event_id })
}
