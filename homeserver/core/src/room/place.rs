//! The room as a place: what it shows to those outside, and whether the directory lists it.
//!
//! What may be seen from outside is decided here and nowhere else: the summary, the hierarchy of a
//! space and everything that shows a room to somebody who is not in it asks [`RoomObject::describe`].

use hubbub_storage::{
    database::{Query, transaction},
    room::{
        events::{self, EventRow},
        followers::ARCHIVE,
        listing, state,
    },
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{Opened, RoomObject, initial::ARCHIVE_ID, join_rule::JoinRule};
use crate::{
    contract::{
        encode,
        place::{Child, Described, PlaceCommand, Summary},
    },
    error::{MatrixError, Result},
};

/// The most children of a space that are looked at.
const MAX_CHILDREN: u32 = 1_000;
/// The longest `order` of a child.
const MAX_ORDER: usize = 50;

/// The fields of an event that count here.
#[derive(Deserialize)]
struct Event {
    content: Map<String, Json>,
    sender: String,
    origin_server_ts: i64,
}

impl RoomObject {
    /// Carries out a command about the room as a place.
    pub(super) async fn handle_place(&self, command: PlaceCommand) -> Result<Vec<u8>> {
        match command {
            PlaceCommand::SetListed { by, listed } => encode(&self.set_listed(by.as_deref(), listed).await?),
            PlaceCommand::Describe { reader, joined, children } => {
                encode(&self.describe(reader.as_deref(), &joined, children).await?)
            }
            PlaceCommand::IsJoined { user_id } => encode(&self.has_member(&user_id)?),
            PlaceCommand::PlanUpgrade { actor } => encode(&self.plan_upgrade(&actor.user_id).await?),
        }
    }

    /// Whether a user is joined; false where there is no room.
    fn has_member(&self, user_id: &UserId) -> Result<bool> {
        let query = self.database.as_query();
        match self.opened(query) {
            Ok(opened) => Ok(self.membership_of(query, &opened, user_id)?.as_deref() == Some("join")),
            Err(error) if error.status == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lists the room in the directory or takes it off.
    async fn set_listed(&self, by: Option<&UserId>, listed: Option<bool>) -> Result<()> {
        if let Some(user_id) = by
            && !self.alias_permissions(user_id)?.may_set_canonical
        {
            return Err(MatrixError::forbidden(
                "Only members who may set the room's canonical alias decide whether the directory lists it.",
            ));
        }
        transaction(self.database.as_ref(), |transaction| {
            let mut row = self.opened(transaction.as_query())?.row;
            row.listed = listed.unwrap_or(row.listed);
            // A position of its own brings the row to D1 even if the process dies right here.
            row.position += 1;
            listing::put(transaction, row.position)?;
            self.save(transaction, &mut row)
        })?;
        self.context.failpoints.pass("room.after_listing").await;
        let _held = self.in_flight.lock(&format!("{ARCHIVE}:{ARCHIVE_ID}")).await;
        if let Err(error) = self.archive_all().await {
            tracing::warn!(room.id = %self.room_id, "The directory is behind: {error}");
        }
        Ok(())
    }

    /// What the room shows of itself to somebody who may join it, look into it or is in it; 404
    /// for others, as if there were no such room.
    async fn describe(&self, reader: Option<&UserId>, joined: &[OwnedRoomId], children: bool) -> Result<Described> {
        let query = self.database.as_query();
        let opened = self.opened(query).map_err(hidden)?;
        let membership = match reader {
            Some(reader) => self.membership_of(query, &opened, reader)?,
            None => None,
        };
        let rule = self.join_rule(query, &opened)?;
        let summary = self.summary(query, &opened, &rule)?;
        let is_space = summary.room_type.as_deref() == Some("m.space");
        let described = Described {
            children: if children && is_space { self.children(query)? } else { Vec::new() },
            membership: membership.clone().unwrap_or_else(|| "leave".to_owned()),
            summary,
        };
        let open = matches!(rule.rule.as_str(), "public" | "knock" | "knock_restricted")
            || described.summary.world_readable
            || matches!(membership.as_deref(), Some("join" | "invite"));
        if open {
            return Ok(described);
        }
        let vouching = match reader {
            Some(reader) if membership.as_deref() != Some("ban") => {
                self.vouching_room(reader, &rule.allow, joined).await?
            }
            _ => None,
        };
        if vouching.is_some() { Ok(described) } else { Err(unknown_place()) }
    }

    fn summary(&self, query: &dyn Query, opened: &Opened, rule: &JoinRule) -> Result<Summary> {
        let field = |event_type: &str, key: &str| -> Result<Option<String>> {
            let event = events::current(query, event_type, "")?;
            let event: Option<Event> = event.map(|event| serde_json::from_str(&event.pdu)).transpose()?;
            let text = event.and_then(|event| event.content.get(key)?.as_str().map(ToOwned::to_owned));
            Ok(text.filter(|text| !text.is_empty()))
        };
        Ok(Summary {
            room_id: self.room_id.to_string(),
            canonical_alias: field("m.room.canonical_alias", "alias")?,
            name: field("m.room.name", "name")?,
            topic: field("m.room.topic", "topic")?,
            avatar_url: field("m.room.avatar", "url")?,
            room_type: field("m.room.create", "type")?,
            num_joined_members: u64::try_from(opened.row.joined).unwrap_or_default(),
            join_rule: rule.rule.clone(),
            allowed_room_ids: rule.allow.clone(),
            world_readable: self.visibility_in_force(query)? == "world_readable",
            guest_can_join: field("m.room.guest_access", "guest_access")?.as_deref() == Some("can_join"),
            encryption: field("m.room.encryption", "algorithm")?,
            room_version: opened.row.version.clone(),
        })
    }

    /// The children of a space in their order
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#ordering-of-children-within-a-space)).
    fn children(&self, query: &dyn Query) -> Result<Vec<Child>> {
        let rows = state::current_of_type(query, "m.space.child", MAX_CHILDREN)?;
        let mut found = Vec::new();
        for row in self.events_of(query, &rows)? {
            found.extend(child(&row)?);
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found.into_iter().map(|(_, child)| child).collect())
    }
}

/// By what children are ordered: those with an `order` first, by it; then by age, then by id.
type Order = (bool, String, i64, OwnedRoomId);

/// A child and its place; `None` for a link that was removed, or names no servers.
fn child(row: &EventRow) -> Result<Option<(Order, Child)>> {
    let event: Event = serde_json::from_str(&row.pdu)?;
    let Some(room_id) = row.state_key.as_deref().and_then(|id| RoomId::parse(id).ok()) else {
        return Ok(None);
    };
    let via = event.content.get("via").and_then(Json::as_array);
    if !via.is_some_and(|via| !via.is_empty() && via.iter().all(Json::is_string)) {
        return Ok(None);
    }
    // “Strings … must consist of ASCII characters … and not exceed 50 characters”; others count as none.
    let is_valid = |order: &&str| order.len() <= MAX_ORDER && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    let order = event.content.get("order").and_then(Json::as_str).filter(is_valid);
    let place = (order.is_none(), order.unwrap_or_default().to_owned(), event.origin_server_ts, room_id.clone());
    let shown = json!({
        "type": row.event_type,
        "state_key": row.state_key,
        "sender": event.sender,
        "origin_server_ts": event.origin_server_ts,
        "content": event.content,
    });
    let suggested = event.content.get("suggested").and_then(Json::as_bool) == Some(true);
    Ok(Some((place, Child { room_id, suggested, event: serde_json::value::to_raw_value(&shown)? })))
}

/// A room that is not there looks like one that may not be seen.
fn hidden(error: MatrixError) -> MatrixError {
    if error.status == 404 { unknown_place() } else { error }
}

fn unknown_place() -> MatrixError {
    MatrixError::not_found("There is no such room, or you may not look at it.")
}

/// User ids as they are stored.
pub(super) fn parse_users(ids: Vec<String>) -> Result<Vec<OwnedUserId>> {
    ids.into_iter().map(|id| OwnedUserId::try_from(id).map_err(MatrixError::internal)).collect()
}
