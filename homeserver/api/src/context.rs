//! An event's surroundings.

mod get_context;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::context::get_context::v3::Request>().raw(get_context::handle)]
}
