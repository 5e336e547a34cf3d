//! `POST /_matrix/client/*/room_keys/version` ([spec])
//!
//! Begins a new version of the backup; from now on only it takes sessions.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3room_keysversion

use hubbub_core::{
    contract::{Address, backup::BackupCommand, keys::KeysCommand},
    error::Result,
};
use serde_json::json;

use super::VersionBody;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: VersionBody = call.parse()?;
    let command = BackupCommand::Create { algorithm: body.algorithm, auth_data: body.auth_data };
    // Once: repeating it would begin another version.
    let address = Address::user_keys(call.auth.user_id());
    let version: String = objects::call(&*call.context.objects, address, &KeysCommand::Backup(command)).await?;
    respond::json(&json!({ "version": version }))
}
