//! `PUT /_matrix/client/*/room_keys/keys/{roomId}` ([spec])
//!
//! Stores sessions of a room, each unless a better one is there.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3room_keyskeysroomid

use hubbub_core::error::Result;

use super::{of_room, put};
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let sessions = of_room(call.argument(0), call.parse()?)?;
    put(&call, sessions).await
}
