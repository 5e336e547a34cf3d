//! Calls to other objects: one `fetch` with the command as its body.
//!
//! [`crate::objects::shell`] is the other end. Open [`crate::waiting`] for the one call that is not
//! made here: a `/sync` that waits.

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::{CallError, Objects},
    contract::{Address, Class},
};
use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response, Stub, js_sys::Uint8Array};

use crate::{
    operations::{BILL_HEADER, Counts, OPERATIONS_HEADER, charge, count},
    scope,
};

/// Nobody resolves it: it only has to be a URL.
pub const OBJECT_URL: &str = "http://object/";

/// The namespaces of all classes.
pub struct PlatformObjects {
    rooms: ObjectNamespace,
    users: ObjectNamespace,
    appservices: ObjectNamespace,
    logins: ObjectNamespace,
    portals: ObjectNamespace,
    location_hint: Option<String>,
}

impl PlatformObjects {
    /// The namespaces bound in `env`. Objects are made near `location_hint`, which only counts at
    /// an object's first call: without it a webhook would place portals near its sender for ever.
    pub fn new(env: &Env, location_hint: Option<String>) -> worker::Result<Self> {
        Ok(Self {
            rooms: env.durable_object("ROOMS")?,
            users: env.durable_object("USERS")?,
            appservices: env.durable_object("APPSERVICES")?,
            logins: env.durable_object("LOGINS")?,
            portals: env.durable_object("PORTALS")?,
            location_hint,
        })
    }

    /// An object to send a request to. A stub lives as long as the request that made it: it is never
    /// kept.
    pub fn stub(&self, address: &Address) -> worker::Result<Stub> {
        let namespace = match address.class {
            Class::Room => &self.rooms,
            Class::User => &self.users,
            Class::Appservice => &self.appservices,
            Class::Login => &self.logins,
            Class::Portal => &self.portals,
        };
        count(Counts { object_calls: 1, ..Counts::default() });
        match &self.location_hint {
            Some(hint) => namespace.get_by_name_with_location_hint(&address.name, hint),
            None => namespace.get_by_name(&address.name),
        }
    }

    async fn send(&self, address: &Address, command: &[u8]) -> worker::Result<Response> {
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(Uint8Array::from(command).into()));
        let mut request = Request::new_with_init(OBJECT_URL, &init)?;
        if scope::current().bill.is_some() {
            request.headers_mut()?.set(BILL_HEADER, "object")?;
        }
        self.stub(address)?.fetch_with_request(request).await
    }
}

/// Adds what an object did for the current request to its bill.
pub fn take_bill(response: &Response) {
    let header = response.headers().get(OPERATIONS_HEADER).ok().flatten();
    if let Some(counts) = header.and_then(|header| serde_json::from_str(&header).ok()) {
        charge(counts);
    }
}

impl Objects for PlatformObjects {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(async move {
            let failed = |error: worker::Error| CallError(format!("{:?}: {error}", address.class));
            let mut response = self.send(&address, &command).await.map_err(failed)?;
            if response.status_code() != 200 {
                return Err(CallError(format!("{:?} answered {}", address.class, response.status_code())));
            }
            take_bill(&response);
            response.bytes().await.map_err(failed)
        })
    }
}
