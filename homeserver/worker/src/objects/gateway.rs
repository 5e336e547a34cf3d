//! The DiscordGatewayObject's class.

use std::rc::Rc;

use hubbub_core::error;
use hubbub_discord::GatewayObject;
use hubbub_storage::database::Database;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, js_sys::Promise, web_sys, worker_sys::DurableObjectState};

use super::shell::{Hosted, Shell};
use crate::{isolate::Isolate, ports::sockets::PlatformSockets};

impl Hosted for GatewayObject {
    const CLASS: &'static str = "DiscordGatewayObject";

    fn open_in(isolate: &Isolate, name: &str, database: Rc<dyn Database>) -> error::Result<Self> {
        let sockets = Rc::new(PlatformSockets { private_addresses: isolate.switches.private_addresses });
        Ok(Self::with_sockets(name, database, Rc::clone(&isolate.context), sockets))
    }
}

/// The connection of one login to Discord's gateway.
#[wasm_bindgen]
pub struct DiscordGatewayObject(Shell<GatewayObject>);

#[wasm_bindgen]
impl DiscordGatewayObject {
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
