//! The emoji of Unicode, with GitHub's names for them, which most networks share.
//!
//! `build.rs` makes the tables from the crate `emojis`.

use std::sync::LazyLock;

/// An emoji.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emoji {
    /// As clients write it, with the selectors that ask for a picture.
    pub shown: &'static str,
    /// Its skin tone: 1 (light) to 5 (dark), more for several people of different tones, 0 for none.
    pub tone: u8,
    /// The same without a skin tone.
    pub base: &'static str,
    /// GitHub's name, which those with a skin tone do not have.
    pub name: Option<&'static str>,
}

/// By [`bare`].
static EMOJI: LazyLock<Vec<(String, Emoji)>> =
    LazyLock::new(|| include_str!(concat!(env!("OUT_DIR"), "/emoji.tsv")).lines().filter_map(read).collect());

/// By name.
static NAMES: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    include_str!(concat!(env!("OUT_DIR"), "/emoji_names.tsv"))
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect()
});

fn read(line: &'static str) -> Option<(String, Emoji)> {
    let mut fields = line.split('\t');
    let (shown, tone) = (fields.next()?, fields.next()?);
    let base = fields.next().filter(|base| !base.is_empty()).unwrap_or(shown);
    let name = fields.next().filter(|name| !name.is_empty());
    Some((bare(shown), Emoji { shown, tone: tone.parse().unwrap_or(0), base, name }))
}

/// An emoji without the selectors that ask for a picture: how networks and clients compare them.
pub fn bare(emoji: &str) -> String {
    emoji.replace('\u{fe0f}', "")
}

/// The emoji that this text is, with selectors or without.
pub fn get(text: &str) -> Option<Emoji> {
    let bare = bare(text);
    let place = EMOJI.binary_search_by(|(known, _)| known.as_str().cmp(&bare)).ok()?;
    EMOJI.get(place).map(|(_, emoji)| *emoji)
}

/// The emoji with this name of GitHub's, as clients write it.
pub fn by_name(name: &str) -> Option<&'static str> {
    let place = NAMES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
    NAMES.get(place).map(|(_, shown)| *shown)
}

impl Emoji {
    /// The same with a skin tone of [`Emoji::tone`]'s numbers; `None` where there is no such emoji.
    pub fn with_tone(&self, tone: u8) -> Option<Self> {
        EMOJI.iter().map(|(_, emoji)| *emoji).find(|emoji| emoji.base == self.base && emoji.tone == tone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_as_they_are_searched_and_hold_what_the_crate_knows() {
        assert!(EMOJI.is_sorted_by_key(|(bare, _)| bare));
        assert!(NAMES.is_sorted());
        for known in emojis::iter() {
            let emoji = get(known.as_str()).expect("known");
            assert_eq!((emoji.shown, emoji.tone, emoji.base), (known.as_str(), 0, known.as_str()));
            assert_eq!(emoji.name, known.shortcode());
            for name in known.shortcodes() {
                assert_eq!(by_name(name), Some(known.as_str()));
            }
            for toned in known.skin_tones().into_iter().flatten() {
                let tone = toned.skin_tone().expect("a tone") as u8;
                assert_eq!(emoji.with_tone(tone).map(|emoji| emoji.shown), Some(toned.as_str()));
                assert_eq!(get(toned.as_str()).map(|emoji| emoji.base), Some(known.as_str()));
            }
        }
    }

    #[test]
    fn an_emoji_is_found_with_its_selectors_and_without() {
        assert_eq!(get("❤"), get("❤️"));
        assert_eq!(get("❤").map(|emoji| emoji.shown), Some("❤️"));
        assert_eq!(get("lol"), None);
        assert_eq!(get(""), None);
    }
}
