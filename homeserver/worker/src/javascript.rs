//! The functions of `platform.js`, and reading what JavaScript throws.

use hubbub_storage::database::DatabaseError;
use wasm_bindgen::prelude::*;
use worker::{
    js_sys::{self, Array, ArrayBuffer, Promise, Uint8Array},
    web_sys,
};

#[wasm_bindgen(module = "/src/platform.js")]
extern "C" {
    /// Reads a whole request, but for a body under the path `streamed`.
    #[wasm_bindgen(js_name = readRequest)]
    pub fn read_request(request: &web_sys::Request, limit: u32, streamed: &str) -> Promise;

    /// A response from its parts.
    #[wasm_bindgen(catch, js_name = makeResponse)]
    pub fn make_response(status: u16, headers: &str, body: &Uint8Array) -> Result<web_sys::Response, JsValue>;

    /// A response whose body is a stream.
    #[wasm_bindgen(catch, js_name = streamResponse)]
    pub fn stream_response(
        status: u16,
        headers: &str,
        stream: &JsValue,
        length: f64,
    ) -> Result<web_sys::Response, JsValue>;

    /// Sends a request with a body that may stream, and returns the answer while its body does.
    #[wasm_bindgen(js_name = openExchange)]
    pub fn open_exchange(
        fetcher: &JsValue,
        method: &str,
        url: &str,
        headers: &str,
        body: &JsValue,
        length: f64,
        timeout: f64,
    ) -> Promise;

    /// Reads a whole stream; null when it is longer.
    #[wasm_bindgen(js_name = readStream)]
    pub fn read_stream(stream: &JsValue, limit: f64) -> Promise;

    /// A stream between two buffers.
    #[wasm_bindgen(js_name = frameStream)]
    pub fn frame_stream(stream: &JsValue, before: &Uint8Array, after: &Uint8Array) -> JsValue;

    /// Text in any encoding.
    #[wasm_bindgen(js_name = decodeAs)]
    pub fn decode_text(label: &str, bytes: &Uint8Array) -> Option<String>;

    /// Sends a command to an object and reads the whole reply.
    #[wasm_bindgen(js_name = callObject)]
    pub fn call_object(
        namespace: &JsValue,
        name: &str,
        options: &JsValue,
        command: &Uint8Array,
        billed: bool,
    ) -> Promise;

    /// A WebSocket to another server.
    #[wasm_bindgen(js_name = OutgoingSocket)]
    pub type JsSocket;

    /// Opens one. A longer text than `longest` is left out; where more than `most` waits, it is closed.
    #[wasm_bindgen(constructor, js_class = "OutgoingSocket")]
    pub fn new(url: &str, longest: u32, most: u32) -> JsSocket;

    /// What comes next: 0 once it is open, a text, or the code of the close, after which nothing comes.
    #[wasm_bindgen(method)]
    pub fn next(this: &JsSocket) -> Promise;

    /// Sends a text; false when it cannot be sent.
    #[wasm_bindgen(method)]
    pub fn send(this: &JsSocket, text: &str) -> bool;

    /// Closes it.
    #[wasm_bindgen(method)]
    pub fn close(this: &JsSocket, code: u16);

    /// A promise that [`instance_is_lost`] rejects.
    pub fn hold(work: &Promise) -> Promise;

    /// As [`hold`], for a response: a rejected one becomes a 500.
    #[wasm_bindgen(js_name = holdAnswer)]
    pub fn hold_answer(work: &Promise) -> Promise;

    /// Rejects every promise that is held, and lets the next request start a new instance.
    #[wasm_bindgen(js_name = instanceIsLost)]
    pub fn instance_is_lost();
}

/// The bytes of a buffer, or none if it is none.
pub fn bytes(buffer: &JsValue) -> Vec<u8> {
    buffer.dyn_ref::<ArrayBuffer>().map(|buffer| Uint8Array::new(buffer).to_vec()).unwrap_or_default()
}

/// The text at a place of an array; empty if it is none.
pub fn text_at(parts: &Array, index: u32) -> String {
    parts.get(index).as_string().unwrap_or_default()
}

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
