//! Filters: reading them, and deciding whether an event passes
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#filtering)).
//!
//! `/sync`, `/messages` and `/context` share these rules. `event_fields` and `event_format` are
//! read and not applied: the spec lets a server return more fields than were asked for.

use ruma::api::client::filter::{Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter, UrlFilter};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::error::{MatrixError, Result};

/// The most bytes that a filter may have.
pub const MAX_FILTER_BYTES: usize = 64 * 1024;

/// What a filter of room events asks about an event.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The room.
    pub room_id: &'a str,
    /// The type.
    pub event_type: &'a str,
    /// The sender.
    pub sender: &'a str,
    /// The event, for `contains_url`.
    pub event: &'a RawValue,
}

/// Reads a whole filter; 400 `M_BAD_JSON` when it is malformed, 413 when it is too large.
pub fn parse(json: &str) -> Result<FilterDefinition> {
    parse_as(json)
}

/// Reads the filter of `/messages`, `/context` and the like.
pub fn parse_room_event_filter(json: &str) -> Result<RoomEventFilter> {
    parse_as(json)
}

fn parse_as<T: DeserializeOwned>(json: &str) -> Result<T> {
    if json.len() > MAX_FILTER_BYTES {
        return Err(MatrixError::too_large("This filter is too large."));
    }
    // serde would also take a list for a struct, field by field.
    if !json.trim_start().starts_with('{') {
        return Err(MatrixError::bad_json("A filter must be an object."));
    }
    serde_json::from_str(json).map_err(|error| MatrixError::bad_json(format_args!("This filter is not valid: {error}")))
}

/// Whether an event passes a filter of room events. Excluding lists win over including ones.
pub fn allows_event(filter: &RoomEventFilter, candidate: Candidate<'_>) -> bool {
    allows_type(filter.types.as_deref(), &filter.not_types, candidate.event_type)
        && allows_id(filter.senders.as_deref(), &filter.not_senders, candidate.sender)
        && allows_id(filter.rooms.as_deref(), &filter.not_rooms, candidate.room_id)
        && match filter.url_filter {
            None => true,
            Some(UrlFilter::EventsWithUrl) => contains_url(candidate.event),
            Some(UrlFilter::EventsWithoutUrl) => !contains_url(candidate.event),
        }
}

/// Whether something without a sender (room account data, typing, receipts) passes.
pub fn allows_senderless(filter: &RoomEventFilter, room_id: &str, event_type: &str) -> bool {
    allows_type(filter.types.as_deref(), &filter.not_types, event_type)
        && allows_id(filter.rooms.as_deref(), &filter.not_rooms, room_id)
}

/// Whether a room is to be looked at; asked before the filters inside it.
pub fn allows_room(filter: &RoomFilter, room_id: &str) -> bool {
    allows_id(filter.rooms.as_deref(), &filter.not_rooms, room_id)
}

/// Whether data outside rooms of this type passes.
pub fn allows_account_data(filter: &Filter, event_type: &str) -> bool {
    allows_type(filter.types.as_deref(), &filter.not_types, event_type)
}

/// Whether the presence of this user passes.
pub fn allows_presence(filter: &Filter, sender: &str) -> bool {
    allows_type(filter.types.as_deref(), &filter.not_types, "m.presence")
        && allows_id(filter.senders.as_deref(), &filter.not_senders, sender)
}

/// How many events a filter asks for, between 0 and `most`.
pub fn limit(filter: &RoomEventFilter, default: usize, most: usize) -> usize {
    filter.limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(most).min(most))
}

/// Whether members are to be loaded lazily.
pub fn is_lazy(filter: &RoomEventFilter) -> bool {
    filter.lazy_load_options != LazyLoadOptions::Disabled
}

fn allows_type(types: Option<&[String]>, not_types: &[String], event_type: &str) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| matches_wildcard(pattern, event_type));
    types.is_none_or(matches) && !matches(not_types)
}

fn allows_id<I: AsRef<str>>(ids: Option<&[I]>, not_ids: &[I], id: &str) -> bool {
    let contains = |ids: &[I]| ids.iter().any(|other| other.as_ref() == id);
    ids.is_none_or(contains) && !contains(not_ids)
}

/// Whether `text` matches a pattern in which `*` stands for any sequence of characters.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        // The first place that fits leaves the most for the parts that follow.
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

