//! Reading what JavaScript throws.

use hubbub_storage::database::DatabaseError;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::js_sys;

/// The message of something that was thrown.
pub fn message(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| "a value that is no error was thrown".to_owned()),
    }
}

/// What a database threw. SQLite's messages name tables and columns, never values.
pub fn database_error(thrown: JsValue) -> DatabaseError {
    DatabaseError(message(&thrown))
}
