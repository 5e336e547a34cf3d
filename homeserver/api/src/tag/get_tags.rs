//! `GET /_matrix/client/*/user/{userId}/rooms/{roomId}/tags` ([spec])
//!
//! The tags that the user gave a room.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3useruseridroomsroomidtags

use hubbub_core::{contract::people::TagOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    respond::json(&super::ask(&call, TagOperation::Get).await?)
}
