//! What a RoomObject can be asked about relations, threads and times.

use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::room::Actor;

/// One question.
#[derive(Debug, Serialize, Deserialize)]
pub enum RelationCommand {
    /// The events that relate to one. → [`RelatedEvents`]
    Related(Box<GetRelated>),
    /// The threads, those with the newest replies first. → [`Threads`]
    Threads(Box<GetThreads>),
    /// The event nearest to a time. 404 `M_NOT_FOUND` when there is none. → [`EventAtTime`]
    AtTime {
        /// Who asks.
        reader: Actor,
        /// Milliseconds since the epoch.
        ts: i64,
        /// Whether the event is to be at or after the time, or at or before it.
        forwards: bool,
    },
}

/// A page of related events.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetRelated {
    /// Who asks.
    pub reader: Actor,
    /// To which event; 404 `M_NOT_FOUND` when the reader may not see it.
    pub event_id: OwnedEventId,
    /// Only this relation.
    pub rel_type: Option<String>,
    /// Only events of this type.
    pub event_type: Option<String>,
    /// From which room token; `None`: from the newest (backwards) or the oldest (forwards).
    pub from: Option<String>,
    /// Up to which room token.
    pub to: Option<String>,
    /// Whether towards older events.
    pub backwards: bool,
    /// How many events, at most.
    pub limit: u32,
    /// Whether also those that relate to related events.
    pub recurse: bool,
}

/// The answer to [`RelationCommand::Related`].
#[derive(Debug, Serialize, Deserialize)]
pub struct RelatedEvents {
    /// Client-format events with `room_id`.
    pub chunk: Vec<Box<RawValue>>,
    /// The token of the next page; `None` when there is nothing more.
    pub next_batch: Option<String>,
    /// How deep the recursion went, if it was asked for.
    pub recursion_depth: Option<u32>,
}

/// A page of threads.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetThreads {
    /// Who asks.
    pub reader: Actor,
    /// Whether only those that the reader began or replied in.
    pub participated: bool,
    /// From which room token; `None`: from the newest.
    pub from: Option<String>,
    /// How many, at most.
    pub limit: u32,
}

/// The answer to [`RelationCommand::Threads`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Threads {
    /// The roots, client-format events with `room_id`.
    pub chunk: Vec<Box<RawValue>>,
    /// The token of the next page; `None` when there is nothing more.
    pub next_batch: Option<String>,
}

/// The answer to [`RelationCommand::AtTime`].
#[derive(Debug, Serialize, Deserialize)]
pub struct EventAtTime {
    /// The event.
    pub event_id: OwnedEventId,
    /// Its `origin_server_ts`.
    pub origin_server_ts: i64,
}
