//! What a month would cost on Cloudflare, from the measured operations.
//!
//! Prices and quotas are those of `docs.cloudflare.com` for Workers, Durable Objects and D1 (October 2026). Two things cannot be
//! counted here and are assumed: how long an object is awake for a request, and that each finished poll closes a socket.

use serde::Serialize;

use super::figures::Figure;
use crate::load::operations::Counts;

/// Seconds that an object is assumed to be awake for each of its requests.
const AWAKE_SECONDS: f64 = 0.010;
/// What is billed of its memory.
const GIGABYTES: f64 = 0.128;
const DAYS: f64 = 30.0;
/// Polls of 30 s that a device makes in a day.
const POLLS: f64 = 2_880.0;
/// Ticks of the frequent cron in a day.
const TICKS: f64 = 288.0;

/// A month of somebody's.
#[derive(Clone, Copy)]
struct Habit {
    name: &'static str,
    devices: f64,
    slack_messages_a_day: f64,
    /// In bursts, which share rows, instead of alone.
    in_bursts: bool,
    answers_a_day: f64,
}

const HABITS: [Habit; 2] = [
    Habit { name: "idle", devices: 2.0, slack_messages_a_day: 20.0, in_bursts: false, answers_a_day: 5.0 },
    Habit { name: "busy", devices: 2.0, slack_messages_a_day: 3_000.0, in_bursts: true, answers_a_day: 300.0 },
];

/// A month's use and price.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Month {
    /// Whose.
    pub habit: String,
    /// What it consists of.
    pub means: String,
    /// Each thing that is billed.
    pub lines: Vec<Line>,
    /// Dollars beyond the paid plan's own 5.
    pub paid_extra_dollars: f64,
}

/// One thing that is billed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// What.
    pub what: &'static str,
    /// How much a month.
    pub month: f64,
    /// Per cent of the free plan's day.
    pub free_percent: f64,
    /// Dollars beyond what the paid plan includes.
    pub paid_dollars: f64,
}

/// What a plan gives.
struct Price {
    what: &'static str,
    free_a_day: f64,
    included_a_month: f64,
    dollars_a_million: f64,
}

const PRICES: [Price; 7] = [
    Price { what: "Worker requests", free_a_day: 1e5, included_a_month: 1e7, dollars_a_million: 0.30 },
    Price { what: "object requests", free_a_day: 1e5, included_a_month: 1e6, dollars_a_million: 0.15 },
    Price { what: "object GB-s", free_a_day: 13_000.0, included_a_month: 4e5, dollars_a_million: 12.50 },
    Price { what: "object rows read", free_a_day: 5e6, included_a_month: 2.5e10, dollars_a_million: 0.001 },
    Price { what: "object rows written", free_a_day: 1e5, included_a_month: 5e7, dollars_a_million: 1.0 },
    Price { what: "D1 rows read", free_a_day: 5e6, included_a_month: 2.5e10, dollars_a_million: 0.001 },
    Price { what: "D1 rows written", free_a_day: 1e5, included_a_month: 5e7, dollars_a_million: 1.0 },
];

/// The months of somebody idle and of somebody busy; none when something was not measured.
pub(super) fn months(figures: &[Figure]) -> Vec<Month> {
    HABITS.iter().filter_map(|habit| month(habit, figures)).collect()
}

fn month(habit: &Habit, figures: &[Figure]) -> Option<Month> {
    let all = |name: &str| figures.iter().find(|figure| figure.name == name)?.all;
    let poll = all("sync, idle")?;
    let message = all(if habit.in_bursts { "Slack burst" } else { "Slack to sync" })?;
    // Each message ends the polls of all devices; the measured one had a poll of its own.
    let woken = habit.slack_messages_a_day * habit.devices;
    let polls = habit.devices * POLLS + woken;
    let day = message
        .times(habit.slack_messages_a_day)
        .plus(all("answer to Slack")?.times(habit.answers_a_day))
        .plus(poll.times(polls))
        .plus(all("cron")?.times(TICKS));
    let requests = habit.slack_messages_a_day + 2.0 * habit.answers_a_day + polls + TICKS;
    let lines = lines(day, requests, polls);
    Some(Month {
        habit: habit.name.to_owned(),
        means: format!(
            "{} devices that poll day and night, {} messages from Slack and {} answers a day",
            habit.devices, habit.slack_messages_a_day, habit.answers_a_day
        ),
        paid_extra_dollars: lines.iter().map(|line| line.paid_dollars).sum(),
        lines,
    })
}

fn lines(day: Counts, requests: f64, polls: f64) -> Vec<Line> {
    // A poll's socket is closed, which is one more request.
    let object_requests = day.object_calls + day.alarms_rung + polls;
    let used = [
        requests,
        object_requests,
        object_requests * AWAKE_SECONDS * GIGABYTES,
        day.rows_read,
        day.rows_written + day.alarms_set,
        day.d1_rows_read,
        day.d1_rows_written,
    ];
    let line = |(price, a_day): (&Price, f64)| Line {
        what: price.what,
        month: a_day * DAYS,
        free_percent: 100.0 * a_day / price.free_a_day,
        paid_dollars: (a_day * DAYS - price.included_a_month).max(0.0) * price.dollars_a_million / 1e6,
    };
    PRICES.iter().zip(used).map(line).collect()
}
