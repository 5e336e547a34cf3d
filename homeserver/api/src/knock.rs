//! Asking to be let in ([spec](https://spec.matrix.org/v1.11/client-server-api/#knocking-on-rooms)).

mod knock_room;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(knock_room::handle)]
}
