//! `GET /_matrix/client/*/pushrules/global/` ([spec])
//!
//! The push rules of the global scope, which is the only one.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3pushrulesglobal

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    super::read(&call, PushRuleOperation::GetGlobal).await
}
