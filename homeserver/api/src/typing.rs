//! Typing notifications ([spec](https://spec.matrix.org/v1.11/client-server-api/#typing-notifications)).

mod create_typing_event;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::typing::create_typing_event::v3::Request>().raw(create_typing_event::handle)]
}
