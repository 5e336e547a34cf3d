//! The fully read marker ([spec](https://spec.matrix.org/v1.11/client-server-api/#fully-read-markers)).

mod set_read_marker;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(set_read_marker::handle)]
}
