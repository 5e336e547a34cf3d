//! Calls to other objects: one `fetch` with the command as its body.
//!
//! [`crate::objects::shell`] is the other end. Open [`crate::waiting`] for the one call that is not
//! made here: a `/sync` that waits.

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::{CallError, Objects},
    contract::{Address, Class},
};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{
    Env, ObjectNamespace, Response, Stub,
    js_sys::{Array, Object, Reflect, Uint8Array},
    wasm_bindgen_futures::JsFuture,
};

use crate::{
    javascript,
    operations::{Counts, OPERATIONS_HEADER, charge, count},
    scope,
};

/// Nobody resolves it: it only has to be a URL.
pub const OBJECT_URL: &str = "http://object/";

/// The namespaces of all classes.
pub struct PlatformObjects {
    rooms: ObjectNamespace,
    users: ObjectNamespace,
    user_keys: ObjectNamespace,
    appservices: ObjectNamespace,
    logins: ObjectNamespace,
    portals: ObjectNamespace,
    gateways: ObjectNamespace,
    location_hint: Option<String>,
    /// The options of a stub, with the location hint.
    options: JsValue,
}

impl PlatformObjects {
    /// The namespaces bound in `env`. Objects are made near `location_hint`, which only counts at
    /// an object's first call: without it a webhook would place portals near its sender for ever.
    pub fn new(env: &Env, location_hint: Option<String>) -> worker::Result<Self> {
        let options = match &location_hint {
            Some(hint) => {
                let options = Object::new();
                Reflect::set(&options, &"locationHint".into(), &hint.into())?;
                options.into()
            }
            None => JsValue::UNDEFINED,
        };
        Ok(Self {
            rooms: env.durable_object("ROOMS")?,
            users: env.durable_object("USERS")?,
            user_keys: env.durable_object("USER_KEYS")?,
            appservices: env.durable_object("APPSERVICES")?,
            logins: env.durable_object("LOGINS")?,
            portals: env.durable_object("PORTALS")?,
            gateways: env.durable_object("GATEWAYS")?,
            location_hint,
            options,
        })
    }

    fn namespace(&self, class: Class) -> &ObjectNamespace {
        count(Counts { object_calls: 1, ..Counts::default() });
        match class {
            Class::Room => &self.rooms,
            Class::User => &self.users,
            Class::UserKeys => &self.user_keys,
            Class::Appservice => &self.appservices,
            Class::Login => &self.logins,
            Class::Portal => &self.portals,
            Class::Gateway => &self.gateways,
        }
    }

    /// An object to send one request to. A stub lives as long as the request that made it: it is
    /// never kept.
    pub fn stub(&self, address: &Address) -> worker::Result<Stub> {
        let namespace = self.namespace(address.class);
        match &self.location_hint {
            Some(hint) => namespace.get_by_name_with_location_hint(&address.name, hint),
            None => namespace.get_by_name(&address.name),
        }
    }

    async fn send(&self, address: &Address, command: &[u8]) -> Result<Vec<u8>, CallError> {
        let failed = |why: String| CallError(format!("{:?}: {why}", address.class));
        let promise = javascript::call_object(
            self.namespace(address.class).as_ref(),
            &address.name,
            &self.options,
            &Uint8Array::from(command),
            scope::current().bill.is_some(),
        );
        let reply = JsFuture::from(promise).await.map_err(|error| failed(javascript::message(&error)))?;
        let reply: Array = reply.unchecked_into();
        match reply.get(0).as_f64() {
            Some(200.0) => {}
            status => return Err(failed(format!("status {}", status.unwrap_or_default()))),
        }
        if let Some(bill) = reply.get(2).as_string() {
            charge_bill(&bill);
        }
        Ok(javascript::bytes(&reply.get(1)))
    }
}

/// Adds what an object did for the current request to its bill.
pub fn take_bill(response: &Response) {
    if let Some(bill) = response.headers().get(OPERATIONS_HEADER).ok().flatten() {
        charge_bill(&bill);
    }
}

fn charge_bill(bill: &str) {
    if let Ok(counts) = serde_json::from_str(bill) {
        charge(counts);
    }
}

impl Objects for PlatformObjects {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(async move { self.send(&address, &command).await })
    }
}
