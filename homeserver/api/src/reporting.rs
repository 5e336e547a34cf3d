//! Telling the operator of something bad
//! ([spec](https://spec.matrix.org/v1.14/client-server-api/#reporting-content)).
//!
//! Reports go to D1; the operator reads them under `/_hubbub/admin/v1/reports`. Whoever reports
//! learns nothing of what exists.

mod report_content;
mod report_room;
mod report_user;

use http::Method;
use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::directory::reports::{self, Allowance, Report};
use ruma::api::client::room;
use serde_json::{Map, Value as Json};

use crate::{
    call::{Call, optional_text},
    credentials::Authenticated,
    endpoint::{Endpoint, of, own},
};

/// The most bytes of a reason.
const MAX_REASON_BYTES: usize = 4_096;
/// How many reports a user makes in an hour.
const REPORTS_AN_HOUR: u32 = 30;
const HOUR_MS: i64 = 3_600_000;

/// The endpoints of this area. Those for rooms and users came with v1.13 and v1.14.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<room::report_content::v3::Request>().raw(report_content::handle),
        own(Method::POST, "/_matrix/client/v3/rooms/{room_id}/report").raw(report_room::handle),
        own(Method::POST, "/_matrix/client/v3/users/{user_id}/report").raw(report_user::handle),
    ]
}

/// A report by the user who asks, with nothing but who, when and why. 413 `M_TOO_LARGE` for a
/// reason beyond 4 KiB.
fn report(call: &Call<Authenticated>, body: &Map<String, Json>) -> Result<Report> {
    let reason = optional_text(body, "reason")?.filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON_BYTES) {
        return Err(MatrixError::too_large("A reason is not longer than 4 KiB."));
    }
    Ok(Report {
        report_id: call.context.random_id(),
        created_at: call.context.clock.now(),
        reporter: call.auth.user_id().to_string(),
        room_id: None,
        event_id: None,
        user_id: None,
        reason,
        score: None,
    })
}

/// Refuses with 429 `M_LIMIT_EXCEEDED` whoever reported too much in the last hour.
async fn check_allowance(call: &Call<Authenticated>) -> Result<()> {
    let context = &call.context;
    let allowance = Allowance { reports: REPORTS_AN_HOUR, since: context.clock.now() - HOUR_MS };
    let reporter = call.auth.user_id().as_str();
    if context.config.rate_limits && reports::is_exhausted(&*context.directory, reporter, allowance).await? {
        return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "You reported much in this hour; wait a while.")
            .with("retry_after_ms", HOUR_MS));
    }
    Ok(())
}
