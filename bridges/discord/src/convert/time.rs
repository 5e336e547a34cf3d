//! Timestamps in a text, `<t:SECONDS:STYLE>`
//! ([docs](https://docs.discord.com/developers/reference#message-formatting-timestamp-styles)).
//!
//! Discord shows them in the reader's zone; Matrix has nothing of the kind, so they are UTC, and a
//! relative one is absolute: an event does not change while time passes.

use jiff::{Timestamp, tz::TimeZone};

/// What a timestamp shows; `None` when there is no such moment or style.
pub(super) fn shown(seconds: &str, style: Option<&str>) -> Option<String> {
    let format = match style.unwrap_or("f") {
        "t" => "%H:%M UTC",
        "T" => "%H:%M:%S UTC",
        "d" => "%Y-%m-%d",
        "D" => "%-d %B %Y",
        "f" | "R" | "s" => "%-d %B %Y %H:%M UTC",
        "F" => "%A, %-d %B %Y %H:%M UTC",
        "S" => "%-d %B %Y %H:%M:%S UTC",
        _ => return None,
    };
    let moment = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    Some(moment.to_zoned(TimeZone::UTC).strftime(format).to_string())
}
