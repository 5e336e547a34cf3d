//! Reading Discord's JSON leniently: a field of the wrong type is a field that is not there.

use hubbub_bridge::text::document::{Block, Span};
use serde_json::Value;

/// A string that says something.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A string inside an object.
pub(super) fn inner<'a>(value: &'a Value, key: &str, inside: &str) -> Option<&'a str> {
    value.get(key).and_then(|field| text(field, inside))
}

/// The members of an array; none if it is missing.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A number; Discord's ids are strings, and those of old events numbers.
pub(super) fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

/// Whether a bit of `flags` is set.
pub(super) fn flag(value: &Value, bit: u32) -> bool {
    number(value, "flags").is_some_and(|flags| flags >> bit & 1 == 1)
}

/// A paragraph of plain text.
pub(super) fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(vec![Span::plain(text)])
}
