//! The Discord bridge: what Discord says becomes Matrix, and the answer goes back.
//!
//! Everything here is pure. [`gateway`] is the connection on which Discord tells what happens, as a
//! machine that is given frames and the time; [`events`] reads what it tells; [`convert`] turns
//! messages into Matrix contents and back; [`rest`] builds the calls and reads their answers, within
//! Discord's limits; [`interactions`] is the slash command over HTTP; [`remote_id`] knows Discord's
//! ids.
//!
//! Open [`gateway`] next to follow a message in, [`rest`] to follow one out.

pub mod convert;
pub mod events;
pub mod gateway;
pub mod interactions;
pub mod remote_id;
pub mod rest;

/// A field that is a text and says something.
pub(crate) fn text_of(value: &serde_json::Value, key: &str) -> Option<String> {
    value.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
