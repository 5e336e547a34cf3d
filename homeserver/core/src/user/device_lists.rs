//! Device lists: whose keys this user's clients have to ask for again
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#tracking-the-device-list-for-a-user)).
//!
//! A user is *shared with* while in any joined room that is not bridged. What changed since a token
//! follows from three things: the rooms that the user joined or left since (all their members), the
//! rows of users who came, went or changed keys since, and who is shared with now: whoever is,
//! changed; whoever is not, left. So leaving and coming back is a change, whatever the token's age.
//! `deliver/sharing.rs` keeps the rooms and rows.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::{Query, transaction},
    user::{
        device_lists::{self, ListChange, SharedRoom},
        inbox,
    },
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};

use super::{UserSyncObject, sync::since};
use crate::{
    contract::{
        Address, call,
        device_lists::{DeviceListCommand, DeviceLists, RoomSharers},
        encode,
        room::RoomCommand,
    },
    error::{MatrixError, Result},
};

/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 6;

/// What is in memory only.
#[derive(Default)]
pub(super) struct Lists {
    /// The position of the newest change, once it was looked for.
    newest: Cell<Option<i64>>,
    /// Grows when the rooms are to be told, so that a run that is under way notices.
    asked: Cell<u64>,
    /// The number at which all rooms knew everything; `None`: that was not looked at yet.
    spread: Cell<Option<u64>>,
    /// The user's appservice, once it was looked for.
    appservice: RefCell<Option<Option<String>>>,
    /// Through which position the user's appservice was told what is left of keys.
    counts_told: Cell<i64>,
    /// Through which position the user's appservice holds its messages, once it was asked.
    messages_told: Cell<Option<i64>>,
    /// Whether the members of all rooms are known; they stay so.
    all_known: Cell<bool>,
}

impl Lists {
    /// Something changed: look for the newest change anew.
    pub(super) fn forget(&self) {
        self.newest.set(None);
    }

    /// The rooms are to be told.
    pub(super) fn ask(&self) {
        self.asked.set(self.asked.get().wrapping_add(1));
    }

    /// Whether all rooms know everything.
    pub(super) fn is_spread(&self) -> bool {
        self.spread.get() == Some(self.asked.get())
    }

    /// All rooms know everything that was asked for up to this number.
    pub(super) fn set_spread(&self, asked: u64) {
        self.spread.set(Some(asked));
    }

    /// Through which position the user's appservice was told what is left of keys, since this object woke.
    pub(super) fn counts_told(&self) -> i64 {
        self.counts_told.get()
    }

    /// The user's appservice was told so far.
    pub(super) fn set_counts_told(&self, pos: i64) {
        self.counts_told.set(pos);
    }

    /// Through which position the user's appservice holds its messages, since this object woke.
    pub(super) fn messages_told(&self) -> Option<i64> {
        self.messages_told.get()
    }

    /// The user's appservice holds its messages so far.
    pub(super) fn set_messages_told(&self, pos: i64) {
        self.messages_told.set(Some(pos));
    }

    /// A number that changes whenever the rooms are to be told.
    pub(super) fn asked(&self) -> u64 {
        self.asked.get()
    }
}

/// The members of a room as it is stored.
pub(super) fn members_of(room: &SharedRoom) -> Result<BTreeSet<String>> {
    Ok(room.members.as_deref().map_or(Ok(BTreeSet::new()), serde_json::from_str)?)
}

/// Everybody with whom the user shares a room, one room left aside.
pub(super) fn shared_with(query: &dyn Query, but: Option<&str>) -> Result<BTreeSet<String>> {
    let mut shared = BTreeSet::new();
    for room in device_lists::list_rooms(query)? {
        if room.is_joined() && Some(room.room_id.as_str()) != but {
            shared.extend(members_of(&room)?);
        }
    }
    Ok(shared)
}

impl UserSyncObject {
    pub(super) fn handle_device_lists(&self, command: &DeviceListCommand) -> Result<Vec<u8>> {
        match command {
            DeviceListCommand::Changed { user_id, revision } => encode(&self.take_device_list(user_id, *revision)?),
            DeviceListCommand::Changes { caller, from } => {
                self.check(caller)?;
                let from = since(from, inbox::get(self.query())?)?;
                encode(&self.device_lists_since(from.position)?)
            }
        }
    }

    /// The appservice whose own user this is.
    pub(super) fn own_appservice(&self) -> Result<Option<String>> {
        if let Some(known) = self.lists.appservice.borrow().as_ref() {
            return Ok(known.clone());
        }
        let Some(account) = self.account()? else {
            return Ok(None);
        };
        *self.lists.appservice.borrow_mut() = Some(account.appservice_id.clone());
        Ok(account.appservice_id)
    }

