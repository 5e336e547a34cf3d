//! Calls ([spec](https://spec.matrix.org/v1.11/client-server-api/#voice-over-ip)).

mod get_turn_server_info;

use ruma::api::client::voip;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<voip::get_turn_server_info::v3::Request>().raw(get_turn_server_info::handle)]
}
