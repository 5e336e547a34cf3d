//! `GET /_matrix/client/*/pushrules/global/{kind}/{ruleId}/actions` ([spec])
//!
//! The actions of the rule.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    super::read(&call, PushRuleOperation::GetActions { kind, rule_id }).await
}
