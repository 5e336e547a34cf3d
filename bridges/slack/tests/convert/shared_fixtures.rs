//! All recorded Slack payloads convert without loss of text.
//!
//! They are read from `$HUBBUB_SHARED/fixtures/slack` (default: `../shared` beside the checkout),
//! which a user's clone does not have: then the test says that it is skipped, except on CI, where
//! only `HUBBUB_NO_SHARED=1` excuses it. Payloads that were published with empty strings are filled
//! with words of their own first, so that each of their texts is looked for too.

use crate::people::contents;
use hubbub_slack::convert::{references, replace_shortcodes, to_slack};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn no_recorded_message_loses_text() {
    let Some(folder) = shared_folder() else { return };
    let mut counted = BTreeMap::new();
    for path in json_files(&folder) {
        let payload: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for filled in [false, true] {
            let payload = if filled { fill(payload.clone(), &mut 0) } else { payload.clone() };
            let mut messages = Vec::new();
            find_messages(&payload, None, &mut messages);
            for message in &messages {
                check(message, &path);
            }
            *counted.entry(path.clone()).or_insert(0) += messages.len();
        }
    }
    counted.retain(|_, messages| *messages > 0);
    let total: usize = counted.values().sum();
    println!("{total} messages of {} files hold all their text", counted.len());
    assert!(counted.len() >= 30 && total >= 100, "found only {total} messages in {} files", counted.len());
}

fn shared_folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join(std::env::var_os("HUBBUB_SHARED").unwrap_or("../shared".into()));
    let folder = shared.join("fixtures/slack");
    if folder.is_dir() {
        return Some(folder);
    }
    let excused = std::env::var("HUBBUB_NO_SHARED").is_ok_and(|value| value == "1");
    assert!(std::env::var_os("CI").is_none() || excused, "the recorded Slack payloads are missing");
    println!("SKIPPED: the recorded Slack payloads are not here");
    None
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Gives each empty text a word that occurs nowhere else.
fn fill(value: Value, next: &mut u32) -> Value {
    match value {
        Value::String(text) if text.is_empty() => {
            *next += 1;
            Value::String(format!("leaf{next}"))
        }
        Value::Array(values) => values.into_iter().map(|value| fill(value, next)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let kept = matches!(key.as_str(), "type" | "subtype" | "unicode" | "style" | "mode" | "file_access");
                let value = if kept { value } else { fill(value, next) };
                (key, value)
            })
            .collect(),
        other => other,
    }
}

/// Everything that is a message, and every bare block, wrapped in one.
fn find_messages(value: &Value, parent: Option<&str>, found: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| find_messages(value, parent, found)),
        Value::Object(fields) => {
            if is_message(value, parent) {
                found.push(value.clone());
            } else if is_block(value) && !matches!(parent, Some("elements" | "rows")) {
                found.push(json!({ "type": "message", "ts": "1.1", "blocks": [value] }));
            }
            // Converter tests of other projects: mrkdwn in, Markdown out.
            if let (Some(input), true) = (fields.get("input"), fields.contains_key("conversion_output")) {
                found.push(json!({ "type": "message", "ts": "1.1", "text": input }));
            }
            for (key, field) in fields {
                find_messages(field, Some(key), found);
            }
        }
        _ => {}
    }
}

fn is_message(value: &Value, parent: Option<&str>) -> bool {
    let text = value.get("text").is_some_and(Value::is_string);
    let blocks = value.get("blocks").is_some_and(Value::is_array);
    let place = matches!(parent, Some("event" | "message" | "messages" | "previous_message" | "root"));
    (text || blocks) && (value["type"] == "message" || value.get("ts").is_some_and(Value::is_string) || place)
}

fn is_block(value: &Value) -> bool {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    value.get("block_id").is_some()
        || matches!(
            kind,
            "rich_text" | "section" | "header" | "actions" | "context" | "table" | "card" | "alert" | "task_card"
        )
}

