//! Each construct, its expected rendition, and whether it comes back the same.
//!
//! A case in `tests/golden/*.json` is an input and what it `gives`. `there_and_back` says that the
//! result, sent to Slack and read again, is the same message; where it is false Slack or Matrix
//! lacks the construct. After a wanted change, `HUBBUB_BLESS=1 cargo test -p hubbub-slack golden`
//! writes the files anew: read the difference before you commit it.

use crate::people::{Workspace, content};
use hubbub_slack::convert::to_slack;
use serde_json::{Value, json};
use std::path::PathBuf;

#[test]
fn mrkdwn_becomes_html_and_comes_back() {
    check("mrkdwn", |case| to_matrix(&json!({ "type": "message", "text": case["text"] })));
}

#[test]
fn rich_text_becomes_html_and_comes_back() {
    check("rich_text", |case| {
        let block = json!({ "type": "rich_text", "elements": case["elements"] });
        to_matrix(&json!({ "type": "message", "blocks": [block] }))
    });
}

#[test]
fn every_kind_of_block_stays_visible() {
    check("blocks", |case| to_matrix(&json!({ "type": "message", "blocks": case["blocks"] })));
}

#[test]
fn messages_show_their_attachments_files_and_subtypes() {
    check("messages", |case| to_matrix(&case["message"]));
}

#[test]
fn html_becomes_rich_text_and_mrkdwn() {
    check("html", |case| {
        let sent = json!({ "msgtype": "m.text", "body": "plain", "format": "org.matrix.custom.html", "formatted_body": case["html"] });
        let post = there(&sent);
        let back = shown(&content(&post));
        // The form that came back is the normal one: it never changes again.
        assert_eq!(shown(&content(&there(&content(&post)))), back, "{} does not settle", case["name"]);
        json!({ "gives": post, "back": back })
    });
}

fn to_matrix(message: &Value) -> Value {
    let content = content(message);
    let returned = crate::people::content(&there(&content));
    json!({ "gives": shown(&content), "there_and_back": shown(&returned) == shown(&content) })
}

/// What is posted to Slack, as the message that Slack makes of it.
fn there(content: &Value) -> Value {
    let posts = to_slack(content, &Workspace);
    assert_eq!(posts.len(), 1, "one post expected of {content}");
    serde_json::to_value(&posts[0]).unwrap()
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
