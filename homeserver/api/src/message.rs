//! Sending and paging messages
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#getting-events-for-a-room)).

mod get_message_events;
mod send_message_event;

pub(crate) use send_message_event::SentBody;

use ruma::api::client::message;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<message::get_message_events::v3::Request>().raw(get_message_events::handle),
        of::<message::send_message_event::v3::Request>().raw(send_message_event::handle),
    ]
}
