//! Each construct, its expected rendition, and whether it comes back the same.
//!
//! A case in `tests/golden/*.json` is an input and what it `gives`. `there_and_back` says that the
//! result, sent to Discord and read again, is the same message; where it is false Discord or Matrix
//! lacks the construct. After a wanted change, `HUBBUB_BLESS=1 cargo test -p hubbub-discord golden`
//! writes the files anew: read the difference before you commit it.

use crate::people::{Server, content};
use hubbub_discord::convert::to_discord;
use serde_json::{Value, json};
use std::path::PathBuf;

#[test]
fn markdown_becomes_html_and_comes_back() {
    check("markdown", |case| {
        let everyone = case["markdown"].as_str().unwrap().starts_with("@everyone,");
        to_matrix(&json!({ "content": case["markdown"], "mention_everyone": everyone }))
    });
}

#[test]
fn messages_show_their_embeds_polls_forwards_files_and_types() {
    check("messages", |case| to_matrix(&case["message"]));
}

#[test]
fn html_becomes_markdown() {
    check("html", |case| {
        let sent = json!({ "msgtype": "m.text", "body": "plain", "format": "org.matrix.custom.html", "formatted_body": case["html"] });
        let text = there(&sent);
        let back = shown(&content(&json!({ "content": text })));
        // The form that came back is the normal one: it never changes again.
        let again = there(&content(&json!({ "content": text })));
        assert_eq!(shown(&content(&json!({ "content": again }))), back, "{} does not settle", case["name"]);
        json!({ "gives": text, "back": back })
    });
}

fn to_matrix(message: &Value) -> Value {
    let content = content(message);
    let returned =
        crate::people::content(&json!({ "content": there(&content), "mention_everyone": message["mention_everyone"] }));
    json!({ "gives": shown(&content), "there_and_back": formatted(&returned) == formatted(&content) })
}

/// What is posted to Discord.
fn there(content: &Value) -> String {
    let mut posts = to_discord(content, &Server);
    assert_eq!(posts.len(), 1, "one post expected of {content}");
    posts.remove(0).content
}

fn formatted(content: &Value) -> Value {
    let mut content = shown(content);
    content["msgtype"].take();
    content["mentions"].take();
    content
}

fn shown(content: &Value) -> Value {
    let mut shown = json!({ "body": content["body"] });
    let mut show = |key: &str, value: &Value| {
        if !value.is_null() {
            shown[key] = value.clone();
        }
    };
    show("html", &content["formatted_body"]);
    if content["msgtype"] != "m.text" {
        show("msgtype", &content["msgtype"]);
    }
    if content["m.mentions"] != json!({}) {
        show("mentions", &content["m.mentions"]);
    }
    shown
}

fn check(name: &str, convert: impl Fn(&Value) -> Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    let mut cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    if std::env::var_os("HUBBUB_BLESS").is_some() {
        for case in &mut cases {
            let result = convert(case);
            case.as_object_mut().unwrap().extend(result.as_object().unwrap().clone());
        }
        let text = serde_json::to_string_pretty(&cases).unwrap() + "\n";
        return std::fs::write(&path, text).unwrap();
    }
    assert!(!cases.is_empty());
    for case in &cases {
        for (key, value) in convert(case).as_object().unwrap() {
            assert_eq!(&case[key], value, "{name}: {} ({key})", case["name"]);
        }
    }
}
