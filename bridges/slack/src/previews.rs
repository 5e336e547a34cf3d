//! Previews of links, which Slack adds to a message a moment after it was said.

use hubbub_bridge::network::KnownNames;
use serde_json::{Value as Json, json, value::RawValue};

use crate::convert::{Incoming, from_slack};

fn attachments(message: &Json) -> impl Iterator<Item = &Json> {
    message.get("attachments").and_then(Json::as_array).into_iter().flatten()
}

/// The attachments that a message has beyond those which it had, with their places. What its sender attached comes with
/// the message itself, or with an edit.
pub(crate) fn added<'a>(old: &'a Json, new: &'a Json) -> impl Iterator<Item = (usize, &'a Json)> {
    let same = |one: &Json, other: &Json| {
        ["from_url", "original_url", "title", "text", "fallback", "id"].iter().all(|key| one.get(key) == other.get(key))
    };
    attachments(new).enumerate().filter(move |(_, one)| !attachments(old).any(|other| same(one, other)))
}

/// The previews of a `message_changed`, each as the message that would say it alone.
pub(crate) fn contents(event: &RawValue, names: &KnownNames) -> Vec<(u16, Json)> {
    let event: Json = serde_json::from_str(event.get()).unwrap_or_default();
    let nothing = Json::Null;
    let old = event.get("previous_message").unwrap_or(&nothing);
    let new = event.get("message").unwrap_or(&nothing);
    let said = |attachment: &Json| {
        let alone =
            json!({ "type": "message", "ts": new.get("ts"), "user": new.get("user"), "attachments": [attachment] });
        match from_slack(&alone, names) {
            Incoming::Message(message) => message.contents.into_iter().next(),
            _ => None,
        }
    };
    added(old, new)
        .filter_map(|(index, attachment)| {
            let content = serde_json::to_value(said(attachment)?).ok()?;
            Some((u16::try_from(index).ok()?, content))
        })
        .collect()
}
