//! `GET /_matrix/client/*/room_keys/keys` ([spec])
//!
//! All sessions of a version.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3room_keyskeys

use hubbub_core::{contract::backup::BackupScope, error::Result};
use serde_json::json;

use super::get;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let rooms = get(&call, BackupScope::All).await?;
    respond::json(&json!({ "rooms": rooms }))
}
