//! Slack's dates: seconds, a pattern of `{tokens}`, and a text for who cannot format dates.
//!
//! Slack shows them in the reader's time zone. An event is the same text for all readers, so the
//! fallback that the sender wrote is shown, and without one the pattern, filled in with UTC.

use jiff::{Timestamp, tz::TimeZone};

/// What to show for a date.
///
/// Patterns: <https://docs.slack.dev/messaging/formatting-message-text#date-formatting>.
pub(super) fn shown(seconds: i64, pattern: &str, fallback: Option<&str>) -> String {
    if let Some(fallback) = fallback.filter(|fallback| !fallback.trim().is_empty()) {
        return fallback.to_owned();
    }
    let Ok(timestamp) = Timestamp::from_second(seconds) else {
        return format!("{pattern} {seconds}").trim().to_owned();
    };
    if !pattern.contains('{') {
        return format!("{pattern} {}", timestamp.strftime("%Y-%m-%d %H:%M UTC")).trim().to_owned();
    }
    filled(pattern, timestamp)
}

fn filled(pattern: &str, timestamp: Timestamp) -> String {
    let moment = timestamp.to_zoned(TimeZone::UTC);
    let mut shown = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, from_brace)) = rest.split_once('{') {
        shown.push_str(before);
        let Some((token, after)) = from_brace.split_once('}') else {
            shown.push('{');
            rest = from_brace;
            continue;
        };
        match format_of(token) {
            Some(format) => shown.push_str(&moment.strftime(format).to_string()),
            None => shown.push_str(&format!("{{{token}}}")),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn format_of(token: &str) -> Option<&'static str> {
    Some(match token {
        "date_num" => "%Y-%m-%d",
        "date_slash" => "%m/%d/%Y",
        "date" | "date_pretty" => "%B %-d, %Y",
        "date_short" | "date_short_pretty" => "%b %-d, %Y",
        "date_long" | "date_long_pretty" | "date_long_full" => "%A, %B %-d, %Y",
        "day_divider_pretty" => "%A, %B %-d",
        "time" => "%H:%M UTC",
        "time_secs" => "%H:%M:%S UTC",
        "ago" => "%Y-%m-%d %H:%M UTC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_senders_fallback_wins() {
        assert_eq!(shown(1_392_734_382, "{date} at {time}", Some("Feb 18, 2014 PST")), "Feb 18, 2014 PST");
    }

    #[test]
    fn without_a_fallback_the_pattern_is_filled_in_with_utc() {
        assert_eq!(
            shown(1_392_734_382, "Posted {date_num} {time_secs} {odd}", None),
            "Posted 2014-02-18 14:39:42 UTC {odd}"
        );
        assert_eq!(shown(1_392_734_382, "{date_long} {", None), "Tuesday, February 18, 2014 {");
        assert_eq!(shown(i64::MAX, "{date}", None), format!("{{date}} {}", i64::MAX));
    }
}
