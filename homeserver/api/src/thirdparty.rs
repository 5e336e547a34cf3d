//! Third-party networks ([spec](https://spec.matrix.org/v1.11/client-server-api/#third-party-networks)),
//! as the registered appservices and the bundled bridges know them.

mod get_location_for_protocol;
mod get_location_for_room_alias;
mod get_protocol;
mod get_protocols;
mod get_user_for_protocol;
mod get_user_for_user_id;

use std::collections::BTreeMap;

use hubbub_appservice::thirdparty;
use hubbub_core::error::Result;
use ruma::thirdparty::Protocol;

use crate::{
    call::Call,
    credentials::Authenticated,
    endpoint::{Endpoint, typed},
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(get_location_for_protocol::handle),
        typed(get_location_for_room_alias::handle),
        typed(get_protocol::handle),
        typed(get_protocols::handle),
        typed(get_user_for_protocol::handle),
        typed(get_user_for_user_id::handle),
    ]
}

/// All protocols by name.
async fn protocols(call: &Call<Authenticated>) -> Result<BTreeMap<String, Protocol>> {
    let registry = &call.peer.front.registry;
    Ok(thirdparty::protocols(&call.context, registry.descriptions(), &registry.bundled()).await?)
}

/// What a client searches by. Whose request it is, is nobody's business but ours.
fn searched(mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
    fields.remove("access_token");
    fields.remove("user_id");
    fields
}
