//! The PortalObject's class.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};
use crate::bridges;

impl Hosted for bridges::PortalObject {
    const CLASS: &'static str = "PortalObject";
}

/// One channel of a login as a room.
#[wasm_bindgen]
pub struct PortalObject(Shell<bridges::PortalObject>);

#[wasm_bindgen]
impl PortalObject {
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
