//! Receipts ([spec](https://spec.matrix.org/v1.11/client-server-api/#receipts)).

mod create_receipt;

pub(crate) use create_receipt::{Mark, set};

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(create_receipt::handle)]
}
