//! Spaces ([spec](https://spec.matrix.org/v1.11/client-server-api/#spaces)).

mod get_hierarchy;
mod token;
mod walk;

use ruma::api::client::space;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<space::get_hierarchy::v1::Request>().raw(get_hierarchy::handle)]
}
