//! News of the user's own keys: what is left of them, for each device's `/sync`, and that they
//! changed, for everybody who shares a room.
//!
//! A change is one commit here. The rooms are told after it, again from the start if that is
//! interrupted: whoever heard of a revision passes it over. `room/device_list.rs` is the next hop,
//! `device_lists.rs` the other end.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::{Query, Transaction, transaction},
    directory::memberships,
    user::{
        device_lists::{self, ListChange},
        devices, first_sync, inbox,
        keys_news::{self, Counts, News},
    },
};
use ruma::OwnedRoomId;

use super::UserSyncObject;
use crate::{
    contract::{
        Address, call,
        keys_news::{DeviceKeyCounts, KeysNews},
        room::RoomCommand,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// How many rooms are told at once.
const ROOMS_AT_ONCE: usize = 6;

impl UserSyncObject {
    /// Takes news of the keys, and answers with the version that is held now.
    pub(super) fn take_keys_news(&self, news: &KeysNews) -> Result<i64> {
        if !self.exists()? {
            return Err(MatrixError::not_found("There is no such user."));
        }
        transaction(self.database.as_ref(), |transaction| {
            let held = keys_news::get(transaction.as_query())?.unwrap_or_default();
            if news.version <= held.version {
                return Ok(held.version);
            }
            let held = News { version: news.version, ..held };
            if news.list_changed {
                self.note_list_change(transaction, held)?;
            } else {
                keys_news::put(transaction, &held)?;
            }
            self.put_counts(transaction, &news.counts)?;
            Ok(news.version)
        })
    }

    fn put_counts(&self, transaction: &dyn Transaction, counts: &[DeviceKeyCounts]) -> Result<()> {
        if !counts.is_empty() {
            self.arm_for_appservice(transaction)?;
        }
        let mut changed_pos = None;
        for counts in counts {
            let device_id = counts.device_id.as_str();
            if devices::created_at(transaction.as_query(), device_id)?.is_none() {
                continue;
            }
            let pos = match changed_pos {
                Some(pos) => pos,
                None => inbox::advance(transaction)?,
            };
            changed_pos = Some(pos);
            let row = Counts {
                changed_pos: pos,
                one_time_keys: serde_json::to_string(&counts.one_time_keys)?,
                fallback_keys: serde_json::to_string(&counts.unused_fallback_keys)?,
            };
            keys_news::put_counts(transaction, device_id, &row)?;
        }
        Ok(())
    }

    fn note_list_change(&self, transaction: &dyn Transaction, held: News) -> Result<()> {
        let now = self.context.clock.now();
        // Revisions of an object that was lost are not used again.
        let revision = now.max(held.revision + 1);
        keys_news::put(transaction, &News { revision, changed_at: now, ..held })?;
        let own = ListChange { user_id: self.user_id.to_string(), changed_pos: inbox::advance(transaction)?, revision };
        device_lists::put(transaction, &own)?;
        self.lists.forget();
        self.lists.ask();
        Ok(transaction.set_alarm(now + ALARM_DELAY_MS)?)
    }

    /// Tells the rooms of a change that they do not know yet.
    pub(super) async fn spread_device_list(&self) -> Result<()> {
        let _held = self.in_flight.lock("device_list").await;
        if self.lists.is_spread() {
            return Ok(());
        }
        let asked = self.lists.asked();
        let Some(news) = keys_news::get(self.query())?.filter(|news| news.told < news.revision) else {
            self.lists.set_spread(asked);
            return Ok(());
        };
        let rooms = self.rooms_to_tell().await?;
        let told: Vec<Result<()>> = stream::iter(rooms)
            .map(|room_id| self.tell_device_list(room_id, news.revision))
            .buffer_unordered(ROOMS_AT_ONCE)
            .collect()
            .await;
        self.context.failpoints.pass("user.device_list_told").await;
        told.into_iter().collect::<Result<()>>()?;
        if self.lists.asked() != asked {
            // A room came that was not among them.
            self.idle.set(false);
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| keys_news::set_told(transaction, news.revision))?;
        self.lists.set_spread(asked);
        Ok(())
    }

    async fn rooms_to_tell(&self) -> Result<Vec<String>> {
        let state = first_sync::get(self.query())?;
        if state.is_some_and(|state| state.of_appservice && !state.gathered) {
            return Ok(memberships::joined_rooms(self.context.directory.as_ref(), self.user_id.as_str()).await?);
        }
        let shared = device_lists::list_rooms(self.query())?.into_iter();
        Ok(shared
            .filter(|room| room.is_joined() && room.members.as_deref() != Some("[]"))
            .map(|room| room.room_id)
            .collect())
    }

    async fn tell_device_list(&self, room_id: String, revision: i64) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room_id).map_err(MatrixError::internal)?;
        let command = RoomCommand::DeviceList { user_id: self.user_id.clone(), revision };
        match call(self.context.objects.as_ref(), Address::room(&room_id), &command).await {
            // It knows nothing of the user.
            Err(error) if error.status < 500 => Ok(()),
            told => told,
        }
    }

    /// Since when rooms wait to be told.
    pub(super) fn device_list_waits_since(&self, query: &dyn Query) -> Result<Option<i64>> {
        Ok(keys_news::get(query)?.filter(|news| news.told < news.revision).map(|news| news.changed_at))
    }
}
