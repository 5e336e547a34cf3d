//! To-device messages
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#send-to-device-messaging)).

mod send_event_to_device;

use crate::endpoint::{Endpoint, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(send_event_to_device::handle)]
}
