//! Counts of everything that Cloudflare bills, made where the bindings are called ([`crate::ports`]).
//!
//! Each operation is added to the isolate's total and to the bill of the request that caused it, if
//! one is kept ([`crate::scope`]). The total includes what objects do in the background, since
//! under Miniflare all objects live in the same isolate; on Cloudflare it is one isolate's share.
//! A reset of the isolate (a panic, a restart) starts it from nothing.

use std::{cell::Cell, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast as _;
use worker::js_sys::{ArrayBuffer, WebAssembly};

use crate::scope;

/// The response header that holds a request's bill, between objects and to the operator.
pub const OPERATIONS_HEADER: &str = "x-hubbub-operations";
/// The request header that asks for a bill: the admin token from outside, `object` between objects.
pub const BILL_HEADER: &str = "x-hubbub-bill";

/// How often each billable operation was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests to Durable Objects.
    pub object_calls: u64,
    /// Rows that objects read in their SQLite databases.
    pub rows_read: u64,
    /// Rows that objects wrote there, index entries and deletes included.
    pub rows_written: u64,
    /// Alarms set: each is billed as one more row written.
    pub alarms_set: u64,
    /// Alarms that rang: each is billed as a request.
    pub alarms_rung: u64,
    /// Statements run by D1.
    pub d1_statements: u64,
    /// Calls of D1, each with one or more statements: round trips.
    pub d1_batches: u64,
    /// Rows read in D1.
    pub d1_rows_read: u64,
    /// Rows written in D1.
    pub d1_rows_written: u64,
    /// Requests to hosts outside.
    pub fetches: u64,
    /// Writes to R2 (class A operations).
    pub r2_writes: u64,
    /// Reads from R2 (class B operations); deletes are free.
    pub r2_reads: u64,
    /// Questions to the rate limiter.
    pub rate_limit_checks: u64,
}

impl Counts {
    /// These counts and those of `other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            object_calls: self.object_calls.saturating_add(other.object_calls),
            rows_read: self.rows_read.saturating_add(other.rows_read),
            rows_written: self.rows_written.saturating_add(other.rows_written),
            alarms_set: self.alarms_set.saturating_add(other.alarms_set),
            alarms_rung: self.alarms_rung.saturating_add(other.alarms_rung),
            d1_statements: self.d1_statements.saturating_add(other.d1_statements),
            d1_batches: self.d1_batches.saturating_add(other.d1_batches),
            d1_rows_read: self.d1_rows_read.saturating_add(other.d1_rows_read),
            d1_rows_written: self.d1_rows_written.saturating_add(other.d1_rows_written),
            fetches: self.fetches.saturating_add(other.fetches),
            r2_writes: self.r2_writes.saturating_add(other.r2_writes),
            r2_reads: self.r2_reads.saturating_add(other.r2_reads),
            rate_limit_checks: self.rate_limit_checks.saturating_add(other.rate_limit_checks),
        }
    }
}

thread_local! {
    static TOTAL: Cell<Counts> = Cell::default();
    static OPENED: Cell<BTreeMap<&'static str, u64>> = const { Cell::new(BTreeMap::new()) };
}

/// Counts operations just done.
pub fn count(done: Counts) {
    TOTAL.set(TOTAL.get().plus(done));
    charge(done);
}

/// Adds to the current bill only: what another object did on the current task's behalf, and has
/// counted in the total already.
pub fn charge(done: Counts) {
    if let Some(bill) = scope::current().bill {
        bill.set(bill.get().plus(done));
    }
}

/// Notes that an object of this class was constructed: after an eviction it is so again.
pub fn count_opened(class: &'static str) {
    OPENED.with(|opened| {
        let mut classes = opened.take();
        *classes.entry(class).or_default() += 1;
        opened.set(classes);
    });
}

/// Everything since the isolate started.
#[derive(Serialize)]
pub struct Totals {
    #[serde(flatten)]
    counts: Counts,
    /// How often objects of each class were constructed.
    constructed: BTreeMap<&'static str, u64>,
    /// How much memory the program has, in bytes: it never shrinks.
    memory_bytes: u64,
}

/// Everything since the isolate started.
pub fn totals() -> Totals {
    let constructed = OPENED.with(|opened| {
        let classes = opened.take();
        opened.set(classes.clone());
        classes
    });
    Totals { counts: TOTAL.get(), constructed, memory_bytes: memory_bytes() }
}

fn memory_bytes() -> u64 {
    let buffer = wasm_bindgen::memory().unchecked_into::<WebAssembly::Memory>().buffer();
    buffer.unchecked_into::<ArrayBuffer>().byte_length().into()
}