fn check(message: &Value, path: &Path) {
    // A change is a message inside; conversion of the inside is checked where it is found.
    if matches!(message["subtype"].as_str(), Some("message_changed" | "message_deleted" | "message_replied")) {
        return;
    }
    references(message);
    let contents = contents(message);
    let said = bare(&contents.iter().map(|content| content["body"].as_str().unwrap()).collect::<String>());
    let mut leaves = Vec::new();
    leaves_of(message, &mut leaves);
    for leaf in leaves {
        for line in plain(&leaf).lines() {
            let line = without_list_mark(line);
            assert!(said.contains(&bare(line)), "{} lost {line:?}\nsaid: {said}", path.display());
        }
    }
    for content in &contents {
        let posts = to_slack(content, &crate::people::Workspace);
        assert!(!posts.is_empty(), "{}: nothing comes back of {content}", path.display());
    }
}

/// The texts that a message shows: of itself, its blocks, attachments and files.
fn leaves_of(message: &Value, leaves: &mut Vec<String>) {
    push(message, "text", leaves);
    visible_texts(&message["blocks"], leaves);
    for attachment in message["attachments"].as_array().into_iter().flatten() {
        const SHOWN: [&str; 9] = [
            "pretext",
            "text",
            "title",
            "fallback",
            "footer",
            "author_name",
            "author_subname",
            "service_name",
            "channel_name",
        ];
        for key in SHOWN {
            push(attachment, key, leaves);
        }
        for field in attachment["fields"].as_array().into_iter().flatten() {
            push(field, "title", leaves);
            push(field, "value", leaves);
        }
        for key in ["blocks", "message_blocks", "actions"] {
            visible_texts(&attachment[key], leaves);
        }
    }
    for file in message["files"].as_array().into_iter().flatten() {
        push(file, "name", leaves);
        push(file, "title", leaves);
    }
}

fn visible_texts(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| visible_texts(value, leaves)),
        Value::Object(fields) => {
            // A dialog that opens when a button is pressed is no part of the message.
            let shown = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "confirm" | "accessibility_label"));
            for (key, field) in shown {
                match key.as_str() {
                    "text" | "title" | "alt_text" | "caption" | "author_name" | "provider_name"
                        if field.is_string() =>
                    {
                        push(value, key, leaves);
                    }
                    _ => visible_texts(field, leaves),
                }
            }
        }
        _ => {}
    }
}

fn push(value: &Value, key: &str, leaves: &mut Vec<String>) {
    leaves.extend(value[key].as_str().map(str::to_owned));
}

/// A text without its markup: mentions and links leave what they show.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('<') {
        plain.push_str(before);
        match from.split_once('>') {
            Some((token, after)) if !token.contains(['<', '\n']) => {
                plain.push_str(&shown(token));
                rest = after;
            }
            _ => rest = from,
        }
    }
    plain.push_str(rest);
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    replace_shortcodes(&plain)
}

fn shown(token: &str) -> String {
    let (target, label) = token.split_once('|').map_or((token, None), |(target, label)| (target, Some(label)));
    match (target.chars().next(), label) {
        // Known names replace labels, so the id is looked for only where nobody knows a name.
        (Some('@' | '#'), None) if !["@U1", "@U2", "#C1", "#C2"].contains(&target) => target.to_owned(),
        (Some('@' | '#' | '!'), _) => "\n".to_owned(),
        // The plain body names the address after a label that does not.
        (_, Some(label)) if !target.ends_with(label) => format!("{label} ({target})"),
        (_, label) => label.unwrap_or(target).to_owned(),
    }
}

/// Slack's text numbers nested items with letters, which rich text does not mention.
fn without_list_mark(line: &str) -> &str {
    let text = line.trim_start();
    let Some((mark, item)) = text.split_once(' ') else { return line };
    let is_mark = matches!(mark, "•" | "◦" | "▪︎") || (mark.len() <= 4 && mark.ends_with('.'));
    if is_mark { item } else { line }
}

/// Letters and digits alone: all that no markup may take away.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || !c.is_ascii()).filter(|c| !c.is_whitespace()).collect()
}
