//! `PUT /_matrix/client/*/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! Stores a session unless a better one is there, which is no error.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid

use hubbub_core::error::Result;

use super::{RoomSessions, of_room, put};
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let sessions = [(call.argument(1).to_owned(), call.parse()?)].into();
    let sessions = of_room(call.argument(0), RoomSessions { sessions })?;
    put(&call, sessions).await
}
