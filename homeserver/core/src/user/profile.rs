//! The profile and the account's rows in D1: changed here, mirrored there, told to the rooms.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::transaction,
    user::{
        self,
        account::Account,
        jobs::{self, ProfileJob},
        mirror,
    },
};
use ruma::OwnedRoomId;

use super::{UserSyncObject, deactivate::deactivated_user};
use crate::{
    contract::{
        Address, call,
        room::{Profile, RoomCommand},
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// The most bytes of a name or of an avatar's address.
const MAX_PROFILE_BYTES: usize = 1_024;
/// How many rooms are told at once.
const ROOMS_AT_ONCE: usize = 6;

impl UserSyncObject {
    /// The profile; 404 `M_NOT_FOUND` when there is no such account, 403 `M_USER_DEACTIVATED` when it
    /// was deactivated.
    pub(super) fn profile(&self) -> Result<Profile> {
        let account = self.account()?.ok_or_else(|| MatrixError::not_found("There is no such user."))?;
        if account.deactivated_at.is_some() {
            return Err(deactivated_user());
        }
        Ok(profile_of(&account))
    }

    /// Sets name or avatar. Answers once D1 and the user's rooms hold it; a room that is out of
    /// reach gets it later.
    pub(super) async fn set_profile(
        &self,
        displayname: Option<Option<String>>,
        avatar_url: Option<Option<String>>,
    ) -> Result<()> {
        for text in [&displayname, &avatar_url].into_iter().flatten().flatten() {
            if text.len() > MAX_PROFILE_BYTES {
                return Err(MatrixError::invalid_param(format_args!(
                    "A name or avatar may have at most {MAX_PROFILE_BYTES} bytes."
                )));
            }
        }
        let rooms_without_inbox = self.rooms_without_inbox().await?;
        let account = self.account()?.ok_or_else(|| MatrixError::not_found("There is no such user."))?;
        let changed = Account {
            displayname: displayname.unwrap_or_else(|| account.displayname.clone()),
            avatar_url: avatar_url.unwrap_or_else(|| account.avatar_url.clone()),
            revision: account.revision + 1,
            ..account.clone()
        };
        if profile_of(&changed) != profile_of(&account) {
            let now = self.context.clock.now();
            transaction(self.database.as_ref(), |transaction| {
                user::account::put(transaction, &changed)?;
                jobs::add_profile_jobs(transaction, changed.revision, now)?;
                for room_id in &rooms_without_inbox {
                    jobs::add_profile_job(transaction, room_id, changed.revision, now)?;
                }
                transaction.set_alarm(now + ALARM_DELAY_MS)
            })?;
            self.context.failpoints.pass("user.profile_set").await;
        }
        self.mirror().await?;
        if let Err(error) = self.tell_rooms().await {
            tracing::warn!(user.id = %self.user_id, "Some rooms do not know the profile yet: {error}");
        }
        Ok(())
    }

    /// Writes the account's rows in D1 unless they are the newest.
    pub(super) async fn mirror(&self) -> Result<()> {
        let _held = self.in_flight.lock("mirror").await;
        while let Some(account) = self.account()?
            && account.mirrored < account.revision
        {
            let statements = mirror::statements(self.user_id.as_str(), &account);
            self.context.directory.batch(statements).await?;
            self.context.failpoints.pass("user.mirrored").await;
            transaction(self.database.as_ref(), |transaction| {
                user::account::set_mirrored(transaction, account.revision)
            })?;
        }
        Ok(())
    }

    /// Tells the profile to the rooms that do not know it yet.
    pub(super) async fn tell_rooms(&self) -> Result<()> {
        let _held = self.in_flight.lock("profile").await;
        let jobs = jobs::list_profile_jobs(self.query())?;
        if jobs.is_empty() {
            return Ok(());
        }
        let profile = self.profile()?;
        let results: Vec<Result<()>> =
            stream::iter(jobs).map(|job| self.tell_room(job, &profile)).buffer_unordered(ROOMS_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    async fn tell_room(&self, job: ProfileJob, profile: &Profile) -> Result<()> {
        let room_id = OwnedRoomId::try_from(job.room_id.as_str()).map_err(MatrixError::internal)?;
        let command = RoomCommand::UpdateProfile { user_id: self.user_id.clone(), profile: profile.clone() };
        let told: Result<()> = call(self.context.objects.as_ref(), Address::room(&room_id), &command).await;
        match told {
            // A room that refuses for good (the user may not change it any more) keeps the old one.
            Err(error) if error.status >= 500 || error.status == 429 => return Err(error),
            Ok(()) | Err(_) => {}
        }
        transaction(self.database.as_ref(), |transaction| {
            jobs::end_profile_job(transaction, &job.room_id, job.revision)
        })?;
        Ok(())
    }
}

fn profile_of(account: &Account) -> Profile {
    Profile { displayname: account.displayname.clone(), avatar_url: account.avatar_url.clone() }
}
