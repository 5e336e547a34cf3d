//! What appservices ask of the server
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#client-server-api-extensions)).

pub(crate) mod query;
mod request_ping;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(request_ping::handle)]
}
