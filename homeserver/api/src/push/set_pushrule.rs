//! `PUT /_matrix/client/*/pushrules/global/{kind}/{ruleId}` ([spec])
//!
//! Makes or replaces a rule of the user's own, before or after another one if the query says so.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid

use std::borrow::Cow;

use hubbub_core::{contract::user::PushRuleOperation, error::Result};

use crate::{answer::Outcome, call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let (kind, rule_id) = super::rule(&call);
    let operation = PushRuleOperation::Put {
        kind,
        rule_id,
        rule: call.raw_object()?,
        before: call.query("before").map(Cow::into_owned),
        after: call.query("after").map(Cow::into_owned),
    };
    super::write(&call, operation).await
}
