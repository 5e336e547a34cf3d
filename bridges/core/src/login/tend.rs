//! What a login does when Cron pokes it: it has its portals read their channels again, each once an hour, checks its
//! token once a day, and notices when the network has things that it does not tell.
//!
//! Everything goes by the time since the last time, so that skipped runs are made up for and overlapping ones do
//! nothing twice.

use hubbub_core::{
    contract::{Address, Class, call},
    error::Result,
};
use hubbub_storage::{
    database::transaction,
    login::care::{self, Care},
};

use super::{LoginObject, hook::BUCKET_SECONDS};
use crate::{
    contract::{LoginState, PortalCommand, Tended},
    management,
    network::RemoteError,
};

/// How often the token is checked, in milliseconds.
const CHECK_MS: i64 = 86_400_000;

/// A portal's turn comes once in so many slots …
const SLOTS: i64 = 12;

/// … of so many milliseconds.
const SLOT_MS: i64 = 300_000;

/// How long a channel counts as busy after an event, in buckets: an hour.
const BUSY_BUCKETS: i64 = 3_600 / BUCKET_SECONDS;

impl LoginObject {
    /// Does what is due.
    pub(super) async fn tend(&self) {
        let Some(_guard) = self.tending.enter(self.now()) else { return };
        self.poked.set(false);
        if let Err(error) = self.try_tend().await {
            // The next poke tries again.
            tracing::warn!(login.id = %self.login_id, "A login was not looked after: {error}");
        }
    }

    async fn try_tend(&self) -> Result<()> {
        if self.state()? != LoginState::Connected {
            return Ok(());
        }
        self.check_token().await?;
        // Whatever ended the connection: Cron starts it again.
        let listening = self.listen().await;
        self.tend_portals().await?;
        listening
    }

    fn care(&self) -> Result<Care> {
        Ok(care::get(self.database.as_query())?)
    }

    pub(super) fn put_care(&self, edit: impl FnOnce(&mut Care)) -> Result<()> {
        let before = self.care()?;
        let mut care = before;
        edit(&mut care);
        if care == before {
            return Ok(());
        }
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            care::put(transaction, &care)?;
            if care.silent != care.told_silent {
                self.alarm.arm(transaction, now)?;
            }
            Ok::<(), hubbub_core::error::MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        self.silent.set(care.silent);
        self.told_silent.set(care.told_silent);
        Ok(())
    }

    /// Reads what the owner was told, when the object wakes.
    pub(super) fn load_care(&self) -> Result<()> {
        let care = self.care()?;
        self.silent.set(care.silent);
        self.told_silent.set(care.told_silent);
        Ok(())
    }

    async fn check_token(&self) -> Result<()> {
        let now = self.now();
        if self.care()?.checked_at > now.saturating_sub(CHECK_MS) {
            return Ok(());
        }
        let generation = self.row()?.generation;
        match self.network.identify(&self.token()?).await {
            Ok(_) => {
                self.put_care(|care| care.checked_at = now)?;
                self.refresh_icon().await;
                Ok(())
            }
            Err(RemoteError::BadCredentials(reason)) => self.token_refused(&reason, generation),
            Err(error) => {
                tracing::info!(login.id = %self.login_id, "A token could not be checked: {}", error.sentence());
                Ok(())
            }
        }
    }

    async fn tend_portals(&self) -> Result<()> {
        let now = self.now();
        let slot = now.div_euclid(SLOT_MS);
        let last = self.care()?.tended_at.div_euclid(SLOT_MS);
        let slots = slot.saturating_sub(last).clamp(0, SLOTS);
        let is_due = |portal_id: &str| {
            let own = portal_id.bytes().fold(0_i64, |sum, byte| sum.wrapping_add(i64::from(byte))).rem_euclid(SLOTS);
            // Of the slots since the last time one is the portal's own.
            slot.saturating_sub(own).rem_euclid(SLOTS) < slots
        };
        let bucket = now.div_euclid(1_000 * BUCKET_SECONDS);
        let busy = care::list_busy(self.database.as_query(), bucket.saturating_sub(BUSY_BUCKETS))?;
        let mut tended = Tended::default();
        let mut failed = None;
        for portal in self.bridged_channels() {
            let Some(portal_id) = portal.portal_id else { continue };
            let catch_up = is_due(&portal_id);
            if !catch_up && !busy.contains(&portal.id) {
                continue;
            }
            let address = Address::new(Class::Portal, portal_id);
            match call::<Tended>(self.context.objects.as_ref(), address, &PortalCommand::Tend { catch_up }).await {
                Ok(one) => {
                    self.take_name(&portal.id, one.name)?;
                    tended.missed = tended.missed.max(one.missed);
                    tended.found = tended.found.saturating_add(one.found);
                }
                Err(error) if error.status == 404 => {}
                // One that fails stops no other.
                Err(error) => failed = Some(error),
            }
        }
        self.notice_silence(&tended)?;
        if slots > 0 {
            self.put_care(|care| care.tended_at = now)?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Messages that the network has and did not tell, and nothing told since: its hooks do not come.
    fn notice_silence(&self, tended: &Tended) -> Result<()> {
        // A connection that is down tells it later, or the channels are read when it stands again.
        if self.facts().has_gateway && !self.online.get() {
            return Ok(());
        }
        let connected_at = self.care()?.connected_at;
        // What was said before the login was connected nobody could tell.
        let Some(missed) = tended.missed.filter(|missed| *missed > connected_at) else { return Ok(()) };
        let newest = care::newest_bucket(self.database.as_query())?;
        let heard_until = newest.map_or(0, |bucket| bucket.saturating_add(1).saturating_mul(1_000 * BUCKET_SECONDS));
        if heard_until > missed {
            return Ok(());
        }
        tracing::warn!(login.id = %self.login_id, "{} messages were never told", tended.found);
        self.put_care(|care| care.silent = true)
    }

    /// The network tells again.
    pub(super) fn heard(&self) -> Result<()> {
        if !self.silent.get() {
            return Ok(());
        }
        self.put_care(|care| care.silent = false)
    }

    pub(super) fn must_tell_silence(&self) -> bool {
        self.silent.get() != self.told_silent.get()
    }

    /// Tells the owner once that the network is silent, and once that it is not any more.
    pub(super) async fn tell_silence(&self) -> Result<()> {
        let silent = self.silent.get();
        let team = self.row()?.team_name;
        let your = format!("your {}", self.facts().words.team);
        let team = team.as_deref().unwrap_or(&your);
        let text = if silent {
            format!(
                "{title} does not tell me any more what happens in {team}: I found messages by reading the channels \
                 myself, which I do once an hour. {}",
                self.facts().words.silence,
                title = self.facts().title
            )
        } else {
            format!("{} tells me again what happens in {team}.", self.facts().title)
        };
        let transaction = format!("silence-{}-{silent}-{}", self.login_id, self.care()?.tended_at);
        management::tell(&self.matrix, &self.owner()?, &transaction, &text).await?;
        self.put_care(|care| care.told_silent = silent)
    }
}
