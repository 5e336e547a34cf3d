//! `POST /_hubbub/admin/v1/rebuild-room`
//!
//! Wipes a room's object and builds it again from D1's archive, under a new epoch.

use hubbub_core::{
    contract::room::{Rebuilt, RoomCommand},
    error::Result,
};
use ruma::OwnedRoomId;

use crate::{
    answer::Outcome,
    call::{Call, parse_id, required_text},
    credentials::Admin,
    objects, respond,
};

pub(crate) async fn handle(call: Call<Admin>) -> Result<Outcome> {
    let room_id: OwnedRoomId = parse_id(&required_text(&call.object()?, "room_id")?)?;
    let rebuilt: Rebuilt = objects::room(&call, &room_id, &RoomCommand::Rebuild).await?;
    respond::json(&rebuilt)
}
