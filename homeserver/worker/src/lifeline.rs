//! Promises that are let go when this program's memory is lost.
//!
//! A panic ends the instance of the program, and with it every request of the isolate: their
//! promises would never settle, clients would wait for nothing, and an alarm would count as ringing
//! for minutes. So each promise that the platform waits for is held by a line of JavaScript that
//! outlives the instance and rejects it. The next request starts a new instance
//! (`worker-build`'s shim).

use std::panic::AssertUnwindSafe;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Promise, futures::future_to_promise};

#[wasm_bindgen(inline_js = r#"
const inFlight = new Set();

export function hold(work) {
  return new Promise((resolve, reject) => {
    inFlight.add(reject);
    work.then(
      (value) => { inFlight.delete(reject); resolve(value); },
      (error) => { inFlight.delete(reject); reject(error); },
    );
  });
}

export function let_go() {
  const lost = [...inFlight];
  inFlight.clear();
  for (const reject of lost) reject(new Error("this isolate was reset"));
}

addEventListener("error", (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) let_go();
});
"#)]
extern "C" {
    fn hold(work: &Promise) -> Promise;
    /// Rejects all promises that are held.
    fn let_go();
}

/// Runs a future whose end the platform waits for.
pub fn promise<F, T>(future: F) -> Promise
where
    F: Future<Output = worker::Result<T>> + 'static,
    T: Into<JsValue>,
{
    let work = async move { future.await.map(Into::into).map_err(JsValue::from) };
    hold(&future_to_promise(AssertUnwindSafe(work)))
}

/// To be called by the panic hook, with the instance already lost.
pub fn instance_is_lost() {
    let_go();
}
