//! `GET /_matrix/client/*/pushrules/` ([spec])
//!
//! All push rules of the user.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3pushrules

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::read(&call, PushRuleOperation::GetAll).await
}
