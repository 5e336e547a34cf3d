//! `DELETE /_matrix/client/*/room_keys/keys` ([spec])
//!
//! Deletes all sessions of a version, which stays.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3room_keyskeys

use hubbub_core::{contract::backup::BackupScope, error::Result};

use super::delete;
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    delete(&call, BackupScope::All).await
}
