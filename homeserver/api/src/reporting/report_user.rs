//! `POST /_matrix/client/v3/users/{userId}/report` ([spec])
//!
//! Reports a user. The answer is the same for a user who does not exist.
//!
//! [spec]: https://spec.matrix.org/v1.14/client-server-api/#post_matrixclientv3usersuseridreport

use hubbub_core::error::Result;
use hubbub_storage::directory::reports::{self, Report};
use ruma::OwnedUserId;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    let report = Report { user_id: Some(user_id.to_string()), ..super::report(&call, &call.object()?)? };
    super::check_allowance(&call).await?;
    reports::insert(&*call.context.directory, &report).await?;
    respond::empty()
}
