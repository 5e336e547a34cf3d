//! `GET /_matrix/client/*/user/{userId}/rooms/{roomId}/account_data/{type}` ([spec])
//!
//! One type of the user's account data for a room; 404 `M_NOT_FOUND` when it was never set.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype

use hubbub_core::error::Result;

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::read(&call, Some(call.id(1)?), call.argument(2)).await
}
