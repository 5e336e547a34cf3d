//! `PUT /_matrix/client/*/room_keys/version/{version}` ([spec])
//!
//! Replaces `auth_data` of a version; its algorithm stays.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3room_keysversionversion

use hubbub_core::{
    contract::backup::BackupCommand,
    error::{MatrixError, Result},
};

use super::{VersionBody, ask};
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: VersionBody = call.parse()?;
    let version = call.argument(0).to_owned();
    if body.version.is_some_and(|named| named != version) {
        return Err(MatrixError::invalid_param("The version in the body is another than that of the path."));
    }
    let command = BackupCommand::Update { version, algorithm: body.algorithm, auth_data: body.auth_data };
    let () = ask(&call, command).await?;
    respond::empty()
}
