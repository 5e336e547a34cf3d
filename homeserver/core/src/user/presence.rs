//! Presence ([spec](https://spec.matrix.org/v1.11/client-server-api/#presence)): the user's own, and
//! what room-mates show.
//!
//! The own row says what a client asked for; what others are told follows from it and the time. A
//! poll writes nothing but every [`SEEN_EVERY_MS`], and nothing at all while the user shares no room
//! with another local person. A change costs its row here and two at each room-mate. What is on its
//! way to the rooms is in memory only: a crash loses at most one change, until the next.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::transaction,
    user::{
        inbox,
        presence::{self, MatePresence, OwnPresence},
    },
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};

use super::UserSyncObject;
use crate::{
    contract::{
        Address, call,
        people::{PeopleCommand, Presence},
        room::RoomCommand,
        user::{Caller, SyncRequest, UserCommand},
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// A client that polls is noted this often.
const SEEN_EVERY_MS: i64 = 10 * 60 * 1_000;
/// Who was not seen for so long is offline.
const OFFLINE_AFTER_MS: i64 = 15 * 60 * 1_000;
/// Who is online and did nothing for so long is unavailable.
const IDLE_AFTER_MS: i64 = 15 * 60 * 1_000;
/// The most bytes of a status message.
const MAX_STATUS_BYTES: usize = 1_024;
/// How many rooms are told at once.
const ROOMS_AT_ONCE: usize = 6;

const ONLINE: &str = "online";
const UNAVAILABLE: &str = "unavailable";
const OFFLINE: &str = "offline";

/// What is in memory only.
#[derive(Default)]
pub(super) struct Pending {
    /// The rooms that do not know the newest presence yet.
    rooms: RefCell<BTreeSet<String>>,
    /// When a client last polled for a user who was alone and has no row: for whoever comes to
    /// share a room just then.
    seen_alone: Cell<Option<i64>>,
}

impl Pending {
    /// These rooms are to be told.
    pub fn add(&self, rooms: impl IntoIterator<Item = String>) {
        self.rooms.borrow_mut().extend(rooms);
    }

    fn take(&self) -> BTreeSet<String> {
        self.rooms.take()
    }
}

/// What a client does.
struct Sighting<'a> {
    device: &'a str,
    presence: &'a str,
    /// Whether the user did something, not only the client.
    active: bool,
}

/// What others are told at some time.
fn shown(own: &OwnPresence, now: i64) -> &str {
    if now - own.seen_at > OFFLINE_AFTER_MS {
        OFFLINE
    } else if own.chosen == ONLINE && now - own.active_at > IDLE_AFTER_MS {
        UNAVAILABLE
    } else {
        &own.chosen
    }
}

fn rank(presence: &str) -> u8 {
    match presence {
        ONLINE => 2,
        UNAVAILABLE => 1,
        _ => 0,
    }
}

impl UserSyncObject {
    /// Sets the own presence. 400 `M_INVALID_PARAM` for one that there is not.
    pub(super) fn set_presence(&self, caller: &Caller, presence: &str, status_msg: Option<String>) -> Result<()> {
        let device = self.check(caller)?.device;
        if ![ONLINE, UNAVAILABLE, OFFLINE].contains(&presence) {
            return Err(MatrixError::invalid_param("presence is online, unavailable or offline."));
        }
        if status_msg.as_ref().is_some_and(|status| status.len() > MAX_STATUS_BYTES) {
            return Err(MatrixError::invalid_param(format_args!(
                "A status may have at most {MAX_STATUS_BYTES} bytes."
            )));
        }
        let now = self.context.clock.now();
        let held = presence::get_own(self.query())?;
        let told_before = held.as_ref().map(|held| (held.told.clone(), held.status_msg.clone()));
        let changed = told_before != Some((presence.to_owned(), status_msg.clone()));
        let own = OwnPresence {
            chosen: presence.to_owned(),
            status_msg,
            device,
            seen_at: now,
            active_at: if presence == ONLINE { now } else { held.as_ref().map_or(now, |held| held.active_at) },
            told: presence.to_owned(),
            revision: held.map_or(0, |held| held.revision),
        };
        self.put_own_presence(own, changed)
    }

    /// A poll shows that a client is there
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3sync), `set_presence`).
    pub(super) fn seen_by_sync(&self, request: &SyncRequest) -> Result<()> {
        let device = self.check(&request.caller)?.device;
        let presence = request.set_presence.as_deref().unwrap_or(ONLINE);
        // “If this is set to "offline" then the client is not marked as being online.”
        if presence == OFFLINE {
            return Ok(());
        }
        self.seen(&Sighting { device: &device, presence, active: false }, request.set_presence.is_some())
    }

    /// The user did something: whoever was idle is no longer.
    pub(super) fn seen_active(&self, device: &str) -> Result<()> {
        match presence::get_own(self.query())? {
            Some(own) if own.chosen == ONLINE => self.seen(&Sighting { device, presence: ONLINE, active: true }, false),
            // Whoever never showed any presence, or chose another, is not made to.
            _ => Ok(()),
        }
    }

    fn seen(&self, sighting: &Sighting<'_>, explicit: bool) -> Result<()> {
        let now = self.context.clock.now();
        let Some(held) = presence::get_own(self.query())? else {
            if !explicit && presence::list_rooms(self.query())?.is_empty() {
                self.presence.seen_alone.set(Some(now));
                return Ok(());
            }
            let own = OwnPresence {
                chosen: sighting.presence.to_owned(),
                status_msg: None,
                device: sighting.device.to_owned(),
                seen_at: now,
                active_at: now,
                told: sighting.presence.to_owned(),
                revision: 0,
            };
            return self.put_own_presence(own, true);
        };
        let was_offline = shown(&held, now) == OFFLINE;
        let has_a_say = was_offline || held.device == sighting.device || rank(sighting.presence) > rank(&held.chosen);
        if !has_a_say {
            return Ok(());
        }
        let comes_back = was_offline || rank(sighting.presence) > rank(&held.chosen);
        let mut own = OwnPresence {
            chosen: sighting.presence.to_owned(),
            device: sighting.device.to_owned(),
            seen_at: now,
            active_at: if sighting.active || comes_back { now } else { held.active_at },
            ..held.clone()
        };
        own.told = shown(&own, now).to_owned();
        let changed = own.told != held.told;
        let noted_long_ago =
            now - held.seen_at > SEEN_EVERY_MS || (sighting.active && now - held.active_at > SEEN_EVERY_MS);
        let worth_it = (changed || noted_long_ago) && !presence::list_rooms(self.query())?.is_empty();
        if own.chosen != held.chosen || worth_it {
            return self.put_own_presence(own, changed);
        }
        Ok(())
    }

    /// Writes the own presence, and has the rooms told if others can see a change.
    fn put_own_presence(&self, mut own: OwnPresence, changed: bool) -> Result<()> {
        let now = self.context.clock.now();
        if changed {
            own.revision = (own.revision + 1).max(now);
        }
        transaction(self.database.as_ref(), |transaction| {
            presence::put_own(transaction, &own)?;
            if changed {
                self.presence.add(presence::list_rooms(transaction.as_query())?);
            }
            Ok::<_, MatrixError>(())
        })?;
        self.idle.set(false);
        Ok(())
    }

    /// Notices who went idle or offline, and tells the rooms what they do not know; returns when to
    /// look again.
    pub(super) async fn spread_presence(&self) -> Result<Option<i64>> {
        let now = self.context.clock.now();
        let shares = !presence::list_rooms(self.query())?.is_empty();
        if let Some(own) = &presence::get_own(self.query())?
            && shown(own, now) != own.told
            && shares
        {
            let told = shown(own, now).to_owned();
            self.put_own_presence(OwnPresence { told, ..own.clone() }, true)?;
        }
        let rooms = self.presence.take();
        let results: Vec<(String, Result<()>)> = stream::iter(rooms)
            .map(|room_id| async move {
                let told = self.exchange_presence(&room_id).await;
                (room_id, told)
            })
            .buffer_unordered(ROOMS_AT_ONCE)
            .collect()
            .await;
        let mut later = None;
        for (room_id, told) in results {
            if let Err(error) = told {
                tracing::warn!(room.id = %room_id, "A room was not told a presence: {error}");
                self.presence.add([room_id]);
                later = Some(now + ALARM_DELAY_MS);
            }
        }
        let own = presence::get_own(self.query())?.filter(|own| own.told != OFFLINE);
        let offline_at = own.filter(|_| shares).map(|own| own.seen_at + OFFLINE_AFTER_MS + 1);
        Ok(later.into_iter().chain(offline_at).min())
    }

    /// Shows the own presence to a room and takes that of the others.
    async fn exchange_presence(&self, room_id: &str) -> Result<()> {
        let address = OwnedRoomId::try_from(room_id).map_err(MatrixError::internal)?;
        let command = RoomCommand::Presence { user_id: self.user_id.clone(), presence: self.own_presence()? };
        let objects = self.context.objects.as_ref();
        let asked: Result<Option<Vec<(OwnedUserId, Presence)>>> =
            call(objects, Address::room(&address), &command).await;
        let others = match asked {
            Err(error) if error.status >= 500 => return Err(error),
            Ok(Some(others)) => others,
            // Nobody is there any more to be told anything.
            Ok(None) | Err(_) => {
                return transaction(self.database.as_ref(), |transaction| {
                    Ok(presence::set_room(transaction, room_id, false)?)
                });
            }
        };
        for (user_id, theirs) in others {
            self.take_presence(&user_id, Some(&theirs))?;
        }
        Ok(())
    }

    /// Keeps a room-mate's presence if it is newer than what is known, and returns the own one.
    pub(super) fn take_presence(&self, user_id: &UserId, theirs: Option<&Presence>) -> Result<Option<Presence>> {
        if !self.exists()? {
            return Ok(None);
        }
        let known = presence::get(self.query(), user_id.as_str())?.map(|known| known.revision);
        if let Some(theirs) = theirs.filter(|theirs| known.is_none_or(|known| known < theirs.revision)) {
            transaction(self.database.as_ref(), |transaction| {
                let mate = MatePresence {
                    user_id: user_id.to_string(),
                    changed_pos: inbox::advance(transaction)?,
                    revision: theirs.revision,
                    presence: theirs.presence.clone(),
                    status_msg: theirs.status_msg.clone(),
                    active_at: theirs.active_at,
                };
                Ok::<_, MatrixError>(presence::put(transaction, &mate)?)
            })?;
        }
        self.own_presence()
    }

    /// The presence of a user with whom this one shares a room.
    pub(super) async fn get_presence(&self, caller: &Caller, user_id: &UserId) -> Result<Presence> {
        self.check(caller)?;
        if self.user_id == user_id {
            return Ok(self.own_presence()?.unwrap_or_else(never_set));
        }
        let rooms = inbox::list_joined(self.query())?;
        let rooms = rooms.into_iter().filter_map(|room_id| OwnedRoomId::try_from(room_id).ok()).collect();
        if user_id.server_name() != self.context.config.server_name {
            return Err(may_not_see());
        }
        let show = UserCommand::People(Box::new(PeopleCommand::ShowPresence { rooms }));
        call(self.context.objects.as_ref(), Address::user(user_id), &show).await
    }

    /// The own presence for somebody who is joined to these rooms.
    pub(super) fn presence_for(&self, rooms: &[OwnedRoomId]) -> Result<Presence> {
        if self.exists()? {
            let joined: BTreeSet<String> = inbox::list_joined(self.query())?.into_iter().collect();
            if rooms.iter().any(|room_id| joined.contains(room_id.as_str())) {
                return Ok(self.own_presence()?.unwrap_or_else(never_set));
            }
        }
        Err(may_not_see())
    }

    /// Those of these rooms that the user is joined to.
    pub(super) fn joined_among(&self, rooms: &[String]) -> Result<Vec<String>> {
        let joined: BTreeSet<String> = inbox::list_joined(self.query())?.into_iter().collect();
        Ok(rooms.iter().filter(|room_id| joined.contains(room_id.as_str())).cloned().collect())
    }

    fn own_presence(&self) -> Result<Option<Presence>> {
        let now = self.context.clock.now();
        let Some(own) = presence::get_own(self.query())? else {
            let seen = self.presence.seen_alone.get().filter(|seen| now - seen <= OFFLINE_AFTER_MS);
            return Ok(seen.map(|seen| Presence {
                revision: seen,
                presence: ONLINE.to_owned(),
                status_msg: None,
                active_at: seen,
            }));
        };
        Ok(Some(Presence {
            revision: own.revision,
            presence: shown(&own, now).to_owned(),
            status_msg: own.status_msg.clone(),
            active_at: own.active_at,
        }))
    }
}

fn never_set() -> Presence {
    Presence { revision: 0, presence: OFFLINE.to_owned(), status_msg: None, active_at: 0 }
}

fn may_not_see() -> MatrixError {
    MatrixError::forbidden("You can only see the presence of people with whom you share a room.")
}
