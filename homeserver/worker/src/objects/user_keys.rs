//! The UserKeysObject's class.

use hubbub_core::keys;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};

impl Hosted for keys::UserKeysObject {
    const CLASS: &'static str = "UserKeysObject";
}

/// The keys of one local user.
#[wasm_bindgen]
pub struct UserKeysObject(Shell<keys::UserKeysObject>);

#[wasm_bindgen]
impl UserKeysObject {
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
