//! What a pusher is told next: the first unread event, or invite, above its cursor.

use hubbub_storage::{
    database::Query,
    user::{
        inbox::RoomRow,
        pushers::{self, Pusher},
        state, timeline,
    },
};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{
    contract::delivery::RoomFacts,
    error::{MatrixError, Result},
    user::{UserSyncObject, account_data::ignored_users, notify::Notifications, unread::UnreadEvents},
};

/// Older events are given up while the gateway fails; the badge still comes.
const GIVEN_UP_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

/// (Inbox position, order key) of an event: where it stands among all that pushers are told of.
pub(super) type Place = (i64, i64);

/// An event to be told, or given up.
pub(super) struct Candidate {
    pub place: Place,
    pub room: RoomRow,
    /// The event in client format, without `room_id`.
    pub event: String,
    ts: i64,
}

/// What is due.
pub(super) struct Next {
    /// The event and its tweaks; `None`: no event.
    pub event: Option<(Candidate, Map<String, Json>)>,
    /// Where the pusher stands after it.
    pub cursor: Place,
}

impl UserSyncObject {
    /// The next event that still notifies by the rules as they are now.
    pub(super) fn next_push(&self, query: &dyn Query, pusher: &Pusher) -> Result<Next> {
        let now = self.context.clock.now();
        let mut cursor = (pusher.cursor_pos, pusher.cursor_key);
        while let Some(candidate) = self.first_above(query, cursor)? {
            cursor = candidate.place;
            if pusher.failures > 0 && now - candidate.ts > GIVEN_UP_AFTER_MS {
                continue;
            }
            if let Some(tweaks) = self.tweaks(query, &candidate)? {
                return Ok(Next { event: Some((candidate, tweaks)), cursor });
            }
        }
        Ok(Next { event: None, cursor })
    }

    fn first_above(&self, query: &dyn Query, cursor: Place) -> Result<Option<Candidate>> {
        let mut first: Option<Candidate> = None;
        for room in pushers::list_telling_rooms(query, cursor.0)? {
            let candidate = match room.membership.as_str() {
                "join" => first_unread(query, room, cursor)?,
                "invite" => self.waiting_invite(query, room, cursor)?,
                _ => None,
            };
            if let Some(candidate) = candidate
                && first.as_ref().is_none_or(|first| candidate.place < first.place)
            {
                first = Some(candidate);
            }
        }
        Ok(first)
    }

    fn waiting_invite(&self, query: &dyn Query, room: RoomRow, cursor: Place) -> Result<Option<Candidate>> {
        let place = (room.membership_pos, timeline::END);
        let ignored = ignored_users(query)?;
        if place <= cursor || room.inviter.as_ref().is_some_and(|inviter| ignored.contains(inviter)) {
            return Ok(None);
        }
        let member = state::get(query, &room.room_id, "m.room.member", self.user_id.as_str())?;
        Ok(member.map(|member| Candidate { place, room, event: member.event, ts: member.ts }))
    }

    /// What the rules say of an event; `None`: it does not notify.
    fn tweaks(&self, query: &dyn Query, candidate: &Candidate) -> Result<Option<Map<String, Json>>> {
        let room_id = OwnedRoomId::try_from(candidate.room.room_id.as_str()).map_err(MatrixError::internal)?;
        let facts = facts(query, &candidate.room)?;
        let notifications = Notifications::new(query, self.rules(query)?, room_id, &self.user_id, &facts)?;
        let event = RawValue::from_string(candidate.event.clone())?;
        notifications.tweaks(&event)
    }
}

fn first_unread(query: &dyn Query, room: RoomRow, cursor: Place) -> Result<Option<Candidate>> {
    let unread = UnreadEvents::parse(&room.unread)?;
    let mut above = -timeline::END;
    while let Some(event) = pushers::first_notifying(query, &room, cursor, above)? {
        if event.position.is_some_and(|position| unread.has(position)) {
            let place = (event.inbox_pos, event.order_key);
            return Ok(Some(Candidate { place, room, event: event.event, ts: event.ts }));
        }
        above = event.order_key;
    }
    Ok(None)
}

/// What push rules ask about a room, from what the inbox holds of it.
fn facts(query: &dyn Query, room: &RoomRow) -> Result<RoomFacts> {
    #[derive(Deserialize)]
    struct Create {
        sender: ruma::OwnedUserId,
        content: CreateContent,
    }
    #[derive(Deserialize)]
    struct CreateContent {
        #[serde(default)]
        room_version: Option<String>,
        #[serde(default)]
        additional_creators: Vec<ruma::OwnedUserId>,
    }
    let mut facts = RoomFacts { joined: u64::try_from(room.joined).unwrap_or_default(), ..RoomFacts::default() };
    let create = state::get(query, &room.room_id, "m.room.create", "")?;
    if let Some(create) = create.and_then(|create| serde_json::from_str::<Create>(&create.event).ok()) {
        facts.room_version = create.content.room_version.unwrap_or_else(|| "1".to_owned());
        let version = ruma::RoomVersionId::try_from(facts.room_version.as_str()).ok();
        let privileged = version
            .and_then(|version| version.rules())
            .is_some_and(|rules| rules.authorization.explicitly_privilege_room_creators);
        if privileged {
            facts.creators = create.content.additional_creators;
            facts.creators.push(create.sender);
        }
    }
    facts.power_levels = content_of(query, &room.room_id, "m.room.power_levels", "")?;
    Ok(facts)
}

/// The content of a piece of state that the inbox holds.
pub(super) fn content_of(
    query: &dyn Query,
    room_id: &str,
    event_type: &str,
    state_key: &str,
) -> Result<Option<Box<RawValue>>> {
    #[derive(Deserialize)]
    struct Event {
        content: Box<RawValue>,
    }
    let event = state::get(query, room_id, event_type, state_key)?;
    Ok(event.and_then(|event| serde_json::from_str::<Event>(&event.event).ok()).map(|event| event.content))
}
