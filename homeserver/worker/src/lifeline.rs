//! Promises that are let go when this program's memory is lost.
//!
//! A panic ends the instance of the program, and with it every request of the isolate: their
//! promises would never settle, clients would wait for nothing, and an alarm would count as ringing
//! for minutes. So each promise that the platform waits for is held by a line of `platform.js`,
//! which outlives the instance and rejects it. The next request starts a new instance.

use std::panic::AssertUnwindSafe;

use wasm_bindgen::{JsValue, handler::set_on_abort};
use worker::{
    js_sys::{Promise, futures::future_to_promise},
    web_sys,
};

use crate::javascript;

/// Runs a future whose end the platform waits for.
pub fn promise<F, T>(future: F) -> Promise
where
    F: Future<Output = worker::Result<T>> + 'static,
    T: Into<JsValue>,
{
    javascript::hold(&start(future))
}

/// Answers a request from outside. It gets an answer even if all is lost, since a client that gets
/// none waits for minutes.
pub fn answer<F>(future: F) -> Promise
where
    F: Future<Output = worker::Result<web_sys::Response>> + 'static,
{
    javascript::hold_answer(&start(future))
}

fn start<F, T>(future: F) -> Promise
where
    F: Future<Output = worker::Result<T>> + 'static,
    T: Into<JsValue>,
{
    let work = async move { future.await.map(Into::into).map_err(JsValue::from) };
    future_to_promise(AssertUnwindSafe(work))
}

/// Prepares for the loss of this instance, by a panic or by a trap (memory, stack).
///
/// `worker` asks `wasm-bindgen` to start a new instance with the next call, whatever that is. A callback of the old
/// instance would pass its check for staleness and then run in the new memory with its old pointers. This handler takes
/// that one's place: callbacks of the old instance are refused, and only a request, an alarm or a schedule starts anew.
pub fn prepare() {
    let _of_worker = set_on_abort(javascript::instance_is_lost);
}
