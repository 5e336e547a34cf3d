//! `PUT /_matrix/client/*/pushrules/global/{kind}/{ruleId}/enabled` ([spec])
//!
//! Enables or disables a rule.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled

use hubbub_core::{contract::user::PushRuleOperation, error::Result};
use serde::Deserialize;

use crate::{answer::Outcome, call::Call, credentials::Claim};

#[derive(Deserialize)]
struct Body {
    enabled: bool,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    let body: Body = call.parse()?;
    let operation = PushRuleOperation::SetEnabled { kind, rule_id, enabled: body.enabled };
    super::write(&call, operation).await
}
