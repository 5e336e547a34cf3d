//! `GET /_matrix/client/*/pushrules/global/{kind}/{ruleId}/enabled` ([spec])
//!
//! Whether the rule is enabled.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    super::read(&call, PushRuleOperation::GetEnabled { kind, rule_id }).await
}
