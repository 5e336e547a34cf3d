//! Discord's ids, and what may be read out of them: nothing outside this file looks into one
//! ([docs](https://docs.discord.com/developers/reference#snowflakes)).

use hubbub_core::secrets::hmac_sha256;

/// The first moment of Discord's ids, in milliseconds since the epoch.
const EPOCH: u64 = 1_420_070_400_000;

/// A snowflake: a number that grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snowflake(pub u64);

impl Snowflake {
    /// Reads an id; `None` when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().filter(|id| *id != 0).map(Self)
    }

    /// The smallest id of a moment, in milliseconds since the epoch.
    #[must_use]
    pub fn at(milliseconds: i64) -> Self {
        let since = u64::try_from(milliseconds).unwrap_or(0).saturating_sub(EPOCH);
        Self(since.min(u64::MAX >> 22) << 22)
    }

    /// When it was made, in milliseconds since the epoch.
    #[must_use]
    pub fn milliseconds(self) -> i64 {
        i64::try_from((self.0 >> 22).saturating_add(EPOCH)).unwrap_or(i64::MAX)
    }

    /// A text that sorts as ids do, however long they are.
    #[must_use]
    pub fn place(self) -> String {
        format!("{:020}", self.0)
    }
}

impl std::fmt::Display for Snowflake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The localpart of a ghost: `_discord_<user>`, since a user is the same in every server.
///
/// Who speaks through a webhook is named by [`voice`].
#[must_use]
pub fn ghost_localpart(user: Snowflake) -> String {
    format!("_discord_{user}")
}

/// Who speaks by a name through a webhook: `<application or webhook>~<digest of the name>`.
///
/// An application's webhooks are one voice in all channels. The digest keeps two names apart and is no secret.
#[must_use]
pub fn voice(of: Snowflake, name: &str) -> String {
    let digest = hmac_sha256(b"discord webhook name", name.as_bytes());
    let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{of}~{short}")
}

/// The localpart of the ghost of a [`voice`].
#[must_use]
pub fn localpart_of_voice(voice: &str) -> String {
    format!("_discord_{}", voice.replace('~', "_"))
}

/// Whose ghost this is; `None` for everybody else.
#[must_use]
pub fn user_of_ghost(localpart: &str) -> Option<Snowflake> {
    let user = Snowflake::read(localpart.strip_prefix("_discord_")?)?;
    (ghost_localpart(user) == localpart).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_numbers_and_never_as_texts() {
        let old = Snowflake::read("99999999999999999").unwrap();
        let new = Snowflake::read("175928847299117063").unwrap();
        assert!(old < new && old.place() < new.place() && "99999999999999999" > "175928847299117063");
        assert_eq!(new.milliseconds(), 1_462_015_105_796);
        assert!(Snowflake::at(1_462_015_105_796) < new && new < Snowflake::at(1_462_015_105_797));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "0", "-1", "1.0", "1e5", "٣", "99999999999999999999", "000000000000000000001", " 1"] {
            assert_eq!(Snowflake::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_ghosts_name_leads_back_to_the_user() {
        let user = Snowflake(80_351_110_224_678_912);
        assert_eq!(ghost_localpart(user), "_discord_80351110224678912");
        assert_eq!(user_of_ghost("_discord_80351110224678912"), Some(user));
        assert_eq!(user_of_ghost("_discord_080351110224678912"), None);
        assert_eq!(user_of_ghost("alice"), None);
    }
}
