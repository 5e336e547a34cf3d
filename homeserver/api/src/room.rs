//! Making rooms, their aliases, and single events
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#creation)).

mod aliases;
mod create_room;
mod get_event_by_timestamp;
mod get_room_event;
mod get_summary;
mod upgrade_room;

use http::Method;
use ruma::{RoomVersionId, api::client::room};

use crate::endpoint::{Endpoint, of, own, typed};

/// The room versions that rooms can be made in: all but 1, which has a resolution of its own that
/// nobody needs any more.
pub(crate) const SUPPORTED_VERSIONS: [RoomVersionId; 11] = [
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(aliases::handle),
        typed(get_event_by_timestamp::handle),
        of::<room::create_room::v3::Request>().raw(create_room::handle),
        of::<room::get_room_event::v3::Request>().raw(get_room_event::handle),
        own(Method::GET, get_summary::PATH).raw(get_summary::stable),
        own(Method::GET, get_summary::UNSTABLE[0]).also(&get_summary::UNSTABLE[1..]).raw(get_summary::unstable),
        of::<room::upgrade_room::v3::Request>().raw(upgrade_room::handle),
    ]
}
