//! What Cloudflare would bill, as the server counts it.

use std::ops::Sub;

use serde_json::Value;

/// How often each billable operation was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to Durable Objects.
    pub object_calls: i64,
    /// Rows read in objects.
    pub rows_read: i64,
    /// Rows written in objects.
    pub rows_written: i64,
    /// Alarms set: one more row written each.
    pub alarms_set: i64,
    /// Rows read in D1.
    pub d1_rows_read: i64,
    /// Rows written in D1.
    pub d1_rows_written: i64,
    /// Requests to hosts outside.
    pub fetches: i64,
}

impl Counts {
    /// Reads the server's JSON.
    pub(crate) fn read(counts: &Value) -> Self {
        let of = |name: &str| counts[name].as_i64().unwrap_or_else(|| panic!("no {name} in {counts}"));
        Self {
            object_calls: of("object_calls"),
            rows_read: of("rows_read"),
            rows_written: of("rows_written"),
            alarms_set: of("alarms_set"),
            d1_rows_read: of("d1_rows_read"),
            d1_rows_written: of("d1_rows_written"),
            fetches: of("fetches"),
        }
    }

    /// All rows written as the bill counts them: in objects and D1, with one for each alarm.
    pub fn written(self) -> i64 {
        self.rows_written + self.alarms_set + self.d1_rows_written
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            object_calls: self.object_calls - before.object_calls,
            rows_read: self.rows_read - before.rows_read,
            rows_written: self.rows_written - before.rows_written,
            alarms_set: self.alarms_set - before.alarms_set,
            d1_rows_read: self.d1_rows_read - before.d1_rows_read,
            d1_rows_written: self.d1_rows_written - before.d1_rows_written,
            fetches: self.fetches - before.fetches,
        }
    }
}
