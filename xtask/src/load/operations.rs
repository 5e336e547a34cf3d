//! What the server counts of everything that Cloudflare bills (`/_hubbub/admin/v1/operations`).

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::connection::{Call, Connection};

/// How long nothing may be counted before the server is taken to be through: longer than the safety net's alarms (5 s).
const QUIET: Duration = Duration::from_millis(5_600);
/// The longest wait for that.
const LONGEST: Duration = Duration::from_secs(60);

/// How often each billable operation was done; with `f64`, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests to Durable Objects.
    pub object_calls: f64,
    /// Rows read in objects.
    pub rows_read: f64,
    /// Rows written in objects.
    pub rows_written: f64,
    /// Alarms set: one more row written each.
    pub alarms_set: f64,
    /// Alarms that rang: one more request each.
    pub alarms_rung: f64,
    /// Statements of D1.
    pub d1_statements: f64,
    /// Round trips to D1.
    pub d1_batches: f64,
    /// Rows read in D1.
    pub d1_rows_read: f64,
    /// Rows written in D1.
    pub d1_rows_written: f64,
    /// Requests to hosts outside.
    pub fetches: f64,
    /// Writes to R2.
    pub r2_writes: f64,
    /// Reads from R2.
    pub r2_reads: f64,
}

impl Counts {
    /// Combines two counts, field by field.
    fn zip(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            object_calls: with(self.object_calls, other.object_calls),
            rows_read: with(self.rows_read, other.rows_read),
            rows_written: with(self.rows_written, other.rows_written),
            alarms_set: with(self.alarms_set, other.alarms_set),
            alarms_rung: with(self.alarms_rung, other.alarms_rung),
            d1_statements: with(self.d1_statements, other.d1_statements),
            d1_batches: with(self.d1_batches, other.d1_batches),
            d1_rows_read: with(self.d1_rows_read, other.d1_rows_read),
            d1_rows_written: with(self.d1_rows_written, other.d1_rows_written),
            fetches: with(self.fetches, other.fetches),
            r2_writes: with(self.r2_writes, other.r2_writes),
            r2_reads: with(self.r2_reads, other.r2_reads),
        }
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.zip(before, |now, before| now - before)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |one, other| one + other)
    }

    /// So many times this.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        self.zip(self, |count, _| count * factor)
    }

    /// Rows written as the bill has them: in objects and D1, one for each alarm.
    pub fn written(self) -> f64 {
        self.rows_written + self.alarms_set + self.d1_rows_written
    }
}

/// Reads the counts of a server.
pub struct Meter {
    connection: Connection,
    token: String,
}

impl Meter {
    /// Of the server at `url`.
    pub fn new(url: &str, admin_token: &str) -> Self {
        Self { connection: Connection::new(url), token: admin_token.to_owned() }
    }

    /// Everything since the server started.
    pub fn total(&mut self) -> Result<Counts> {
        let call = Call::get("/_hubbub/admin/v1/operations").with_token(&self.token);
        let answer = self.connection.send(&call)?.success("operations")?;
        serde_json::from_value(answer).context("operations")
    }

    /// The same once nothing is done in the background any more.
    pub fn settled(&mut self) -> Result<Counts> {
        let started = Instant::now();
        let mut known = self.total()?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET && started.elapsed() < LONGEST {
            sleep(Duration::from_millis(100));
            let now = self.total()?;
            if now != known {
                known = now;
                since = Instant::now();
            }
        }
        Ok(known)
    }
}
