//! The AppserviceObject's class.

use std::rc::Rc;

use hubbub_appservice::object;
use hubbub_core::error;
use hubbub_storage::database::Database;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};
use crate::isolate::Isolate;

impl Hosted for object::AppserviceObject {
    const CLASS: &'static str = "AppserviceObject";

    fn open_in(isolate: &Isolate, name: &str, database: Rc<dyn Database>) -> error::Result<Self> {
        let context = Rc::clone(&isolate.context);
        Ok(Self::with_bridge(name, database, context, isolate.bridges.serving(name)?))
    }
}

/// The queue of one appservice.
#[wasm_bindgen]
pub struct AppserviceObject(Shell<object::AppserviceObject>);

#[wasm_bindgen]
impl AppserviceObject {
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
