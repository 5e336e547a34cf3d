//! The saga that ends an account
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#account-management)).
//!
//! One transaction takes everything that lets anyone in, the profile, and notes which rooms are to
//! be left; from then on nobody acts as the user again. The rooms are left in the background, resumed
//! by the alarm. The account's row stays for ever, here and in D1: its name is never given away.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::transaction,
    directory::memberships,
    user::{
        self,
        account::Account,
        credentials, key_jobs,
        parting::{self, PartingJob},
        sessions,
    },
};
use ruma::OwnedRoomId;
use serde_json::Map;

use super::UserSyncObject;
use crate::{
    contract::{
        Address, call,
        room::{Actor, ChangeMembership, MembershipAction, Profile, RoomCommand, Sent},
        uia::{Guard, Guarded},
        user::Caller,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// How many rooms are left at once.
const ROOMS_AT_ONCE: usize = 6;

impl UserSyncObject {
    /// Ends the account; with `erase` everything that the user kept here goes with it, and who joins
    /// a room from then on is served redacted copies of what the user said. An appservice
    /// needs no password for a user whom it registered itself.
    pub(super) async fn deactivate(&self, guard: &Guard, erase: bool) -> Result<Guarded<()>> {
        // Before the check: nothing is awaited between it and the commit.
        let rooms_without_inbox = self.all_rooms_without_inbox().await?;
        let run = || self.end_account(&rooms_without_inbox, erase);
        let outcome = if self.is_own_appservice(&guard.caller)? {
            self.check(&guard.caller)?;
            Guarded::Done(run()?)
        } else {
            self.guarded(guard, "deactivate", run)?
        };
        if matches!(outcome, Guarded::Done(())) {
            self.context.failpoints.pass("user.deactivated").await;
            self.tell_keys_soon().await;
            // Whoever looks for the user from now on finds nobody; if D1 is out of reach, later.
            if let Err(error) = self.mirror().await {
                tracing::warn!(user.id = %self.user_id, "D1 does not know of a deactivation yet: {error}");
            }
        }
        Ok(outcome)
    }

    fn end_account(&self, rooms_without_inbox: &[String], erase: bool) -> Result<()> {
        let account = self.account()?.ok_or_else(MatrixError::unknown_token)?;
        let now = self.context.clock.now();
        let ended = Account {
            password_hash: None,
            displayname: None,
            avatar_url: None,
            revision: account.revision + 1,
            deactivated_at: Some(now),
            erased: erase,
            ..account
        };
        transaction(self.database.as_ref(), |transaction| {
            sessions::delete_all(transaction, None)?;
            credentials::delete_all(transaction)?;
            user::account::put(transaction, &ended)?;
            key_jobs::add_account_gone(transaction, now)?;
            parting::add_all(transaction, erase, now)?;
            for room_id in rooms_without_inbox {
                parting::add(transaction, room_id, erase, now)?;
            }
            parting::forget_settings(transaction, erase)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        *self.rules.borrow_mut() = None;
        self.queues.forget();
        Ok(())
    }

    /// Leaves the rooms that a deactivated user is still in.
    pub(super) async fn leave_rooms(&self) -> Result<()> {
        let _held = self.in_flight.lock("parting").await;
        let jobs = parting::list(self.query())?;
        let results: Vec<Result<()>> =
            stream::iter(jobs).map(|job| self.leave_room(job)).buffer_unordered(ROOMS_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    async fn leave_room(&self, job: PartingJob) -> Result<()> {
        let room_id = OwnedRoomId::try_from(job.room_id.as_str()).map_err(MatrixError::internal)?;
        let leave = RoomCommand::ChangeMembership(Box::new(ChangeMembership {
            actor: Actor { user_id: self.user_id.clone(), device: String::new(), ignored: Vec::new() },
            target: self.user_id.clone(),
            action: MembershipAction::Leave,
            reason: None,
            extra: Map::new(),
            profile: Profile::default(),
            timestamp: None,
            read_your_writes: false,
        }));
        let objects = self.context.objects.as_ref();
        done(call::<Sent>(objects, Address::room(&room_id), &leave).await)?;
        if job.erase {
            let erase = RoomCommand::Erase { user_id: self.user_id.clone() };
            done(call::<()>(objects, Address::room(&room_id), &erase).await)?;
            let forget = RoomCommand::Forget { user_id: self.user_id.clone() };
            done(call::<()>(objects, Address::room(&room_id), &forget).await)?;
        }
        transaction(self.database.as_ref(), |transaction| parting::end(transaction, &job.room_id))?;
        self.context.failpoints.pass("user.room_left").await;
        Ok(())
    }

    /// The rooms of an appservice's own user, who has no inbox that would know them: D1 has the row
    /// of a join before the join is answered.
    pub(super) async fn rooms_without_inbox(&self) -> Result<Vec<String>> {
        if !self.is_of_appservice()? {
            return Ok(Vec::new());
        }
        Ok(memberships::joined_rooms(self.context.directory.as_ref(), self.user_id.as_str()).await?)
    }

    fn is_of_appservice(&self) -> Result<bool> {
        Ok(self.account()?.is_some_and(|account| account.appservice_id.is_some()))
    }

    /// The same, with rooms that the user is only invited to, or left.
    async fn all_rooms_without_inbox(&self) -> Result<Vec<String>> {
        if !self.is_of_appservice()? {
            return Ok(Vec::new());
        }
        Ok(memberships::all_rooms(self.context.directory.as_ref(), self.user_id.as_str()).await?)
    }

    /// 403 `M_USER_DEACTIVATED` for an appservice that acts as a user who is deactivated.
    pub(super) fn must_be_active(&self, caller: &Caller) -> Result<()> {
        let deactivated = self.account()?.is_some_and(|account| account.deactivated_at.is_some());
        match caller {
            Caller::Appservice(_) | Caller::AppserviceDevice { .. } if deactivated => Err(deactivated_user()),
            Caller::Appservice(_) | Caller::AppserviceDevice { .. } | Caller::Session(_) => Ok(()),
        }
    }
}

/// Whether a room needs to be asked again: one that refuses (the user is not in it any more, or it
/// does not exist) is done with.
fn done<T>(outcome: Result<T>) -> Result<()> {
    match outcome {
        Err(error) if error.status >= 500 || error.status == 429 => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// 403 `M_USER_DEACTIVATED`.
pub(super) fn deactivated_user() -> MatrixError {
    MatrixError::new(403, "M_USER_DEACTIVATED", "This account was deactivated.")
}
