//! `GET /_matrix/client/*/room_keys/keys/{roomId}` ([spec])
//!
//! The sessions of a room in a version; without any, an empty object.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3room_keyskeysroomid

use hubbub_core::{contract::backup::BackupScope, error::Result};

use super::get;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id = call.argument(0).to_owned();
    let mut rooms = get(&call, BackupScope::Room(room_id.clone())).await?;
    respond::json(&rooms.remove(&room_id).unwrap_or_default())
}
