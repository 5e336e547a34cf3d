//! `GET /_matrix/client/*/room_keys/version` ([spec])
//!
//! The newest version of the backup.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3room_keysversion

use hubbub_core::{contract::backup::BackupCommand, error::Result};

use super::{ask, shown};
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    shown(&ask(&call, BackupCommand::Get { version: None }).await?)
}
