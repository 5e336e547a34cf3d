//! The state of a room.

mod canonical_alias;
mod get_state_event_for_key;
mod get_state_events;
mod send_state_event;

use ruma::api::client::state;

use crate::endpoint::{Endpoint, of};

/// The paths with an empty state key that leave its slash out.
const WITHOUT_KEY: [&str; 2] =
    ["/_matrix/client/r0/rooms/{room_id}/state/{event_type}", "/_matrix/client/v3/rooms/{room_id}/state/{event_type}"];

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<state::get_state_events::v3::Request>().raw(get_state_events::handle),
        of::<state::get_state_event_for_key::v3::Request>().also(&WITHOUT_KEY).raw(get_state_event_for_key::handle),
        of::<state::send_state_event::v3::Request>().also(&WITHOUT_KEY).raw(send_state_event::handle),
    ]
}
