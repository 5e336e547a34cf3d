//! How events are kept: the event without `unsigned`, and the members of `unsigned` apart, so that
//! reading one needs no parsing.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{MatrixError, Result};

/// An event taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredEvent {
    /// The event without `unsigned` and `room_id`.
    pub event: String,
    /// The members of `unsigned`, without the braces.
    pub unsigned: Option<String>,
    /// `origin_server_ts`; 0 when it is missing.
    pub ts: i64,
}

/// What is added to `unsigned` when an event is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras<'a> {
    /// The time now, for `age`.
    pub now: i64,
    /// `membership`.
    pub membership: Option<&'a str>,
    /// `transaction_id`.
    pub transaction_id: Option<&'a str>,
    /// `m.relations`, as JSON.
    pub relations: Option<&'a str>,
}

/// Takes an event apart.
pub(super) fn take_apart(event: &RawValue) -> Result<StoredEvent> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(event.get()).map_err(MatrixError::internal)?;
    let unsigned = fields
        .get("unsigned")
        .map(|unsigned| unsigned.get().trim())
        .and_then(|unsigned| unsigned.strip_prefix('{')?.strip_suffix('}'))
        .map(str::trim)
        .filter(|members| !members.is_empty())
        .map(str::to_owned);
    let ts = fields.get("origin_server_ts").and_then(|ts| serde_json::from_str(ts.get()).ok()).unwrap_or_default();
    let mut text = String::with_capacity(event.get().len());
    text.push('{');
    for (key, value) in &fields {
        if matches!(key.as_str(), "unsigned" | "room_id") {
            continue;
        }
        if text.len() > 1 {
            text.push(',');
        }
        push_member(&mut text, key, value.get())?;
    }
    text.push('}');
    Ok(StoredEvent { event: text, unsigned, ts })
}

/// Puts an event together again for a client.
pub(super) fn put_together(event: &str, unsigned: Option<&str>, ts: i64, extras: Extras<'_>) -> Result<Box<RawValue>> {
    let mut members = unsigned.unwrap_or_default().to_owned();
    let mut add = |key: &str, value: &str| {
        if !members.is_empty() {
            members.push(',');
        }
        push_member(&mut members, key, value)
    };
    // A clock that runs behind the sender's would give a negative age: it says nothing then.
    if ts > 0 && extras.now >= ts {
        add("age", &(extras.now - ts).to_string())?;
    }
    if let Some(membership) = extras.membership {
        add("membership", &serde_json::to_string(membership)?)?;
    }
    if let Some(transaction_id) = extras.transaction_id {
        add("transaction_id", &serde_json::to_string(transaction_id)?)?;
    }
    if let Some(relations) = extras.relations {
        add("m.relations", relations)?;
    }
    let mut text = event.to_owned();
    if !members.is_empty() {
        text.pop();
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str("\"unsigned\":{");
        text.push_str(&members);
        text.push_str("}}");
    }
    Ok(RawValue::from_string(text)?)
}

fn push_member(text: &mut String, key: &str, value: &str) -> Result<()> {
    text.push_str(&serde_json::to_string(key)?);
    text.push(':');
    text.push_str(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn raw(value: &Json) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    fn read(value: &Json, extras: Extras<'_>) -> Json {
        let stored = take_apart(&raw(value)).unwrap();
        let event = put_together(&stored.event, stored.unsigned.as_deref(), stored.ts, extras);
        serde_json::from_str(event.unwrap().get()).unwrap()
    }

    #[test]
    fn an_event_reads_as_it_was_delivered_with_what_is_added() {
        let event = json!({
            "type": "m.room.message",
            "content": {"body": "a \"b\" {c}"},
            "origin_server_ts": 1_000,
            "unsigned": {"prev_content": {"x": 1}},
        });
        let extras = Extras {
            now: 1_500,
            membership: Some("join"),
            transaction_id: Some("\"t\""),
            relations: Some(r#"{"m.thread":{"count":1}}"#),
        };
        let mut expected = event.clone();
        expected["unsigned"] = json!({
            "prev_content": {"x": 1},
            "age": 500,
            "membership": "join",
            "transaction_id": "\"t\"",
            "m.relations": {"m.thread": {"count": 1}},
        });
        assert_eq!(read(&event, extras), expected);
    }

    #[test]
    fn without_anything_to_say_there_is_no_unsigned() {
        let event = json!({"type": "t", "origin_server_ts": 2_000, "unsigned": {}});
        let extras = Extras { now: 1_000, ..Extras::default() };
        assert_eq!(read(&event, extras), json!({"type": "t", "origin_server_ts": 2_000}));
    }

    #[test]
    fn the_room_id_is_left_out() {
        let event = json!({"type": "t", "room_id": "!r:hub"});
        assert_eq!(read(&event, Extras::default()), json!({"type": "t"}));
    }

    #[test]
    fn keys_that_need_escapes_survive() {
        let event = json!({"type": "t", "a": {"\"": "\\"}});
        assert_eq!(read(&event, Extras::default()), event);
    }
}
