//! `/_hubbub/admin/v1/slack/*` and `/_hubbub/slack/*`, and the same of Discord
//!
//! The bundled bridges' own admin calls, pages and webhooks: handed on to
//! [`crate::BridgeRoutes`]. Admin calls get there only with the operator's token; how a webhook
//! proves itself is for the bridge to check, on the raw bytes.

use http::Method;
use hubbub_core::error::{MatrixError, Result};

use crate::{
    answer::Outcome,
    call::Call,
    credentials::{Admin, Credentials, Public},
    endpoint::{Endpoint, own},
};

/// The paths of the bridges; how deep they go is theirs to know.
const PUBLIC: [&str; 6] = [
    "/_hubbub/slack/{a}",
    "/_hubbub/slack/{a}/{b}",
    "/_hubbub/slack/{a}/{b}/{c}",
    "/_hubbub/discord/{a}",
    "/_hubbub/discord/{a}/{b}",
    "/_hubbub/discord/{a}/{b}/{c}",
];
const ADMIN: [&str; 6] = [
    "/_hubbub/admin/v1/slack/{a}",
    "/_hubbub/admin/v1/slack/{a}/{b}",
    "/_hubbub/admin/v1/slack/{a}/{b}/{c}",
    "/_hubbub/admin/v1/discord/{a}",
    "/_hubbub/admin/v1/discord/{a}/{b}",
    "/_hubbub/admin/v1/discord/{a}/{b}/{c}",
];

pub(super) fn endpoints() -> Vec<Endpoint> {
    [Method::GET, Method::POST, Method::DELETE]
        .into_iter()
        .flat_map(|method| {
            [
                own(method.clone(), PUBLIC[0]).also(&PUBLIC[1..]).raw(hand_on::<Public>),
                own(method, ADMIN[0]).also(&ADMIN[1..]).raw(hand_on::<Admin>),
            ]
        })
        .collect()
}

async fn hand_on<A: Credentials>(call: Call<A>) -> Result<Outcome> {
    let front = std::rc::Rc::clone(&call.peer.front);
    let answer = front.bridges.handle(call.into_request()).await;
    let answer = answer.ok_or_else(|| MatrixError::new(404, "M_UNRECOGNIZED", "No bridge knows this request."))?;
    Ok(Outcome::Response(answer))
}
