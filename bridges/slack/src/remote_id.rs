//! Slack's ids, and what may be read out of them: nothing outside this file looks into one.

use hubbub_storage::portal::Place;

/// A message's timestamp, which is its id within its channel: `seconds.microseconds`.
///
/// Kept as text and compared as two integers, never as a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    seconds: u64,
    micros: u32,
}

impl Timestamp {
    /// Reads a timestamp; `None` when it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if seconds.is_empty() || seconds.len() > 12 || fraction.len() > 6 {
            return None;
        }
        if !digits(seconds) || !digits(fraction) {
            return None;
        }
        Some(Self { seconds: seconds.parse().ok()?, micros: format!("{fraction:0<6}").parse().ok()? })
    }

    /// The timestamp of a moment, in milliseconds since the epoch.
    pub(crate) fn at(milliseconds: i64) -> Self {
        let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
        let micros = u32::try_from((milliseconds % 1_000).saturating_mul(1_000)).unwrap_or(0);
        Self { seconds: milliseconds / 1_000, micros }
    }

    /// The moment, in milliseconds since the epoch.
    pub(crate) fn milliseconds(self) -> i64 {
        let whole = self.seconds.saturating_mul(1_000);
        let part = u64::from(self.micros / 1_000);
        i64::try_from(whole.saturating_add(part)).unwrap_or(i64::MAX)
    }

    /// All of it in microseconds, below 2^53 for the next two centuries.
    pub(crate) fn micros(self) -> i64 {
        let whole = self.seconds.saturating_mul(1_000_000).saturating_add(u64::from(self.micros));
        i64::try_from(whole).unwrap_or(i64::MAX)
    }

    /// A text that sorts as timestamps do.
    pub(crate) fn place(self) -> String {
        format!("{:012}.{:06}", self.seconds, self.micros)
    }

    /// As Slack writes it.
    pub(crate) fn text(self) -> String {
        format!("{}.{:06}", self.seconds, self.micros)
    }
}

/// Where a message stands: its first life.
pub(crate) fn place_of(ts: &str) -> Option<Place> {
    Some(Place { place: Timestamp::read(ts)?.place(), generation: 0 })
}

/// Where a change stands: at its own time, beside every message, and told apart from other changes of that time.
pub(crate) fn place_of_change(at: Timestamp, what: &str) -> Place {
    Place { place: format!("{}~{what}", at.place()), generation: 0 }
}

/// The localpart of a ghost: `_slack_<team>_<user>` in lower case, with everything that a user id
/// may not hold escaped as the spec says
/// ([spec](https://spec.matrix.org/v1.11/appendices/#mapping-from-other-character-sets)).
///
/// Slack's ids have only capitals and digits, so that lower case loses nothing; `_` between the two
/// is escaped within them.
pub(crate) fn ghost_localpart(team: &str, user: &str) -> String {
    format!("_slack_{}_{}", escape(team), escape(user))
}

fn escape(id: &str) -> String {
    let mut escaped = String::with_capacity(id.len());
    for byte in id.to_ascii_lowercase().bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("={byte:02x}"));
        }
    }
    escaped
}

/// The user of a ghost of this team; `None` for everybody else.
pub(crate) fn user_of_ghost(team: &str, localpart: &str) -> Option<String> {
    let user = localpart.strip_prefix("_slack_")?.strip_prefix(escape(team).as_str())?.strip_prefix('_')?;
    let plain = user.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && !user.is_empty()).then(|| user.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_sort_as_numbers_and_never_as_floats() {
        let earlier = Timestamp::read("999999999.999999").unwrap();
        let later = Timestamp::read("1712345678.000100").unwrap();
        let last = Timestamp::read("1712345678.0002").unwrap();
        assert!(earlier < later && later < last);
        assert!(earlier.place() < later.place() && later.place() < last.place());
        assert_eq!(later.text(), "1712345678.000100");
        assert_eq!(later.milliseconds(), 1_712_345_678_000);
        assert_eq!(Timestamp::at(1_712_345_678_123).text(), "1712345678.123000");
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in ["", ".", "abc", "1.2.3", "-1.000000", "1.0000001", "1e9", "1712345678,1"] {
            assert_eq!(Timestamp::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_ghosts_name_leads_back_to_the_user() {
        let localpart = ghost_localpart("T0123", "U0ABC");
        assert_eq!(localpart, "_slack_t0123_u0abc");
        assert_eq!(user_of_ghost("T0123", &localpart).as_deref(), Some("U0ABC"));
        assert_eq!(user_of_ghost("T01", &localpart), None);
        assert_eq!(user_of_ghost("T0123", "alice"), None);
        assert_eq!(ghost_localpart("T1", "odd_id/é"), "_slack_t1_odd=5fid=2f=c3=a9");
    }
}
