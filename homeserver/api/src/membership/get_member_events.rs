//! `GET /_matrix/client/*/rooms/{roomId}/members` ([spec])
//!
//! The member events of a room, now or at a token, filtered by membership.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidmembers

use std::borrow::Cow;

use hubbub_core::{contract::room::RoomCommand, error::Result};
use ruma::OwnedRoomId;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond, tokens::room_token};

#[derive(Serialize)]
struct Body {
    chunk: Vec<Box<RawValue>>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let query = |name| call.query(name).map(Cow::into_owned);
    let command = RoomCommand::Members {
        reader: call.auth.user_id().clone(),
        at: room_token(&call, &room_id, "at").await?,
        membership: query("membership"),
        not_membership: query("not_membership"),
    };
    let chunk = objects::room(&call, &room_id, &command).await?;
    respond::json(&Body { chunk })
}
