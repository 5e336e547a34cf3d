//! All recorded Discord payloads convert without loss of text.
//!
//! They are read from `$HUBBUB_SHARED/fixtures/discord` (default: `../shared` beside the checkout),
//! which a user's clone does not have: then the test says that it is skipped, except on CI, where
//! only `HUBBUB_NO_SHARED=1` excuses it.

use crate::people::{Server, contents};
use hubbub_discord::convert::{Files, files, from_discord, references, to_discord};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[test]
fn no_recorded_message_loses_text() {
    let Some(folder) = shared_folder() else { return };
    let (mut total, mut with_messages) = (0, 0);
    for path in json_files(&folder) {
        let Ok(payload) = serde_json::from_str::<Value>(&std::fs::read_to_string(&path).unwrap()) else { continue };
        let mut messages = Vec::new();
        find_messages(&payload, &mut messages);
        for message in &messages {
            check(message, &path);
        }
        total += messages.len();
        with_messages += usize::from(!messages.is_empty());
    }
    println!("{total} messages of {with_messages} files hold all their text");
    assert!(with_messages >= 15 && total >= 25, "found only {total} messages in {with_messages} files");
}

fn shared_folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join(std::env::var_os("HUBBUB_SHARED").unwrap_or("../shared".into()));
    let folder = shared.join("fixtures/discord");
    if folder.is_dir() {
        return Some(folder);
    }
    let excused = std::env::var("HUBBUB_NO_SHARED").is_ok_and(|value| value == "1");
    assert!(std::env::var_os("CI").is_none() || excused, "the recorded Discord payloads are missing");
    println!("SKIPPED: the recorded Discord payloads are not here");
    None
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("specs") {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn find_messages(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| find_messages(value, found)),
        Value::Object(fields) => {
            let says = fields.get("content").is_some_and(Value::is_string);
            let has_place = ["channel_id", "author", "attachments", "embeds", "mentions"]
                .iter()
                .any(|key| fields.contains_key(*key));
            if says && has_place || fields.contains_key("message_snapshots") {
                found.push(value.clone());
            }
            fields.values().for_each(|field| find_messages(field, found));
        }
        _ => {}
    }
}

fn check(message: &Value, path: &Path) {
    let contents = contents(message);
    let bodies: String = contents.iter().map(|content| content["body"].as_str().unwrap_or_default()).collect();
    // Digits go, since ids become names.
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    let said = letters(&bodies);
    let mut expected = Vec::new();
    texts(message, &mut expected);
    if message["type"] == 21 {
        return;
    }
    for text in expected {
        for word in text.split_whitespace().filter(|word| !word.contains(['<', '>', '(', '[', '/', ':', '@'])) {
            assert!(said.contains(&letters(word)), "{}: {word:?} of {text:?} is not in {bodies:?}", path.display());
        }
    }
    let _ = references(message);
    let _ = from_discord(message, &Server, Files::ByThemselves);
    let _ = files(message);
    for content in &contents {
        let _ = to_discord(content, &Server);
    }
}

fn texts(message: &Value, found: &mut Vec<String>) {
    let mut add = |value: &Value| found.extend(value.as_str().map(str::to_owned));
    add(&message["content"]);
    if message["flags"].as_u64().unwrap_or(0) & 4 == 0 {
        for embed in message["embeds"].as_array().into_iter().flatten() {
            [
                &embed["title"],
                &embed["description"],
                &embed["footer"]["text"],
                &embed["author"]["name"],
                &embed["provider"]["name"],
            ]
            .into_iter()
            .for_each(&mut add);
            for field in embed["fields"].as_array().into_iter().flatten() {
                add(&field["name"]);
                add(&field["value"]);
            }
        }
    }
    for file in message["attachments"].as_array().into_iter().flatten() {
        add(if file["title"].is_string() { &file["title"] } else { &file["filename"] });
    }
    for sticker in message["sticker_items"].as_array().into_iter().flatten() {
        add(&sticker["name"]);
    }
    for snapshot in message["message_snapshots"].as_array().into_iter().flatten() {
        texts(&snapshot["message"], found);
    }
}
