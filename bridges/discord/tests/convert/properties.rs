//! No input breaks a conversion, and what comes from Matrix says the same when it returns.

use crate::people::{Server, contents};
use hubbub_discord::convert::{POST_LIMIT, to_discord};
use proptest::prelude::*;
use serde_json::json;

fn markup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("*".to_owned()),
        Just("**".to_owned()),
        Just("_".to_owned()),
        Just("__".to_owned()),
        Just("~~".to_owned()),
        Just("||".to_owned()),
        Just("`".to_owned()),
        Just("```".to_owned()),
        Just("\n".to_owned()),
        Just("> ".to_owned()),
        Just(">>> ".to_owned()),
        Just("- ".to_owned()),
        Just("1. ".to_owned()),
        Just("# ".to_owned()),
        Just("-# ".to_owned()),
        Just("<@1>".to_owned()),
        Just("<#10>".to_owned()),
        Just("<:party:30>".to_owned()),
        Just("<t:0:R>".to_owned()),
        Just("[a](https://a.example)".to_owned()),
        Just("\\".to_owned()),
        Just("https://b.example/c_d_".to_owned()),
        Just("@everyone".to_owned()),
        "[a-z]{1,5} ?",
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever somebody types in Discord becomes an event that holds its letters.
    #[test]
    fn any_markdown_becomes_an_event(text in markup()) {
        let contents = contents(&json!({ "content": text }));
        prop_assert!(!contents.is_empty());
    }

    /// A plain text of Matrix's is read by Discord as exactly that text.
    #[test]
    fn a_plain_text_is_never_taken_for_markup(text in markup()) {
        let posts = to_discord(&json!({ "msgtype": "m.text", "body": text }), &Server);
        let sent: Vec<_> = posts.iter().map(|post| post.content.as_str()).collect();
        let back: String = posts
            .iter()
            .flat_map(|post| contents(&json!({ "content": post.content })))
            .map(|content| content["body"].as_str().unwrap().to_owned())
            .collect();
        prop_assert_eq!(letters(&back), letters(&text), "sent as {:?}", sent);
    }

    /// No HTML makes a post that is too long.
    #[test]
    fn no_html_makes_a_post_too_long(text in markup(), times in 1_usize..60) {
        let html = format!("<ul><li><b>{0}</b><ol><li>{0}</li></ol></li></ul><blockquote>{0}</blockquote>", text.replace('<', "&lt;")).repeat(times);
        for post in to_discord(&json!({ "msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": html }), &Server) {
            prop_assert!(post.content.encode_utf16().count() <= POST_LIMIT);
        }
    }
}

/// The work grows with the length: a text of markup alone takes no noticeable time.
#[test]
fn a_text_of_marks_alone_is_read_quickly() {
    let started = std::time::Instant::now();
    for unit in ["*", "_", "**a", "[", "[a](", "`", "<", "> ", "- ", "||", "\\", "*_", ">>> ", "  - "] {
        contents(&json!({ "content": unit.repeat(6_000 / unit.len()) }));
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
