//! Searching what was said.

mod search_events;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::search::search_events::v3::Request>().raw(search_events::handle)]
}
