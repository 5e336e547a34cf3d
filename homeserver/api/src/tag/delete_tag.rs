//! `DELETE /_matrix/client/*/user/{userId}/rooms/{roomId}/tags/{tag}` ([spec])
//!
//! Takes a tag off a room; one that is not there is fine.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag

use hubbub_core::{contract::people::TagOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::ask(&call, TagOperation::Delete { tag: call.argument(2).to_owned() }).await?;
    respond::empty()
}
