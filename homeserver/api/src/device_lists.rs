//! Device lists
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#tracking-the-device-list-for-a-user)).

mod get_key_changes;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(get_key_changes::handle)]
}
