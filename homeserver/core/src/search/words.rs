//! Words: how a text is cut for the index, and how a search term becomes a query of it.
//!
//! SQLite's tokenizer cuts where letters end. Scripts that write without spaces would be one long
//! word to it: so their characters are indexed one by one, and searched as phrases.

/// The most words of a search term; more are not looked at.
const MAX_WORDS: usize = 32;
/// From so many letters on, a word also finds those that begin with it: plurals, conjugations.
const PREFIX_LETTERS: usize = 4;

/// A text with spaces around each character of a script that has none.
pub fn segmented(text: &str) -> String {
    let mut cut = String::with_capacity(text.len());
    for character in text.chars() {
        if is_written_without_spaces(character) {
            cut.push(' ');
            cut.push(character);
            cut.push(' ');
        } else if character != '\0' {
            cut.push(character);
        }
    }
    cut
}

/// Chinese characters, kana, Thai, Lao, Burmese, Khmer.
fn is_written_without_spaces(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// A search term that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The query in FTS5's syntax, of which nothing but quoted strings is the user's.
    pub query: String,
    /// The words to be highlighted.
    pub highlights: Vec<String>,
}

/// Understands a search term: words that must all occur, and phrases in quotation marks. `None`
/// when it has no word.
pub fn parse(term: &str) -> Option<Term> {
    let mut parts = Vec::new();
    // Every second piece stands between quotation marks.
    for (index, piece) in term.split('"').enumerate() {
        if index % 2 == 1 {
            parts.push((piece.trim().to_owned(), true));
        } else {
            parts.extend(piece.split_whitespace().map(|word| (word.to_owned(), false)));
        }
    }
    parts.retain(|(part, _)| part.chars().any(char::is_alphanumeric));
    parts.truncate(MAX_WORDS);
    if parts.is_empty() {
        return None;
    }
    let query: Vec<String> = parts.iter().map(|(part, is_phrase)| quoted(part, *is_phrase)).collect();
    let words = parts.iter().flat_map(|(part, _)| part.split(|letter: char| !letter.is_alphanumeric()));
    let mut highlights: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    highlights.sort();
    highlights.dedup();
    highlights.truncate(MAX_WORDS);
    Some(Term { query: query.join(" "), highlights })
}

/// A string of FTS5's syntax, in which only quotation marks mean anything; of these there are none
/// left. A `*` after it finds longer words, too.
fn quoted(part: &str, is_phrase: bool) -> String {
    let letters = part.chars().filter(|letter| letter.is_alphabetic()).count();
    let spaced = part.chars().any(is_written_without_spaces);
    let prefix = !is_phrase && !spaced && letters >= PREFIX_LETTERS && part.chars().all(char::is_alphanumeric);
    let text = segmented(part).replace('"', " ");
    format!("\"{text}\"{}", if prefix { " *" } else { "" })
}

/// How well a text matches, in millionths: each word counts by how often it stands there, the less
/// the longer the text is. It is BM25 without the rarity of words, which would tell everybody how
/// often others use them.
pub fn score(text: &str, words: &[String]) -> i64 {
    /// How soon further occurrences count less.
    const SATURATION: u64 = 1;
    /// How many words a usual message has.
    const USUAL_LENGTH: u64 = 12;
    let folded = text.to_lowercase();
    let mut length: u64 = 0;
    let mut occurrences = vec![0_u64; words.len()];
    for token in folded.split(|letter: char| !letter.is_alphanumeric()).filter(|token| !token.is_empty()) {
        length += 1;
        for (word, count) in words.iter().zip(&mut occurrences) {
            *count += u64::from(token.starts_with(word.as_str()));
        }
    }
    let damping = SATURATION * 1_000 * (USUAL_LENGTH + 3 * length) / (4 * USUAL_LENGTH);
    // All words stand there, if perhaps with other accents.
    let each = occurrences.into_iter().map(|count| count.max(1) * 1_000_000_000 / (count.max(1) * 1_000 + damping));
    i64::try_from(each.sum::<u64>()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(term: &str) -> String {
        parse(term).map(|term| term.query).unwrap_or_default()
    }

    #[test]
    fn every_word_is_a_quoted_string() {
        assert_eq!(query("Message 4"), "\"Message\" * \"4\"");
        assert_eq!(query("body : x OR NEAR(a b)"), "\"body\" * \"x\" \"OR\" \"NEAR(a\" \"b)\"");
        assert_eq!(query("a* -b ^c {body}"), "\"a*\" \"-b\" \"^c\" \"{body}\"");
    }

    #[test]
    fn quotation_marks_make_phrases_and_never_leave_their_string() {
        assert_eq!(query("\"two words\" three"), "\"two words\" \"three\" *");
        assert_eq!(query("never \"closed"), "\"never\" * \"closed\"");
        assert_eq!(query("\"\"\" OR \"\"\"x"), "\"OR\" \"x\"");
    }

    #[test]
    fn a_term_without_a_word_is_none() {
        assert_eq!(parse(""), None);
        assert_eq!(parse(" !? \"\" -- "), None);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_characters() {
        assert_eq!(segmented("go 東京 now"), "go  東  京  now");
        assert_eq!(query("東京"), "\" 東  京 \"");
    }

    #[test]
    fn a_text_scores_by_how_much_of_it_was_searched_for() {
        let words = ["apple".to_owned(), "pie".to_owned()];
        let of = |text: &str| score(text, &words);
        assert!(of("apple pie") > of("apple pie with cream and many a thing besides, which makes it long"));
        assert!(of("apple apple pie") > of("apple cream pie"));
        assert!(of("") > 0);
    }

    #[test]
    fn highlights_are_the_words_in_lower_case() {
        assert_eq!(parse("Foo-Bar \"foo baz\"").unwrap().highlights, ["bar", "baz", "foo"]);
    }
}
