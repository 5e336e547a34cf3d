//! `DELETE /_matrix/client/*/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! Deletes a session of a version.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3room_keyskeysroomidsessionid

use hubbub_core::{contract::backup::BackupScope, error::Result};

use super::delete;
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    delete(&call, BackupScope::Session(call.argument(0).to_owned(), call.argument(1).to_owned())).await
}
