//! `GET /_matrix/client/v3/sync` from what the inbox holds
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3sync)).
//!
//! A token is (inbox epoch, inbox position) and never expires: a row changed since if its position
//! is higher. While more to-device messages wait than one answer holds, a third part says how far they came. [`room`] makes the entry of one room, [`timeline`] and [`state`] its largest parts;
//! [`relations`] bundles aggregations.

mod body;
mod device_lists;
mod presence;
mod relations;
mod room;
mod state;
mod timeline;
pub(super) mod to_device;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::Query,
    user::{
        account_data,
        inbox::{self, Inbox, RoomRow},
        state::StateEvent,
        timeline as places,
    },
};
use ruma::{OwnedRoomId, RoomId, api::client::filter::FilterDefinition};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{
    UserSyncObject,
    account_data::{PUSH_RULES, ignored_users},
    push_rules,
};
use crate::{
    contract::{
        Address, call,
        room::RoomCommand,
        user::{StateAfter, SyncAnswer, SyncRequest},
    },
    error::{MatrixError, Result},
    filter,
    room_token::{RoomToken, canonical_integer},
};
use body::{Body, Rooms};

/// How many rooms are asked for their members at once.
const ROOMS_AT_ONCE: usize = 6;

/// The members of rooms that the inbox does not hold all members of, as the rooms answered.
type OtherMembers = BTreeMap<String, Vec<StateEvent>>;

/// What one `/sync` looks at.
struct View<'a> {
    object: &'a UserSyncObject,
    query: &'a dyn Query,
    filter: FilterDefinition,
    /// `None`: an initial sync.
    since: Option<i64>,
    /// Through which position the device has its to-device messages.
    to_device_since: i64,
    full_state: bool,
    state_after: StateAfter,
    /// The device, for its transaction ids.
    device: String,
    ignored: Vec<String>,
    now: i64,
    other_members: &'a OtherMembers,
    /// Rooms whose other members are wanted.
    wanted: std::cell::RefCell<Vec<String>>,
}

impl UserSyncObject {
    /// A `/sync` from the inbox alone.
    pub(super) fn sync_from_inbox(&self, request: &SyncRequest) -> Result<SyncAnswer> {
        Ok(self.assemble(request, &OtherMembers::new())?.0)
    }

    /// A `/sync` that asks rooms for the members that the inbox lacks: at most one call a room,
    /// and only for a client that loads members eagerly.
    pub(super) async fn sync_completely(&self, request: &SyncRequest) -> Result<SyncAnswer> {
        self.seen_by_sync(request)?;
        self.acknowledge_to_device(request)?;
        let mut others = OtherMembers::new();
        loop {
            let (answer, wanted) = self.assemble(request, &others)?;
            if wanted.is_empty() {
                return Ok(answer);
            }
            let answers: Vec<(String, Result<Vec<StateEvent>>)> = stream::iter(wanted)
                .map(|room_id| async move {
                    let members = self.all_members(&room_id).await;
                    (room_id, members)
                })
                .buffer_unordered(ROOMS_AT_ONCE)
                .collect()
                .await;
            for (room_id, members) in answers {
                let members = match members {
                    // The room knows better who is in it: its delivery is on its way.
                    Err(error) if error.status < 500 => Vec::new(),
                    members => members?,
                };
                others.insert(room_id, members);
            }
        }
    }

    async fn all_members(&self, room_id: &str) -> Result<Vec<StateEvent>> {
        let room_id = OwnedRoomId::try_from(room_id).map_err(MatrixError::internal)?;
        let command =
            RoomCommand::Members { reader: self.user_id.clone(), at: None, membership: None, not_membership: None };
        let objects = self.context.objects.as_ref();
        let members: Vec<Box<RawValue>> = call(objects, Address::room(&room_id), &command).await?;
        members.iter().map(|member| state::member_of(member)).collect()
    }

