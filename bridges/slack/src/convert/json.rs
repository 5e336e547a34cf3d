//! Reading Slack's JSON leniently: a field of the wrong type is a field that is not there.
//!
//! The typed models refuse a whole message for one odd field, and lack many fields. Text must not be
//! lost for that, so what is shown is read from the raw value.

use serde_json::Value;

/// A string that says something.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The members of an array; none if it is missing.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A field that is there and not null.
pub(super) fn present<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|field| !field.is_null())
}

/// The `type` of a block or element, or `unknown`.
pub(super) fn kind(value: &Value) -> &str {
    text(value, "type").unwrap_or("unknown")
}
