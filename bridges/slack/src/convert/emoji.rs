//! Emoji names of Slack and the characters that they mean.
//!
//! Most of Slack's names are GitHub's ([`hubbub_bridge::emoji`]). `emoji_names.tsv` holds the
//! names that Slack has beyond those, or gives to another character, sorted by name; it was derived
//! from the emoji data set (`emoji-datasource`, MIT licence) whose short names Slack uses.

use std::sync::LazyLock;

use hubbub_bridge::emoji::{self, bare};

static SLACK_NAMES: LazyLock<Vec<(&'static str, &'static str)>> =
    LazyLock::new(|| include_str!("emoji_names.tsv").lines().filter_map(|line| line.split_once('\t')).collect());

const LONGEST_NAME: usize = 100;

/// The character of a name without colons, such as `wave`, `+1` or `wave::skin-tone-3`.
///
/// `None` for custom emoji.
pub(super) fn by_name(name: &str) -> Option<String> {
    if let Some((base, tone)) = name.split_once("::") {
        return Some(with_skin_tone(lookup(base)?, tone));
    }
    lookup(name).map(str::to_owned)
}

/// How Slack's reactions compare: the character without its variation selector, or the name of a custom emoji.
pub fn reaction_key(name: &str) -> String {
    let name = name.trim_matches(':');
    by_name(name).map_or_else(|| name.to_owned(), |shown| bare(&shown))
}

/// How Matrix shows a reaction with this key: the character as clients write it, or the name between colons.
pub fn shown_reaction(key: &str) -> String {
    match emoji::get(key) {
        Some(emoji) => emoji.shown.to_owned(),
        None if key.is_ascii() => format!(":{key}:"),
        None => key.to_owned(),
    }
}

/// Slack's name for a reaction of Matrix's: an emoji, or a name between colons. `None` for every other text.
pub fn reaction_name(reaction: &str) -> Option<String> {
    if let Some((name, "")) = name_at_start(reaction) {
        return Some(name.to_owned());
    }
    let bare = bare(reaction);
    if let Some((name, _)) = SLACK_NAMES.iter().find(|(_, shown)| emoji::bare(shown) == bare) {
        return Some((*name).to_owned());
    }
    let emoji = emoji::get(reaction)?;
    let own = SLACK_NAMES.iter().find(|(_, shown)| *shown == emoji.base).map(|(name, _)| *name);
    let name = own.or_else(|| emoji::get(emoji.base)?.name)?;
    // Slack counts from 2, the first number being no tone.
    let tone = Some(emoji.tone).filter(|tone| (1..=5).contains(tone)).map(|tone| tone.saturating_add(1));
    Some(tone.map_or_else(|| name.to_owned(), |tone| format!("{name}::skin-tone-{tone}")))
}

/// The emoji of Slack's `unicode` field: code points in hexadecimal, joined by hyphens.
pub(super) fn by_code_points(points: &str) -> Option<String> {
    let text: String = points
        .split('-')
        .map(|point| u32::from_str_radix(point, 16).ok().and_then(char::from_u32))
        .collect::<Option<_>>()?;
    // Digits and letters are no emoji: whoever sends them means something else.
    (!text.is_empty() && !text.is_ascii()).then_some(text)
}

/// The shortcode at the start of `text`, with a skin tone after it: its length and what it means.
///
/// A name that nobody knows here stays as it is: it is a custom emoji, or none at all.
pub(super) fn shortcode_at_start(text: &str) -> Option<(usize, String)> {
    let (name, rest) = name_at_start(text)?;
    let base = lookup(name);
    if let Some((tone, after)) = name_at_start(rest).filter(|(tone, _)| tone.starts_with("skin-tone-")) {
        let length = text.len() - after.len();
        let shown = base.map(|base| with_skin_tone(base, tone));
        return Some((length, shown.unwrap_or_else(|| text.get(..length).unwrap_or_default().to_owned())));
    }
    let length = text.len() - rest.len();
    Some((length, base.map_or_else(|| format!(":{name}:"), str::to_owned)))
}

