//! What a login owes to others: D1's row, a word to the owner, a sign to its portals.

use hubbub_core::{
    contract::{Address, Class, call},
    error::Result,
};

use super::LoginObject;
use crate::{
    contract::{LoginState, PortalCommand},
    management,
};

impl LoginObject {
    /// Does what is owed.
    pub(super) async fn keep_up(&self) {
        let Some(_guard) = self.upkeep.enter(self.now()) else { return };
        while self.owes() {
            if let Err(error) = self.pay().await {
                tracing::warn!(login.id = %self.login_id, "A login's upkeep failed: {error}");
                self.upkeep.fail(self.now());
                return;
            }
        }
        self.upkeep.succeed();
    }

    pub(super) fn owes(&self) -> bool {
        let Ok(row) = self.row() else { return false };
        !row.mirrored
            || !self.resumed.get()
            || self.must_tell()
            || self.must_tell_silence()
            || self.owes_pictures()
            || self.owes_link()
            || self.owes_hold.get()
    }

    fn must_tell(&self) -> bool {
        let Ok(row) = self.row() else { return false };
        let bad = LoginState::from(row.state.as_str()) == LoginState::BadCredentials;
        bad && row.told.as_deref() != Some(row.state.as_str())
    }

    async fn pay(&self) -> Result<()> {
        self.pay_hold().await?;
        if !self.resumed.get() {
            self.resumed.set(true);
            let resumed = match self.listen().await {
                Ok(()) => self.resume_portals().await,
                failed => failed,
            };
            if resumed.is_err() {
                self.resumed.set(false);
            }
            resumed?;
        }
        if self.must_tell() {
            self.tell().await?;
        }
        if self.must_tell_silence() {
            self.tell_silence().await?;
        }
        // After those: a row that D1 does not show is what says that they are owed.
        if !self.row()?.mirrored {
            self.mirror().await?;
        }
        self.pay_link().await?;
        self.pay_picture().await
    }

    /// Tells the owner once that the token does not work any more.
    async fn tell(&self) -> Result<()> {
        let row = self.row()?;
        let owner = self.owner()?;
        let (title, team) = (self.facts().title, row.team_name.as_deref().unwrap_or(self.facts().words.team));
        let reason = row.reason.as_deref().unwrap_or("unknown reason");
        // The network's own codes are words, ours are sentences.
        let what = if reason.ends_with('.') {
            format!("{team} is not connected to {title} any more. {reason}")
        } else {
            format!("{title} no longer accepts the token of {team} ({reason}).")
        };
        let text = format!(
            "{what} Nothing is lost: what you write in its rooms waits, and goes out once the login works again. Say \
             `connect` here for a link that takes a new token."
        );
        let transaction = format!("lost-{}-{}", self.login_id, row.generation);
        management::tell(&self.matrix, &owner, &transaction, &text).await?;
        self.write(|now| {
            if now.generation == row.generation {
                now.told = Some(row.state);
            }
        })
    }

    /// Lets what waits for the token, the pace or a channel's new id go on.
    pub(super) async fn resume_portals(&self) -> Result<()> {
        let portals = self.bridged_channels();
        for portal in portals {
            let Some(portal_id) = portal.portal_id else {
                continue;
            };
            let address = Address::new(Class::Portal, portal_id);
            let objects = self.context.objects.as_ref();
            let command = PortalCommand::Resume { channel: portal.id };
            match call::<()>(objects, address, &command).await {
                Err(error) if error.status != 404 => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
