//! Where somebody may search, and whether the index has come that far.

use std::{collections::BTreeMap, pin::pin};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use hubbub_storage::{
    directory::memberships,
    room::{LIVE, position_of},
    search::{self, LAST_PLACE, place_of},
};
use ruma::{OwnedRoomId, OwnedUserId, api::client::filter::RoomEventFilter};

use super::{GroupBy, ROOMS_AT_ONCE, Request, ask, page::Page};
use crate::{
    context::Context,
    contract::{
        Address, call,
        room::Actor,
        search::{RoomSearchCommand, ScopedRoom, SearchScope, UserSearchCommand},
        user::{Caller, UserCommand},
    },
    error::{MatrixError, Result},
};

/// How long a search waits for the index.
const WAIT_MS: u32 = 2_000;
/// How many rooms whose part of the index is behind are waited for.
const MAX_LATE_ROOMS: usize = 50;

/// The rooms of a search.
pub(super) struct Scope {
    /// Who searches, for rooms.
    pub actor: Actor,
    rooms: Vec<ScopedRoom>,
}

impl Scope {
    /// The rooms that the searcher is or was in and the request asks for. 401 when the session is
    /// gone.
    pub async fn of(context: &Context, request: &Request, page: Option<&Page>) -> Result<Self> {
        let user_id = &request.user_id;
        let mut scope = match &request.caller {
            Caller::Session(_) => {
                let command = UserCommand::Search(UserSearchCommand::Scope { caller: request.caller.clone() });
                call::<SearchScope>(context.objects.as_ref(), Address::user(user_id), &command).await?
            }
            Caller::Appservice(id) | Caller::AppserviceDevice { id, .. } => without_inbox(context, user_id, id).await?,
        };
        let filter = &request.criteria.filter;
        let group = page.and_then(|page| page.group.as_ref()).filter(|(by, _)| *by == GroupBy::Room);
        scope.rooms.retain(|room| {
            filter.rooms.as_ref().is_none_or(|rooms| rooms.contains(&room.room_id))
                && !filter.not_rooms.contains(&room.room_id)
                && group.is_none_or(|(_, room_id)| room.room_id == *room_id)
        });
        let actor = Actor { user_id: user_id.clone(), device: scope.device, ignored: scope.ignored };
        Ok(Self { actor, rooms: scope.rooms })
    }

    /// The rooms for the index, each with the last place that may be found: of a room that the
    /// searcher left, nothing that came later takes part.
    pub fn lookup_rooms(&self) -> Vec<(&str, i64)> {
        let last = |room: &ScopedRoom| if room.joined { Some(LAST_PLACE) } else { place_of(room.newest) };
        self.rooms.iter().filter_map(|room| Some((room.room_id.as_str(), last(room)?))).collect()
    }

    /// Only by whom; `None`: by everybody.
    pub fn senders(&self, filter: &RoomEventFilter, page: Option<&Page>) -> Option<Vec<String>> {
        let group = page.and_then(|page| page.group.as_ref()).filter(|(by, _)| *by == GroupBy::Sender);
        let asked = filter.senders.as_ref().map(|senders| senders.iter().map(ToString::to_string).collect::<Vec<_>>());
        match (group, asked) {
            (Some((_, sender)), Some(asked)) => Some(asked.into_iter().filter(|other| other == sender).collect()),
            (Some((_, sender)), None) => Some(vec![sender.clone()]),
            (None, asked) => asked,
        }
    }

    /// Waits until the index holds what the searcher has seen of these rooms, at most two seconds.
    /// Returns whether it does.
    pub async fn wait(&self, context: &Context) -> bool {
        // Rooms look at the time between batches only, and one batch may hang.
        match select(pin!(self.catch_up(context)), context.clock.sleep(WAIT_MS)).await {
            Either::Left((complete, _)) => complete,
            Either::Right(_) => false,
        }
    }

    async fn catch_up(&self, context: &Context) -> bool {
        let deadline = context.clock.now() + i64::from(WAIT_MS);
        let Ok(late) = self.late_rooms(context).await else { return false };
        let all = late.len() <= MAX_LATE_ROOMS;
        let asked = late.into_iter().take(MAX_LATE_ROOMS).map(|(room_id, position)| async move {
            let within_ms = deadline - context.clock.now();
            if within_ms <= 0 {
                return false;
            }
            let command = RoomSearchCommand::Index { position, within_ms };
            let (_, reached) = ask::<i64>(context, room_id, command).await;
            reached.is_some_and(|reached| reached >= position)
        });
        let reached: Vec<bool> = stream::iter(asked).buffer_unordered(ROOMS_AT_ONCE).collect().await;
        all && reached.into_iter().all(|reached| reached)
    }

    async fn late_rooms(&self, context: &Context) -> Result<Vec<(&str, i64)>> {
        let room_ids: Vec<&str> = self.rooms.iter().map(|room| room.room_id.as_str()).collect();
        if room_ids.is_empty() {
            return Ok(Vec::new());
        }
        let indexed: BTreeMap<_, _> =
            search::positions(context.search.as_ref(), &room_ids).await?.into_iter().collect();
        let seen = self.rooms.iter().filter_map(|room| Some((room.room_id.as_str(), position_of(room.newest)?)));
        Ok(seen.filter(|(room_id, position)| indexed.get(*room_id).is_none_or(|held| held < position)).collect())
    }
}

/// The scope of an appservice's user, who has no inbox: as D1 mirrors it.
async fn without_inbox(context: &Context, user_id: &OwnedUserId, appservice: &str) -> Result<SearchScope> {
    let rooms = memberships::list_past_and_present(context.directory.as_ref(), user_id.as_str()).await?;
    let rooms = rooms.into_iter().map(|(room_id, membership, position)| {
        let joined = membership == "join";
        Ok(ScopedRoom {
            room_id: OwnedRoomId::try_from(room_id).map_err(MatrixError::internal)?,
            joined,
            newest: if joined { 0 } else { LIVE + position },
        })
    });
    Ok(SearchScope {
        device: format!("appservice:{appservice}"),
        rooms: rooms.collect::<Result<_>>()?,
        ignored: Vec::new(),
    })
}
