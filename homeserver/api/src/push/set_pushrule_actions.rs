//! `PUT /_matrix/client/*/pushrules/global/{kind}/{ruleId}/actions` ([spec])
//!
//! Replaces the actions of a rule; they are kept as they are given, retired ones too.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions

use hubbub_core::{contract::user::PushRuleOperation, error::Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Claim};

#[derive(Deserialize)]
struct Body {
    actions: Box<RawValue>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    let body: Body = call.parse()?;
    let operation = PushRuleOperation::SetActions { kind, rule_id, actions: body.actions };
    super::write(&call, operation).await
}
