//! `DELETE /_matrix/client/*/pushrules/global/{kind}/{ruleId}` ([spec])
//!
//! Removes a rule of the user's own.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    super::write(&call, PushRuleOperation::Delete { kind, rule_id }).await
}
