//! What the server is and can do
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-discovery)).

mod discover_homeserver;
mod discover_support;
mod get_capabilities;
mod get_supported_versions;

use crate::endpoint::{Endpoint, of, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<ruma::api::client::discovery::discover_homeserver::Request>().raw(discover_homeserver::handle),
        typed(discover_support::handle),
        of::<ruma::api::client::discovery::get_capabilities::v3::Request>().raw(get_capabilities::handle),
        typed(get_supported_versions::handle),
    ]
}
