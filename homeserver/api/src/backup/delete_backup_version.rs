//! `DELETE /_matrix/client/*/room_keys/version/{version}` ([spec])
//!
//! Deletes a version with all its sessions.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3room_keysversionversion

use hubbub_core::{contract::backup::BackupCommand, error::Result};

use super::ask;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let () = ask(&call, BackupCommand::Delete { version: call.argument(0).to_owned() }).await?;
    respond::empty()
}
