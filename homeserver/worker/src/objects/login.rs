//! The LoginObject's class.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};
use crate::bridges;

impl Hosted for bridges::LoginObject {
    const CLASS: &'static str = "LoginObject";
}

/// One login with a network, which its name tells.
#[wasm_bindgen]
pub struct LoginObject(Shell<bridges::LoginObject>);

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
