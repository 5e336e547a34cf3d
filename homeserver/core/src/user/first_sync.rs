//! An appservice's own user has no inbox until its first `/sync`: most ghosts never ask for one, and an inbox
//! costs rows with each message.
//!
//! The first `/sync` is an intent in the account's row. Then D1 is told, and every room that D1 knows the user to
//! be in or invited to is asked to follow: in this order, so that an invitation at the same moment is seen by one
//! side or the other (`room/inboxes.rs` is the other end). Steps can be repeated, and the alarm goes on.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::transaction,
    directory::{accounts, memberships},
    user::{first_sync, inbox},
};
use ruma::OwnedRoomId;

use super::UserSyncObject;
use crate::{
    contract::{Address, call, room::RoomCommand, user::Caller},
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 6;

impl UserSyncObject {
    /// Before a `/sync` is answered: sees to it that the rooms deliver here. What fails now is done later, and
    /// its rooms then come as news.
    pub(super) async fn ensure_inbox(&self, caller: &Caller) -> Result<()> {
        if self.filled.get() {
            return Ok(());
        }
        self.check(caller)?;
        let state = first_sync::get(self.query())?;
        if state.is_some_and(|state| state.of_appservice && state.at.is_none()) {
            let now = self.context.clock.now();
            transaction(self.database.as_ref(), |transaction| {
                first_sync::begin(transaction, now)?;
                transaction.set_alarm(now + ALARM_DELAY_MS)
            })?;
            self.context.failpoints.pass("user.first_sync_intended").await;
        }
        if let Err(error) = self.gather_rooms().await {
            tracing::warn!(user.id = %self.user_id, "Not all rooms deliver to a new inbox yet: {error}");
        }
        Ok(())
    }

    /// Lets all rooms of the user follow, if the user has synced and that was not done yet.
    pub(super) async fn gather_rooms(&self) -> Result<()> {
        if self.filled.get() {
            return Ok(());
        }
        let _held = self.in_flight.lock("first_sync").await;
        match first_sync::get(self.query())? {
            Some(state) if !state.of_appservice || state.gathered => {
                self.filled.set(true);
                return Ok(());
            }
            Some(state) if state.at.is_some() => {}
            _ => return Ok(()),
        }
        self.mirror().await?;
        let directory = self.context.directory.as_ref();
        accounts::set_has_inbox(directory, self.user_id.as_str()).await?;
        self.context.failpoints.pass("user.inbox_told").await;
        let rooms = memberships::present_rooms(directory, self.user_id.as_str()).await?;
        let asked: Vec<Result<()>> = stream::iter(rooms)
            .map(|room_id| self.ask_to_follow(room_id))
            .buffer_unordered(ROOMS_AT_ONCE)
            .collect()
            .await;
        asked.into_iter().collect::<Result<()>>()?;
        transaction(self.database.as_ref(), |transaction| first_sync::end(transaction))?;
        self.filled.set(true);
        Ok(())
    }

    async fn ask_to_follow(&self, room_id: String) -> Result<()> {
        // A run that was cut short goes on with the rooms that it did not reach.
        if inbox::get_room(self.query(), &room_id)?.is_some() {
            return Ok(());
        }
        let room_id = OwnedRoomId::try_from(room_id).map_err(MatrixError::internal)?;
        let command = RoomCommand::Follow { user_id: self.user_id.clone() };
        let followed: Result<()> = call(self.context.objects.as_ref(), Address::room(&room_id), &command).await;
        match followed {
            // D1 lists a room that lost its object: its rebuilding looks for followers itself.
            Err(error) if error.status == 404 => Ok(()),
            followed => followed,
        }
    }

    /// The rooms that the user is joined to: D1 knows them as long as the inbox does not.
    pub(super) async fn joined_rooms(&self) -> Result<Vec<String>> {
        let state = first_sync::get(self.query())?;
        if state.is_some_and(|state| state.of_appservice && !state.gathered) {
            return Ok(memberships::joined_rooms(self.context.directory.as_ref(), self.user_id.as_str()).await?);
        }
        Ok(inbox::list_joined(self.query())?)
    }

    /// Since when rooms are waited for; `None` when none is.
    pub(super) fn gathering_since(&self) -> Result<Option<i64>> {
        let state = first_sync::get(self.query())?;
        Ok(state.filter(|state| !state.gathered).and_then(|state| state.at))
    }
}
