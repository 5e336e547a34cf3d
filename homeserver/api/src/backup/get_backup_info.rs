//! `GET /_matrix/client/*/room_keys/version/{version}` ([spec])
//!
//! A version of the backup.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3room_keysversionversion

use hubbub_core::{contract::backup::BackupCommand, error::Result};

use super::{ask, shown};
use crate::{answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let version = Some(call.argument(0).to_owned());
    shown(&ask(&call, BackupCommand::Get { version }).await?)
}
