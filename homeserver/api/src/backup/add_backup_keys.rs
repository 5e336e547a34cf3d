//! `PUT /_matrix/client/*/room_keys/keys` ([spec])
//!
//! Stores sessions of several rooms, each unless a better one is there.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3room_keyskeys

use std::collections::BTreeMap;

use hubbub_core::error::Result;
use serde::Deserialize;

use super::{RoomSessions, of_room, put};
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

#[derive(Deserialize)]
struct Body {
    rooms: BTreeMap<String, RoomSessions>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let rooms = body.rooms.into_iter().map(|(room_id, room)| of_room(&room_id, room));
    let sessions = rooms.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    put(&call, sessions).await
}
