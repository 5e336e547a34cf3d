//! The LoginObject's class.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};

impl Hosted for hubbub_slack::LoginObject {
    const CLASS: &'static str = "LoginObject";
}

/// One login with a network; Slack is the only one so far.
#[wasm_bindgen]
pub struct LoginObject(Shell<hubbub_slack::LoginObject>);

#[wasm_bindgen]
impl LoginObject {
    /// An instance, when the platform wakes the object.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Shell::new(state.into(), env))
    }

    /// A request.
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        self.0.fetch(request)
    }

    /// The alarm.
    pub fn alarm(&self) -> Promise {
        self.0.alarm()
    }
}
