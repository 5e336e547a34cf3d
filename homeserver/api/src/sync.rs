//! Syncing ([spec](https://spec.matrix.org/v1.11/client-server-api/#syncing)).

mod sync_events;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::sync::sync_events::v3::Request>().raw(sync_events::handle)]
}
