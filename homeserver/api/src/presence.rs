//! Presence ([spec](https://spec.matrix.org/v1.11/client-server-api/#presence)).

mod get_presence;
mod set_presence;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(get_presence::handle), typed(set_presence::handle)]
}
