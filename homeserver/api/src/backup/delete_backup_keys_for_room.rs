//! `DELETE /_matrix/client/*/room_keys/keys/{roomId}` ([spec])
//!
//! Deletes the sessions of a room in a version.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3room_keyskeysroomid

use hubbub_core::{contract::backup::BackupScope, error::Result};

use super::delete;
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    delete(&call, BackupScope::Room(call.argument(0).to_owned())).await
}
