//! What appservices ask of the server
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#client-server-api-extensions)).

pub(crate) mod query;
mod request_ping;
mod set_room_visibility;

use ruma::api::client::appservice;

use crate::endpoint::{Endpoint, of, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(request_ping::handle),
        of::<appservice::set_room_visibility::v3::Request>().raw(set_room_visibility::handle),
    ]
}
