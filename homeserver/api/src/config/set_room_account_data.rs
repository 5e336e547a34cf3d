//! `PUT /_matrix/client/*/user/{userId}/rooms/{roomId}/account_data/{type}` ([spec])
//!
//! Replaces one type of the user's account data for a room.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype

use hubbub_core::error::Result;

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::write(&call, Some(call.id(1)?), call.argument(2)).await
}