    fn assemble(&self, request: &SyncRequest, other_members: &OtherMembers) -> Result<(SyncAnswer, Vec<String>)> {
        let device = self.check(&request.caller)?.device;
        let query = self.query();
        let inbox = inbox::get(query)?;
        let since = request.since.as_deref().map(|token| since(token, inbox)).transpose()?;
        let filter = self.filter_of_sync(request.filter.as_deref())?;
        let next_batch = next_batch_of(inbox, None);
        let waiter = waiter(&device, request.filter.as_deref());
        // Nothing happened: no need to look.
        let nothing_new = Since { position: inbox.position, to_device: inbox.position };
        if since == Some(nothing_new) && !request.full_state {
            let body = Body { keys: self.key_counts(&device, inbox.position)?.0, ..Body::empty(next_batch) };
            let body = serde_json::value::to_raw_value(&body)?;
            return Ok((SyncAnswer { body, empty: true, waiter }, Vec::new()));
        }
        let view = View {
            object: self,
            query,
            filter,
            since: since.map(|since| since.position),
            to_device_since: since.map_or(0, |since| since.to_device),
            full_state: request.full_state,
            state_after: request.state_after,
            ignored: ignored_users(query)?,
            now: self.context.clock.now(),
            other_members,
            wanted: std::cell::RefCell::default(),
            device,
        };
        let (to_device, more_after) = view.to_device()?;
        let (keys, keys_changed) = self.key_counts(&view.device, view.since.unwrap_or(-1))?;
        let body = Body {
            next_batch: next_batch_of(inbox, more_after),
            account_data: view.global_account_data()?,
            presence: view.presence()?,
            to_device,
            device_lists: view.device_lists()?,
            keys,
            rooms: view.rooms()?,
        };
        let answer = SyncAnswer {
            body: serde_json::value::to_raw_value(&body)?,
            empty: body.is_empty() && !keys_changed && view.since.is_some(),
            waiter,
        };
        Ok((answer, view.wanted.into_inner()))
    }

    /// Turns a sync token (or a room token, which stays) into the place in a room that it stands
    /// for. 400 `M_INVALID_PARAM` for anything else.
    pub(super) fn resolve_token(&self, room_id: &RoomId, token: &str) -> Result<String> {
        if token.starts_with('t') {
            return Ok(token.parse::<RoomToken>()?.to_string());
        }
        let query = self.query();
        let inbox_pos = since(token, inbox::get(query)?)?.position;
        let place = places::find_place_after(query, room_id.as_str(), inbox_pos)?;
        let (Some(room), Some(order_key)) = (inbox::get_room(query, room_id.as_str())?, place) else {
            // The inbox knows nothing of the room (a peeking reader, an appservice's user): now.
            let end = RoomToken { epoch: 0, order_key: places::END, position: places::END };
            return Ok(end.to_string());
        };
        let next = places::first_from(query, room_id.as_str(), order_key)?;
        let position = next.and_then(|next| next.position).map_or(room.position, |next| next - 1);
        let token = RoomToken { epoch: room.epoch, order_key, position };
        Ok(token.to_string())
    }
}

/// What a sync token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Since {
    /// The inbox position.
    pub(super) position: i64,
    /// Through which position the device has its to-device messages: usually the same.
    pub(super) to_device: i64,
}

/// The token of an answer; `more_after`: where the next one goes on with to-device messages.
fn next_batch_of(inbox: Inbox, more_after: Option<i64>) -> String {
    let Inbox { epoch, position } = inbox;
    match more_after {
        Some(more_after) => format!("s{epoch}_{position}_{more_after}"),
        None => format!("s{epoch}_{position}"),
    }
}

/// What a sync token stands for. A token of another user or another inbox reads as the beginning: it
/// reveals nothing, and clients do send such tokens.
pub(super) fn since(token: &str, inbox: Inbox) -> Result<Since> {
    let malformed = || MatrixError::invalid_param("This is not a sync token.");
    let parts = token.strip_prefix('s').ok_or_else(malformed)?.split('_');
    let parts: Option<Vec<i64>> = parts.map(canonical_integer).collect();
    let (epoch, position, to_device) = match parts.as_deref() {
        Some([epoch, position]) => (*epoch, *position, *position),
        Some([epoch, position, to_device]) if to_device <= position => (*epoch, *position, *to_device),
        _ => return Err(malformed()),
    };
    let own = epoch == inbox.epoch && (0..=inbox.position).contains(&position);
    Ok(if own { Since { position, to_device } } else { Since { position: 0, to_device: 0 } })
}