/// Whether the content of an event has a `url` key.
pub fn contains_url(event: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        url: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Event>(event.get()).is_ok_and(|event| event.content.url.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(value: serde_json::Value) -> RoomEventFilter {
        parse_room_event_filter(&value.to_string()).unwrap()
    }

    fn allows(value: serde_json::Value, event_type: &str, sender: &str) -> bool {
        let event = serde_json::value::to_raw_value(&json!({"content": {"url": "mxc://a/b"}}));
        allows_event(&filter(value), Candidate { room_id: "!r:hub", event_type, sender, event: &event.unwrap() })
    }

    #[test]
    fn an_empty_filter_lets_everything_pass() {
        assert!(allows(json!({}), "m.room.message", "@a:hub"));
    }

    #[test]
    fn types_are_matched_with_wildcards_and_not_types_win() {
        assert!(allows(json!({"types": ["m.room.*"]}), "m.room.name", "@a:hub"));
        assert!(!allows(json!({"types": ["m.room"]}), "m.room.name", "@a:hub"));
        assert!(!allows(json!({"types": []}), "m.room.name", "@a:hub"));
        assert!(!allows(json!({"types": ["*"], "not_types": ["*.name"]}), "m.room.name", "@a:hub"));
        assert!(allows(json!({"types": ["m.*m.n*e"]}), "m.room.name", "@a:hub"));
        assert!(!allows(json!({"types": ["a*a"]}), "a", "@a:hub"));
        assert!(allows(json!({"types": ["**"]}), "a", "@a:hub"));
    }

    #[test]
    fn senders_and_rooms_are_matched_exactly() {
        assert!(!allows(json!({"senders": ["@b:hub"]}), "t", "@a:hub"));
        assert!(!allows(json!({"not_senders": ["@a:hub"]}), "t", "@a:hub"));
        assert!(!allows(json!({"rooms": ["!other:hub"]}), "t", "@a:hub"));
        assert!(!allows(json!({"not_rooms": ["!r:hub"]}), "t", "@a:hub"));
        assert!(allows(json!({"rooms": ["!r:hub"]}), "t", "@a:hub"));
    }

    #[test]
    fn contains_url_looks_into_the_content() {
        assert!(allows(json!({"contains_url": true}), "t", "@a:hub"));
        assert!(!allows(json!({"contains_url": false}), "t", "@a:hub"));
        let plain = RawValue::from_string(r#"{"url":1,"content":{}}"#.to_owned()).unwrap();
        assert!(!contains_url(&plain));
    }

    #[test]
    fn the_limit_is_capped_and_zero_means_none() {
        assert_eq!(limit(&filter(json!({})), 10, 50), 10);
        assert_eq!(limit(&filter(json!({"limit": 0})), 10, 50), 0);
        assert_eq!(limit(&filter(json!({"limit": 1000})), 10, 50), 50);
    }

    #[test]
    fn a_malformed_filter_is_refused() {
        for bad in [
            json!("text"),
            json!([]),
            json!({"presence": "text"}),
            json!({"room": {"timeline": "text"}}),
            json!({"room": {"state": "text"}}),
            json!({"room": {"ephemeral": "text"}}),
            json!({"room": {"account_data": "text"}}),
            json!({"room": {"timeline": {"rooms": "text"}}}),
            json!({"room": {"timeline": {"not_rooms": "text"}}}),
            json!({"room": {"timeline": {"senders": "text"}}}),
            json!({"room": {"timeline": {"not_senders": "text"}}}),
            json!({"room": {"timeline": {"types": "text"}}}),
            json!({"room": {"timeline": {"not_types": "text"}}}),
            json!({"room": {"timeline": {"types": [1]}}}),
            json!({"room": {"timeline": {"rooms": ["not_a_room"]}}}),
            json!({"room": {"timeline": {"senders": ["not_a_user"]}}}),
        ] {
            let error = parse(&bad.to_string()).unwrap_err();
            assert_eq!((error.status, &*error.errcode), (400, "M_BAD_JSON"), "{bad}");
        }
    }

    #[test]
    fn an_oversized_filter_is_refused() {
        let filter = json!({"room": {"timeline": {"types": ["x".repeat(MAX_FILTER_BYTES)]}}});
        assert_eq!(parse(&filter.to_string()).unwrap_err().status, 413);
    }
}
