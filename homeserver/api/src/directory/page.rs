//! A page of the public directory.
//!
//! A token is the direction and the room beside which the page begins: `f12_!room:server` goes on
//! towards rooms with fewer than 12 members. So a page is found by an index, however long the list.

use std::borrow::Cow;

use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::public_rooms::{self, List, Place, PublicRoom, Search};
use ruma::RoomId;
use serde::Serialize;

/// How many rooms a page has when the client does not say.
const DEFAULT_LIMIT: u64 = 100;
/// The most rooms of a page.
const MAX_LIMIT: u64 = 500;
/// The longest search term.
const MAX_TERM_BYTES: usize = 255;
/// The most types of rooms to choose from.
const MAX_ROOM_TYPES: usize = 20;

/// What was asked for.
pub(super) struct Asked<'a> {
    /// Whose directory.
    pub server: Option<Cow<'a, str>>,
    /// From which token.
    pub since: Option<Cow<'a, str>>,
    /// How many rooms; 0: as many as there may be.
    pub limit: Option<u64>,
    /// Which list.
    pub list: List,
    /// What name, topic or alias must contain.
    pub term: Option<String>,
    /// Which types of rooms; none: all.
    pub room_types: Vec<Option<String>>,
}

/// The body of the answer.
#[derive(Serialize)]
pub(super) struct Page {
    chunk: Vec<Chunk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
    total_room_count_estimate: i64,
}

/// A room; unlike ruma's type it always says how to join.
#[derive(Serialize)]
struct Chunk {
    room_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_type: Option<String>,
    join_rule: String,
    num_joined_members: i64,
    world_readable: bool,
    guest_can_join: bool,
}

impl From<PublicRoom> for Chunk {
    fn from(room: PublicRoom) -> Self {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            room_id: room.room_id,
            name: text(room.name),
            topic: text(room.topic),
            canonical_alias: text(room.canonical_alias),
            avatar_url: text(room.avatar_url),
            room_type: text(room.room_type),
            join_rule: room.join_rule.unwrap_or_else(|| "invite".to_owned()),
            num_joined_members: room.joined_members,
            world_readable: room.world_readable,
            guest_can_join: room.guest_can_join,
        }
    }
}

/// Reads a page. 403 `M_FORBIDDEN` for another server's directory, 400 `M_INVALID_PARAM` for a
/// token that is none.
pub(super) async fn read(context: &Context, asked: Asked<'_>) -> Result<Page> {
    if asked.server.is_some_and(|server| server != context.config.server_name.as_str()) {
        return Err(MatrixError::forbidden("This server does not federate, so it knows no other server's rooms."));
    }
    let from = asked.since.as_deref().map(parse).transpose()?;
    let term = asked.term.map(|term| term.trim().to_lowercase()).filter(|term| !term.is_empty());
    if term.as_ref().is_some_and(|term| term.len() > MAX_TERM_BYTES) || asked.room_types.len() > MAX_ROOM_TYPES {
        return Err(MatrixError::invalid_param("This search is too long."));
    }
    let limit = match asked.limit {
        None => DEFAULT_LIMIT,
        Some(0) => MAX_LIMIT,
        Some(limit) => limit.min(MAX_LIMIT),
    };
    let limit = u32::try_from(limit).map_err(MatrixError::internal)?;
    let backwards = matches!(from, Some((Direction::Backwards, _)));
    let search = Search {
        list: &asked.list,
        term: term.as_deref(),
        room_types: Some(asked.room_types.as_slice()).filter(|types| !types.is_empty()),
        from: from.as_ref().map(|(_, place)| place),
        backwards,
        // One more tells whether there are more.
        limit: limit + 1,
    };
    let found = public_rooms::search(&*context.directory, &search).await?;
    let mut rooms = found.rooms;
    let more = rooms.len() > usize::try_from(limit).map_err(MatrixError::internal)?;
    if more {
        rooms.pop();
    }
    if backwards {
        rooms.reverse();
    }
    let (has_next, has_previous) = if backwards { (true, more) } else { (more, from.is_some()) };
    let next_batch = rooms.last().filter(|_| has_next).map(|room| token('f', room));
    let prev_batch = rooms.first().filter(|_| has_previous).map(|room| token('b', room));
    let chunk = rooms.into_iter().map(Chunk::from).collect();
    Ok(Page { chunk, next_batch, prev_batch, total_room_count_estimate: found.total })
}

enum Direction {
    Forwards,
    Backwards,
}

fn token(direction: char, room: &PublicRoom) -> String {
    format!("{direction}{}_{}", room.joined_members, room.room_id)
}

fn parse(token: &str) -> Result<(Direction, Place)> {
    let refuse = || MatrixError::invalid_param("This is no token of the room directory.");
    let (direction, rest) = match (token.strip_prefix('f'), token.strip_prefix('b')) {
        (Some(rest), _) => (Direction::Forwards, rest),
        (None, Some(rest)) => (Direction::Backwards, rest),
        (None, None) => return Err(refuse()),
    };
    let (members, room_id) = rest.split_once('_').ok_or_else(refuse)?;
    let members: u32 = members.parse().map_err(|_| refuse())?;
    let room_id = RoomId::parse(room_id).map_err(|_| refuse())?;
    Ok((direction, Place { joined_members: i64::from(members), room_id: room_id.to_string() }))
}