/// Who polls: a new poll closes the one that it follows, not those of other devices or filters.
fn waiter(device: &str, filter: Option<&str>) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let digest = Sha256::digest(filter.unwrap_or_default().as_bytes());
    let filter = URL_SAFE_NO_PAD.encode(digest.first_chunk::<12>().unwrap_or(&[0; 12]));
    format!("{filter}|{device}")
}

impl View<'_> {
    fn global_account_data(&self) -> Result<Option<body::Events>> {
        let changed = account_data::list_changed(self.query, "", self.since.unwrap_or(-1))?;
        let mut events = Vec::new();
        let stored_rules = changed.iter().any(|data| data.event_type == PUSH_RULES);
        if self.since.is_none() && !stored_rules && filter::allows_account_data(&self.filter.account_data, PUSH_RULES) {
            let rules = push_rules::shown(self.object.rules(self.query)?.as_ref())?;
            events.push(body::typed(PUSH_RULES, &rules)?);
        }
        for data in changed {
            if !filter::allows_account_data(&self.filter.account_data, &data.event_type) {
                continue;
            }
            let content = match data.event_type.as_str() {
                // Between newer defaults than those that were stored, perhaps.
                PUSH_RULES => push_rules::shown(self.object.rules(self.query)?.as_ref())?,
                _ => data.content,
            };
            events.push(body::typed(&data.event_type, &content)?);
        }
        // A client may expect the list in its first answer, even if there is nothing in it.
        Ok((self.since.is_none() || !events.is_empty()).then_some(body::Events { events }))
    }

    fn rooms(&self) -> Result<Rooms> {
        let mut rooms = Rooms::default();
        let candidates = match self.since {
            Some(since) if !self.full_state => inbox::list_changed_rooms(self.query, since)?,
            _ => inbox::list_rooms(self.query)?,
        };
        for room in candidates {
            if filter::allows_room(&self.filter.room, &room.room_id) {
                self.add_room(&mut rooms, &room)?;
            }
        }
        Ok(rooms)
    }

    fn add_room(&self, rooms: &mut Rooms, room: &RoomRow) -> Result<()> {
        let membership_changed = self.is_new(room.membership_pos);
        match room.membership.as_str() {
            "join" => {
                if let Some(joined) = self.joined_room(room)? {
                    rooms.join.insert(room.room_id.clone(), joined);
                }
            }
            "invite" if membership_changed && !self.is_ignored(room.inviter.as_deref()) => {
                let events = stripped(room)?;
                rooms.invite.insert(room.room_id.clone(), body::Invited { events });
            }
            "knock" if membership_changed => {
                let events = stripped(room)?;
                rooms.knock.insert(room.room_id.clone(), body::Knocked { events });
            }
            "leave" | "ban" if self.shows_left(room) => {
                let left = self.left_room(room)?;
                rooms.leave.insert(room.room_id.clone(), left);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a left room is shown: in an initial sync if the filter asks for it, or somebody
    /// else put the user out; in an incremental one if the leaving is news.
    fn shows_left(&self, room: &RoomRow) -> bool {
        match self.since {
            Some(since) => room.membership_pos > since,
            None => !room.forgotten && (self.filter.room.include_leave || !room.left_by_self),
        }
    }

    /// Whether something that changed at this position is news to the client.
    fn is_new(&self, changed_pos: i64) -> bool {
        self.since.is_none_or(|since| changed_pos > since)
    }

    fn is_ignored(&self, user_id: Option<&str>) -> bool {
        user_id.is_some_and(|user_id| self.ignored.iter().any(|ignored| ignored == user_id))
    }
}

fn stripped(room: &RoomRow) -> Result<body::Events> {
    let events = match &room.invite_state {
        Some(events) => serde_json::from_str(events)?,
        None => Vec::new(),
    };
    Ok(body::Events { events })
}
