//! `PUT /_matrix/client/*/user/{userId}/account_data/{type}` ([spec])
//!
//! Replaces one type of the user's account data.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3useruseridaccount_datatype

use hubbub_core::error::Result;

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::write(&call, None, call.argument(1)).await
}
