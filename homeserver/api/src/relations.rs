//! The events that relate to one
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#relationships-api)).
//!
//! Three endpoints, one question to the room.

mod get_relating_events;
mod get_relating_events_with_rel_type;
mod get_relating_events_with_rel_type_and_event_type;

use hubbub_core::{
    contract::{
        relation::{GetRelated, RelatedEvents, RelationCommand},
        room::RoomCommand,
    },
    error::Result,
};
use ruma::{
    OwnedEventId, RoomId, UInt,
    api::{Direction, client::threads},
    serde::Raw,
};

use crate::{
    call::Call,
    credentials::Authenticated,
    endpoint::{Endpoint, typed},
    objects,
    tokens::room_token,
};

mod get_threads;

/// How many events a page has when the request does not say.
const DEFAULT_LIMIT: u32 = 20;

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(get_relating_events::handle),
        typed(get_relating_events_with_rel_type::handle),
        typed(get_relating_events_with_rel_type_and_event_type::handle),
        typed::<Authenticated, threads::get_threads::v1::Request, _, _>(get_threads::handle),
    ]
}

/// What the three requests have in common.
struct Related {
    event_id: OwnedEventId,
    rel_type: Option<String>,
    event_type: Option<String>,
    direction: Direction,
    limit: Option<UInt>,
    recurse: bool,
}

/// What the three responses have in common.
struct Page<T> {
    chunk: Vec<Raw<T>>,
    next_batch: Option<String>,
    prev_batch: Option<String>,
    recursion_depth: Option<UInt>,
}

async fn related<T>(call: &Call<Authenticated>, room_id: &RoomId, related: Related) -> Result<Page<T>> {
    let from = room_token(call, room_id, "from").await?;
    let command = RelationCommand::Related(Box::new(GetRelated {
        reader: call.auth.actor(),
        event_id: related.event_id,
        rel_type: related.rel_type,
        event_type: related.event_type,
        from: from.clone(),
        to: room_token(call, room_id, "to").await?,
        backwards: related.direction == Direction::Backward,
        limit: limit(related.limit),
        recurse: related.recurse,
    }));
    let page: RelatedEvents = objects::room(call, room_id, &RoomCommand::Relation(command)).await?;
    Ok(Page {
        chunk: page.chunk.into_iter().map(Raw::from_json).collect(),
        next_batch: page.next_batch,
        prev_batch: from,
        recursion_depth: page.recursion_depth.map(UInt::from),
    })
}

/// How many events are asked for; the room has a limit of its own. 0 would never come to an end.
fn limit(asked: Option<UInt>) -> u32 {
    asked.map_or(DEFAULT_LIMIT, |asked| u32::try_from(asked).unwrap_or(u32::MAX)).max(1)
}
