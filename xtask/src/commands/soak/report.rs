//! What a run tells at its end.

use std::time::Duration;

use serde_json::Value;

use super::{
    Plan,
    encryption::Story,
    followers::Followed,
    windows::{Strike, Tally, WINDOWS},
};
use crate::progress::{print, seconds};

/// Everything that came of a run.
pub(super) struct Outcome {
    pub violations: Vec<String>,
    pub took: Duration,
    pub expected: usize,
    pub groups: usize,
    pub unheld: usize,
    pub misses: usize,
    pub kills: usize,
    pub resets: usize,
    pub restarts: Vec<Duration>,
    pub tally: Tally,
    pub slack: Value,
    pub attempts: u64,
    pub repeated: u64,
    pub appservice_events: usize,
    pub devices: Vec<Followed>,
    pub encryption: Story,
}

/// Prints it.
pub(super) fn print_all(plan: &Plan, outcome: &Outcome) {
    print(format_args!("\n{:<30} {:>6} {:>7} {:>6}", "window", "kills", "aborts", "panics"));
    for (window, _) in WINDOWS {
        let count = |strike| outcome.tally.count(window, strike);
        print(format_args!(
            "{window:<30} {:>6} {:>7} {:>6}",
            count(Strike::Kill),
            count(Strike::Abort),
            count(Strike::Panic)
        ));
    }
    print(format_args!(
        "\n{} messages in {}: {} kills (back after {} on average), {} random resets, {} strikes that found no window",
        outcome.expected,
        seconds(outcome.took),
        outcome.kills,
        seconds(average(&outcome.restarts)),
        outcome.resets,
        outcome.misses,
    ));
    print(format_args!(
        "{} groups in disorder, {} of them not held long enough to promise an order; {} requests for the answers, \
         {} acknowledged ones repeated; {} events over HTTP to an appservice",
        outcome.groups, outcome.unheld, outcome.attempts, outcome.repeated, outcome.appservice_events,
    ));
    slack(&outcome.slack);
    for device in &outcome.devices {
        print(format_args!(
            "{}: {} events, {} gaps filled by paging, {} failed polls{}",
            device.name,
            device.device.timeline.len(),
            device.device.gaps,
            device.errors,
            device.last_error.as_ref().map(|error| format!(" (the last: {error})")).unwrap_or_default(),
        ));
    }
    let Story { given, sent, changes, failed, violations } = &outcome.encryption;
    print(format_args!(
        "encryption: {} keys claimed, {sent} messages to a device, {changes} changes of keys, {failed} failed requests{}",
        given.len(),
        if violations.is_empty() {
            ": no key handed out twice, no message lost or doubled after acknowledgement, no change missed"
        } else {
            ""
        },
    ));
    if outcome.violations.is_empty() {
        print(format_args!("\nNothing is lost, nothing is doubled (seed {}).", plan.seed));
        return;
    }
    print(format_args!("\n{} VIOLATIONS (seed {}):", outcome.violations.len(), plan.seed));
    for violation in &outcome.violations {
        print(format_args!("  - {violation}"));
    }
}

fn slack(stats: &Value) {
    let number = |pointer: &str| stats.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let faults: Vec<String> = stats
        .pointer("/faults/counts")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(kind, count)| format!("{} × {count}", kind.replace("chat.postMessage ", "")))
        .collect();
    print(format_args!(
        "Slack: {} webhooks acknowledged, {} refused and retried; faults on posts: {}",
        number("/deliveries/acknowledged"),
        number("/deliveries/refused"),
        if faults.is_empty() { "none".to_owned() } else { faults.join(", ") },
    ));
}

fn average(times: &[Duration]) -> Duration {
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
    times.iter().sum::<Duration>() / count
}
