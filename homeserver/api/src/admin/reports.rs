//! `GET /_hubbub/admin/v1/reports` and `DELETE …/reports/{id}`
//!
//! What users reported, newest first, by pages (`limit`, `before`: the `next` of the page before),
//! and deleting what was dealt with.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::directory::reports::{self, Report};
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Admin, respond};

/// How many reports a page has when nobody says.
const DEFAULT_LIMIT: u32 = 50;
/// The most reports of a page.
const MAX_LIMIT: u32 = 200;

#[derive(Serialize)]
struct Page {
    reports: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    created_at: i64,
    reporter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<i64>,
}

impl From<Report> for Shown {
    fn from(report: Report) -> Self {
        Self {
            id: format!("{}_{}", report.created_at, report.report_id),
            created_at: report.created_at,
            reporter: report.reporter,
            room_id: report.room_id,
            event_id: report.event_id,
            user_id: report.user_id,
            reason: report.reason,
            score: report.score,
        }
    }
}

pub(crate) async fn list(call: Call<Admin>) -> Result<Outcome> {
    let limit = call.query_as("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let before = call.query("before");
    let before = before.as_deref().map(parse).transpose()?;
    let found = reports::list(&*call.context.directory, before, limit).await?;
    let full = found.len() == usize::try_from(limit).map_err(MatrixError::internal)?;
    let reports: Vec<Shown> = found.into_iter().map(Shown::from).collect();
    let next = reports.last().filter(|_| full).map(|report| report.id.clone());
    respond::json(&Page { reports, next })
}

pub(crate) async fn delete(call: Call<Admin>) -> Result<Outcome> {
    let (created_at, report_id) = parse(call.argument(0))?;
    if !reports::delete(&*call.context.directory, created_at, report_id).await? {
        return Err(MatrixError::not_found("There is no such report."));
    }
    respond::empty()
}

fn parse(id: &str) -> Result<(i64, &str)> {
    let parts = id.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    parts.ok_or_else(|| MatrixError::invalid_param("This is no id of a report."))
}
