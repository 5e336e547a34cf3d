//! `POST /_matrix/client/*/rooms/{roomId}/join` ([spec])
//!
//! Joins a room. Unknown keys of the body go into the member event.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidjoin

use hubbub_core::{contract::room::MembershipAction, error::Result};
use ruma::{OwnedRoomId, RoomId};
use serde::Serialize;

use crate::{
    answer::Outcome,
    call::{Call, optional_text},
    credentials::Authenticated,
    respond,
};

#[derive(Serialize)]
struct Body<'a> {
    room_id: &'a RoomId,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    join(&call, &room_id).await
}

/// Joins the room with what the body says.
pub(super) async fn join(call: &Call<Authenticated>, room_id: &RoomId) -> Result<Outcome> {
    let mut extra = call.object()?;
    let reason = optional_text(&extra, "reason")?;
    // What the room alone may say, and what is no part of the event.
    for key in ["reason", "membership", "third_party_signed", "join_authorised_via_users_server"] {
        extra.remove(key);
    }
    let user_id = call.auth.user_id().clone();
    let mut change = super::change(call, user_id, MembershipAction::Join, reason);
    change.profile = call.auth.profile(call).await?;
    change.extra = extra;
    super::carry_out(call, room_id, change).await?;
    respond::json(&Body { room_id })
}
