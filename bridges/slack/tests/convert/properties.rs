//! Whatever somebody types: nothing panics, nothing escapes, nothing is lost.

use crate::people::{Workspace, contents};
use hubbub_slack::convert::{from_slack, references, to_slack};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Text made of the pieces that parsers stumble over.
fn awkward() -> impl Strategy<Value = String> {
    const PIECES: [&str; 44] = [
        "<",
        ">",
        "&",
        "&amp;",
        "&lt;script&gt;",
        "<script>",
        "</script>",
        "*",
        "_",
        "~",
        "`",
        "```",
        "\n",
        " ",
        "|",
        "\"",
        "'",
        ":",
        ":wave:",
        "::skin-tone-2:",
        "<@U1>",
        "<@U1|",
        "<#C1>",
        "<!here>",
        "<!date^1^{date}|x>",
        "<https://a.example|b>",
        "&gt; ",
        "• ",
        "    ◦ ",
        "@room",
        "javascript:",
        "\u{200b}",
        "\0",
        "é",
        "👩‍👩‍👧",
        "\u{202e}",
        "<b a=1>",
        "<p>",
        "</b>",
        "<table><td>",
        "<ul><li>",
        "<a href=\"",
        "word",
        "\u{a0}",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    const KEYS: [&str; 22] = [
        "type",
        "text",
        "blocks",
        "elements",
        "attachments",
        "files",
        "style",
        "url",
        "user_id",
        "name",
        "rows",
        "fields",
        "title",
        "indent",
        "offset",
        "unicode",
        "timestamp",
        "subtype",
        "message",
        "options",
        "accessory",
        "border",
    ];
    const TYPES: [&str; 22] = [
        "rich_text",
        "rich_text_section",
        "rich_text_list",
        "rich_text_quote",
        "rich_text_preformatted",
        "text",
        "link",
        "user",
        "emoji",
        "date",
        "section",
        "mrkdwn",
        "plain_text",
        "table",
        "context",
        "actions",
        "button",
        "image",
        "message_changed",
        "card",
        "plan",
        "x",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&TYPES[..]).prop_map(Value::from),
        awkward().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(&KEYS[..]), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

/// Rich text as Slack's composer makes it: every construct, in any order.
fn rich_text() -> impl Strategy<Value = Value> {
    let style = prop::collection::btree_map(
        prop::sample::select(&["bold", "italic", "strike", "code", "underline"][..]),
        Just(true),
        0..3,
    );
    let inline = (prop_oneof![
        4 => "[a-z<>&\"é👋 \n]{1,12}".prop_map(|text| json!({ "type": "text", "text": text })),
        1 => "[a-z ]{1,6}".prop_map(|text| json!({ "type": "link", "url": "https://example.com/?a&b", "text": text })),
        1 => Just(json!({ "type": "user", "user_id": "U1" })),
        1 => Just(json!({ "type": "channel", "channel_id": "C1" })),
        1 => Just(json!({ "type": "broadcast", "range": "channel" })),
        1 => Just(json!({ "type": "emoji", "name": "wave", "unicode": "1f44b" })),
    ], style)
        .prop_map(|(mut inline, mut style)| {
            // What looks like code from Matrix mentions nobody.
            if inline["type"] == "broadcast" {
                style.remove("code");
            }
            inline["style"] = json!(style);
            inline
        });
    let run = prop::collection::vec(inline, 1..5);
    let section = run.clone().prop_map(|run| json!({ "type": "rich_text_section", "elements": run }));
    let list = (prop::collection::vec(section.clone(), 1..4), any::<bool>(), 0..3_u64, 0..3_u64, 0..2_u64).prop_map(
        |(items, ordered, indent, offset, border)| {
            let style = if ordered { "ordered" } else { "bullet" };
            json!({ "type": "rich_text_list", "elements": items, "style": style, "indent": indent, "offset": offset, "border": border })
        },
    );
    let element = prop_oneof![
        section,
        list,
        run.prop_map(|run| json!({ "type": "rich_text_quote", "elements": run })),
        "[a-z<>& \n]{1,20}".prop_map(
            |text| json!({ "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": text }] })
        ),
    ];
    prop::collection::vec(element, 1..6).prop_map(|elements| json!([{ "type": "rich_text", "elements": elements }]))
}

/// Every tag that this HTML holds, by name.
fn tags(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|tag| tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect())
        .collect()
}

