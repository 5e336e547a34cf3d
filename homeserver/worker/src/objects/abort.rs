//! Resetting one object on purpose, as the platform does when it moves or updates it: for tests.

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{
    State,
    js_sys::{Function, Reflect},
};

use crate::javascript;

/// The request header by which a test resets an object.
pub const HEADER: &str = "x-hubbub-abort";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: u32) -> Result<JsValue, JsValue>;
}

/// Resets the object soon. Its callers get an error, its next request opens it anew.
pub fn reset(state: &State) -> Result<(), String> {
    let state: &JsValue = state.as_raw().as_ref();
    let abort: Function = Reflect::get(state, &"abort".into())
        .map_err(|error| javascript::message(&error))?
        .dyn_into()
        .map_err(|_| "the platform has no abort".to_owned())?;
    // `abort` ends the running script where it stands. Within a call of ours it would leave this
    // program's memory in disorder, for all objects; a timer calls it with nothing of ours running.
    let bound = abort.bind1(state, &JsValue::from_str("a test resets this object"));
    set_timeout(bound.unchecked_ref(), 0).map(|_| ()).map_err(|error| javascript::message(&error))
}
