//! What users report to the operator: D1 is its only home.

use super::{Directory, run};
use crate::database::{DatabaseError, Row};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A random id.
    pub report_id: String,
    /// When, in milliseconds since the epoch.
    pub created_at: i64,
    /// Who reports.
    pub reporter: String,
    /// The room, for a report of a room or an event.
    pub room_id: Option<String>,
    /// The event.
    pub event_id: Option<String>,
    /// The user, for a report of a user.
    pub user_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How offensive an event is, from -100 to 0.
    pub score: Option<i64>,
}

impl Report {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            created_at: row.integer(0)?,
            report_id: row.text(1)?,
            reporter: row.text(2)?,
            room_id: row.optional_text(3)?,
            event_id: row.optional_text(4)?,
            user_id: row.optional_text(5)?,
            reason: row.optional_text(6)?,
            score: row.optional_integer(7)?,
        })
    }
}

/// How many reports one user may make in a time.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// At most so many.
    pub reports: u32,
    /// Counted from this moment on.
    pub since: i64,
}

/// Whether the reporter has used up what is allowed.
pub async fn is_exhausted(
    directory: &dyn Directory,
    reporter: &str,
    allowance: Allowance,
) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "SELECT COUNT(*) FROM reports WHERE reporter = ? AND created_at >= ?",
        vec![reporter.into(), allowance.since.into()],
    )
    .await?;
    let made = rows.first().map_or(Ok(0), |row| row.integer(0))?;
    Ok(made >= i64::from(allowance.reports))
}

/// Stores a report if what it names (a room or a user) is known here: a report of something else
/// leaves nothing, and its sender learns nothing.
pub async fn insert(directory: &dyn Directory, report: &Report) -> Result<(), DatabaseError> {
    run(
        directory,
        "INSERT INTO reports (created_at, report_id, reporter, room_id, event_id, user_id, reason, score)
         SELECT ?, ?, ?, ?, ?, ?, ?, ?
         WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?) OR EXISTS (SELECT 1 FROM accounts WHERE user_id = ?)",
        vec![
            report.created_at.into(),
            (&report.report_id).into(),
            (&report.reporter).into(),
            report.room_id.clone().into(),
            report.event_id.clone().into(),
            report.user_id.clone().into(),
            report.reason.clone().into(),
            report.score.into(),
            report.room_id.clone().into(),
            report.user_id.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// At most `limit` reports, newest first, older than the one of this moment and id.
pub async fn list(
    directory: &dyn Directory,
    before: Option<(i64, &str)>,
    limit: u32,
) -> Result<Vec<Report>, DatabaseError> {
    let (created_at, report_id) = before.unwrap_or((1 << 52, ""));
    let rows = run(
        directory,
        "SELECT created_at, report_id, reporter, room_id, event_id, user_id, reason, score FROM reports
         WHERE (created_at, report_id) < (?, ?) ORDER BY created_at DESC, report_id DESC LIMIT ?",
        vec![created_at.into(), report_id.into(), limit.into()],
    )
    .await?;
    rows.iter().map(Report::from_row).collect()
}

/// Deletes a report; whether there was one.
pub async fn delete(directory: &dyn Directory, created_at: i64, report_id: &str) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "DELETE FROM reports WHERE created_at = ? AND report_id = ? RETURNING report_id",
        vec![created_at.into(), report_id.into()],
    )
    .await?;
    Ok(!rows.is_empty())
}
