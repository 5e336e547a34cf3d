//! Redactions ([spec](https://spec.matrix.org/v1.11/client-server-api/#redactions)).

mod redact_event;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::redact::redact_event::v3::Request>().raw(redact_event::handle)]
}