fn assert_safe(html: &str) {
    const WRITTEN: [&str; 25] = [
        "a",
        "strong",
        "em",
        "del",
        "u",
        "code",
        "pre",
        "p",
        "br",
        "hr",
        "ul",
        "ol",
        "li",
        "blockquote",
        "table",
        "tr",
        "td",
        "th",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "",
    ];
    for tag in tags(html) {
        assert!(!tag.is_empty() && WRITTEN.contains(&tag.as_str()), "<{tag}> in {html}");
    }
    for href in html.split("href=\"").skip(1) {
        let allowed = ["https:", "http:", "ftp:", "mailto:", "magnet:"];
        assert!(allowed.iter().any(|scheme| href.to_ascii_lowercase().starts_with(scheme)), "{html}");
    }
}

/// What is left of a text when everything that formats may change is gone.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mrkdwn_panics_or_smuggles_a_tag(text in awkward()) {
        for content in contents(&json!({ "text": text })) {
            assert_safe(content["formatted_body"].as_str().unwrap_or_default());
            to_slack(&content, &Workspace);
        }
    }

    #[test]
    fn no_rich_text_panics_or_smuggles_a_tag(text in awkward(), url in awkward(), language in awkward()) {
        let elements = json!([
            { "type": "rich_text_section", "elements": [{ "type": "text", "text": text, "style": { "bold": true } }, { "type": "link", "url": url, "text": text }] },
            { "type": "rich_text_preformatted", "language": language, "elements": [{ "type": "text", "text": text }] },
        ]);
        for content in contents(&json!({ "blocks": [{ "type": "rich_text", "elements": elements }] })) {
            assert_safe(content["formatted_body"].as_str().unwrap_or_default());
        }
    }

    #[test]
    fn no_payload_panics(event in json_value()) {
        from_slack(&event, &Workspace);
        references(&event);
        let message = json!({ "text": "x", "blocks": [event.clone()], "attachments": [event.clone()], "files": [event] });
        for content in contents(&message) {
            assert_safe(content["formatted_body"].as_str().unwrap_or_default());
        }
    }

    #[test]
    fn no_html_panics_and_every_post_comes_back(html in awkward(), body in awkward()) {
        let content = json!({ "msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html, "m.mentions": { "room": true } });
        for post in to_slack(&content, &Workspace) {
            let back = contents(&serde_json::to_value(&post).unwrap());
            assert_safe(back[0]["formatted_body"].as_str().unwrap_or_default());
        }
    }

    #[test]
    fn literal_text_survives_escaping_there_and_back(text in awkward()) {
        let blocks = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "text", "text": text, "style": { "bold": true } }] }] }]);
        let there = contents(&json!({ "blocks": blocks }));
        prop_assume!(there[0]["formatted_body"].is_string());
        let body = there[0]["body"].as_str().unwrap();
        prop_assert_eq!(bare(body), bare(&text));
        // Through HTML to Slack's blocks, and back to the same HTML.
        let posts = to_slack(&there[0], &Workspace);
        let again: Vec<Value> = posts.iter().flat_map(|post| contents(&json!({ "blocks": post.blocks }))).collect();
        let said: String = again.iter().map(|content| content["body"].as_str().unwrap()).collect();
        prop_assert_eq!(bare(&said), bare(&text));
    }

    #[test]
    fn rich_text_is_the_same_after_matrix_and_back(blocks in rich_text()) {
        let there = contents(&json!({ "blocks": blocks }));
        let posts = to_slack(&there[0], &Workspace);
        prop_assume!(!posts.is_empty());
        let again = contents(&json!({ "blocks": posts[0].blocks }));
        prop_assert_eq!(&again[0], &there[0]);
    }

    #[test]
    fn plain_text_from_matrix_reaches_slack_whole(text in awkward()) {
        let posts = to_slack(&json!({ "msgtype": "m.text", "body": text }), &Workspace);
        let mut sent = String::new();
        for post in &posts {
            let blocks = serde_json::to_value(post).unwrap()["blocks"].clone();
            let mut texts = Vec::new();
            collect_texts(&blocks, &mut texts);
            sent.extend(texts);
        }
        prop_assert_eq!(bare(&sent), bare(&text));
    }
}

fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        Value::Object(fields) => {
            let text = fields.get("text").or_else(|| fields.get("url")).and_then(Value::as_str);
            texts.extend(text.map(str::to_owned));
            fields.values().filter(|value| !value.is_string()).for_each(|value| collect_texts(value, texts));
        }
        _ => {}
    }
}