/// Replaces the shortcodes that stand for a character, such as `:wave:`, in a whole text.
pub fn replace_shortcodes(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, from_colon) = rest.split_at(colon);
        shown.push_str(before);
        let (length, meaning) = shortcode_at_start(from_colon).unwrap_or_else(|| (1, ":".to_owned()));
        // The closing colon of what was no emoji may open the next one.
        let unknown = meaning.starts_with(':') && length > 1;
        let taken = if unknown { length - 1 } else { length };
        shown.push_str(if unknown { meaning.strip_suffix(':').unwrap_or(&meaning) } else { &meaning });
        rest = from_colon.get(taken..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

fn name_at_start(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix(':')?.split_once(':')?;
    let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\'' | '.');
    (!name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(valid)).then_some((name, rest))
}

fn lookup(name: &str) -> Option<&'static str> {
    let own = SLACK_NAMES.binary_search_by(|(known, _)| (*known).cmp(name)).ok();
    own.and_then(|index| SLACK_NAMES.get(index)).map(|(_, shown)| *shown).or_else(|| emoji::by_name(name))
}

fn with_skin_tone(base: &'static str, tone: &str) -> String {
    let tone: Option<u8> = tone.strip_prefix("skin-tone-").and_then(|tone| tone.parse().ok());
    // Slack counts from 2, the first number being no tone.
    let toned = tone.filter(|tone| (2..=6).contains(tone)).and_then(|tone| emoji::get(base)?.with_tone(tone - 1));
    toned.map_or(base, |emoji| emoji.shown).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(SLACK_NAMES.is_sorted_by_key(|(name, _)| *name));
        assert!(SLACK_NAMES.len() > 600);
    }

    #[test]
    fn names_of_github_and_of_slack_alone_are_both_known() {
        assert_eq!(by_name("ghost").as_deref(), Some("👻"));
        assert_eq!(by_name("flag-us").as_deref(), Some("🇺🇸"));
        assert_eq!(by_name("hugging_face").as_deref(), Some("🤗"));
        assert_eq!(by_name("wave::skin-tone-3").as_deref(), Some("👋🏼"));
        assert_eq!(by_name("party_parrot"), None);
    }

    #[test]
    fn a_reaction_is_the_same_under_every_spelling_and_leads_back_to_a_name() {
        assert_eq!(reaction_key("thumbsup"), reaction_key("+1"));
        for name in ["+1", "heart", "wave::skin-tone-3", "flag-us", "hugging_face", "white_check_mark", "100", "one"] {
            let key = reaction_key(name);
            let shown = shown_reaction(&key);
            let back = reaction_name(&shown).unwrap_or_else(|| panic!("{name} {shown}"));
            assert_eq!(reaction_key(&back), key, "{name} {shown} {back}");
        }
        assert_eq!(shown_reaction(&reaction_key("heart")), "❤️");
        assert_eq!(reaction_name("👍\u{fe0f}"), reaction_name("👍"));
        assert_eq!(shown_reaction(&reaction_key("party_parrot")), ":party_parrot:");
        assert_eq!(reaction_name(":party_parrot:").as_deref(), Some("party_parrot"));
        assert_eq!(reaction_name("lol"), None);
        assert_eq!(reaction_name("mxc://hub.test/abc"), None);
    }

    #[test]
    fn code_points_become_characters_and_digits_do_not() {
        assert_eq!(by_code_points("1f44b-1f3fc").as_deref(), Some("👋🏼"));
        assert_eq!(by_code_points("0031-fe0f-20e3").as_deref(), Some("1️⃣"));
        assert_eq!(by_code_points("0041"), None);
        assert_eq!(by_code_points("xyz"), None);
    }

    #[test]
    fn times_and_custom_names_stay_while_shortcodes_turn() {
        assert_eq!(replace_shortcodes("at 10:30:45 :+1::skin-tone-2: :blobcat:wave: :"), "at 10:30:45 👍🏻 :blobcat👋 :");
        assert_eq!(replace_shortcodes(":star::star:"), "⭐⭐");
        assert_eq!(replace_shortcodes(":blobcat::skin-tone-2:"), ":blobcat::skin-tone-2:");
    }
}
