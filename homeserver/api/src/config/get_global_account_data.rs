//! `GET /_matrix/client/*/user/{userId}/account_data/{type}` ([spec])
//!
//! One type of the user's account data; 404 `M_NOT_FOUND` when it was never set.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3useruseridaccount_datatype

use hubbub_core::error::Result;

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::read(&call, None, call.argument(1)).await
}
