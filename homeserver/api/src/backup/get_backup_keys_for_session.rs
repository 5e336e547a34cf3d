//! `GET /_matrix/client/*/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! A session of a version; 404 `M_NOT_FOUND` when it is not there.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid

use hubbub_core::{
    contract::backup::BackupScope,
    error::{MatrixError, Result},
};

use super::get;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let (room_id, session_id) = (call.argument(0).to_owned(), call.argument(1).to_owned());
    let rooms = get(&call, BackupScope::Session(room_id, session_id)).await?;
    let found = rooms.into_values().flat_map(|room| room.sessions.into_values()).next();
    respond::json(&found.ok_or_else(|| MatrixError::not_found("The key backup has no such session."))?)
}
