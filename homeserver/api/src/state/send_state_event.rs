//! `PUT /_matrix/client/*/rooms/{roomId}/state/{eventType}/{stateKey}` ([spec])
//!
//! Sets a piece of state. The slash before an empty state key may be left out.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey

use hubbub_core::{
    contract::room::{RoomCommand, SendEvent, Sent},
    error::Result,
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Map, Value as Json};

use super::canonical_alias;
use crate::{
    answer::Outcome,
    call::{Call, parse_id},
    credentials::Authenticated,
    message::SentBody,
    objects, profile, respond,
};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let event_type = call.argument(1).to_owned();
    let state_key = call.argument(2).to_owned();
    let content = call.object()?;
    check_content(&call, &room_id, &event_type, &state_key, &content).await?;
    let event = SendEvent {
        actor: call.auth.actor(),
        // Clients read the list of joined rooms right after this kind of join, too.
        read_your_writes: event_type == "m.room.member",
        event_type,
        state_key: Some(state_key),
        content: call.raw_object()?,
        redacts: None,
        transaction_id: None,
        timestamp: call.auth.claim.timestamp,
    };
    let command = RoomCommand::Send(Box::new(event));
    let sent: Sent = objects::room(&call, &room_id, &command).await?;
    respond::json(&SentBody { event_id: sent.event_id })
}

/// Checks what the room cannot know by itself: whether aliases and invited users exist.
async fn check_content(
    call: &Call<Authenticated>,
    room_id: &RoomId,
    event_type: &str,
    state_key: &str,
    content: &Map<String, Json>,
) -> Result<()> {
    if event_type == "m.room.canonical_alias" && state_key.is_empty() {
        return canonical_alias::check(call, room_id, content).await;
    }
    let invites = content.get("membership").and_then(Json::as_str) == Some("invite");
    if event_type == "m.room.member" && invites {
        let target: OwnedUserId = parse_id(state_key)?;
        profile::of_users(call, &[target]).await?;
    }
    Ok(())
}