    /// What changed after an inbox position.
    pub(super) fn device_lists_since(&self, since: i64) -> Result<DeviceLists> {
        let query = self.query();
        let newest = match self.lists.newest.get() {
            Some(newest) => newest,
            None => device_lists::newest(query)?,
        };
        self.lists.newest.set(Some(newest));
        if newest <= since {
            return Ok(DeviceLists::default());
        }
        let mut candidates: BTreeSet<String> =
            device_lists::list_changed(query, since)?.into_iter().map(|change| change.user_id).collect();
        let (mut shared, mut parted) = (BTreeSet::new(), BTreeSet::new());
        for room in device_lists::list_rooms(query)? {
            let members = members_of(&room)?;
            if room.joined_pos > since {
                candidates.extend(members.iter().cloned());
            }
            match room.left_pos {
                None => shared.extend(members),
                Some(left_pos) if left_pos > since => parted.extend(members),
                Some(_) => {}
            }
        }
        let own = candidates.remove(self.user_id.as_str());
        let (changed, mut left): (BTreeSet<String>, BTreeSet<String>) =
            candidates.into_iter().partition(|user_id| shared.contains(user_id));
        // Whoever of a left room is in another one is where they were.
        left.extend(parted.difference(&shared).cloned());
        let mut lists = DeviceLists { changed: users(changed), left: users(left) };
        if own {
            lists.changed.push(self.user_id.clone());
        }
        Ok(lists)
    }

    /// Somebody's keys changed. Who shares no room (yet) is none of the user's: sharing one is a change
    /// by itself.
    fn take_device_list(&self, user_id: &UserId, revision: i64) -> Result<()> {
        if !self.exists()? {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let held = device_lists::get(query, user_id.as_str())?;
            let is_known = held.is_some_and(|held| held.revision >= revision);
            if is_known || !shared_with(query, None)?.contains(user_id.as_str()) {
                return Ok(());
            }
            let changed_pos = inbox::advance(transaction)?;
            device_lists::put(transaction, &ListChange { user_id: user_id.to_string(), changed_pos, revision })?;
            self.lists.forget();
            Ok::<_, MatrixError>(())
        })
    }

    /// Asks rooms that were joined before device lists were kept who is in them.
    pub(super) async fn learn_sharers(&self) -> Result<()> {
        if self.lists.all_known.get() {
            return Ok(());
        }
        let unknown = device_lists::list_unknown(self.query())?;
        let learnt: Vec<Result<()>> = stream::iter(unknown)
            .map(|room_id| self.learn_sharers_of(room_id))
            .buffer_unordered(ROOMS_AT_ONCE)
            .collect()
            .await;
        learnt.into_iter().collect::<Result<()>>()?;
        self.lists.all_known.set(true);
        Ok(())
    }

    async fn learn_sharers_of(&self, room_id: String) -> Result<()> {
        let address = OwnedRoomId::try_from(room_id.as_str()).map_err(MatrixError::internal)?;
        let command = RoomCommand::Sharers { user_id: self.user_id.clone() };
        let asked: Result<RoomSharers> = call(self.context.objects.as_ref(), Address::room(&address), &command).await;
        let sharers = match asked {
            Err(error) if error.status < 500 => None,
            asked => Some(asked?),
        };
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let held =
                device_lists::get_room(query, &room_id)?.filter(|held| held.is_joined() && held.members.is_none());
            if held.is_none() {
                return Ok(());
            }
            let Some((position, members)) =
                sharers.as_ref().and_then(|sharers| Some((sharers.position, sharers.members.as_ref()?)))
            else {
                return Ok(device_lists::delete_room(transaction, &room_id)?);
            };
            // What was delivered meanwhile passed a list by that was not there yet.
            if inbox::get_room(query, &room_id)?.is_some_and(|room| room.position > position) {
                return Err(MatrixError::new(503, "M_UNKNOWN", "The room has changed meanwhile."));
            }
            let others: BTreeSet<&UserId> =
                members.iter().map(AsRef::as_ref).filter(|member| *member != self.user_id).collect();
            let room = SharedRoom {
                room_id: room_id.clone(),
                joined_pos: inbox::advance(transaction)?,
                left_pos: None,
                members: Some(serde_json::to_string(&others)?),
            };
            device_lists::put_room(transaction, &room)?;
            self.lists.forget();
            Ok(())
        })
    }
}

fn users(ids: BTreeSet<String>) -> Vec<OwnedUserId> {
    ids.into_iter().filter_map(|id| OwnedUserId::try_from(id).ok()).collect()
}
