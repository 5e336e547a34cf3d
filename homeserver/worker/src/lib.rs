//! The Worker: glue between Cloudflare's platform and the core, and the only crate that names
//! `worker`, `js_sys` and `wasm_bindgen`.
//!
//! [`front`] answers requests, [`waiting`] lets a `/sync` wait without keeping an object awake,
//! [`objects`] are the Durable Object classes, [`ports`] what the core reaches the platform through,
//! [`cron`] the schedules. [`isolate`] makes all ports once; [`operations`] counts what is billed.
//! Open [`objects::shell`] next.
//!
//! It decodes, calls and encodes: what a room or a bridge does is decided in the core.

mod admin;
mod bridges;
mod configuration;
mod cron;
mod front;
mod http_message;
mod isolate;
mod javascript;
mod lifeline;
mod log;
mod objects;
mod operations;
mod ports;
mod scope;
mod waiting;

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{
    Env, ScheduledEvent,
    js_sys::Promise,
    web_sys,
    worker_sys::{self, Context, ScheduleContext},
};

/// Answers a request from outside.
#[wasm_bindgen]
pub fn fetch(request: web_sys::Request, env: Env, _context: Context) -> Promise {
    lifeline::answer(async move { front::answer(request, &env).await })
}

/// Runs a schedule of `wrangler.toml`.
#[wasm_bindgen]
pub fn scheduled(event: worker_sys::ScheduledEvent, env: Env, _context: ScheduleContext) -> Promise {
    let schedule = ScheduledEvent::from(event).cron();
    lifeline::promise(async move {
        cron::run(&schedule, &env).await;
        Ok(JsValue::UNDEFINED)
    })
}
