//! How a login starts, gets its secrets, resumes and ends.
//!
//! A login is (network, workspace, account), never the token: secrets of an account that has a
//! login already resume that one, and the new login only forwards to it.

use hubbub_core::{
    contract::{Address, Class, call},
    error::{MatrixError, Result},
    secrets::equal,
};
use hubbub_storage::{
    database::transaction,
    directory::bridges::{self, BridgeLogin},
    login::{self as store, LoginRow},
    schema,
};
use ruma::UserId;

use super::LoginObject;
use crate::{
    contract::{Finished, LoginCommand, LoginState, Secret, Started},
    failpoints,
    network::{Identity, NetworkFacts, RemoteError},
    seal::{LoginSecrets, seal},
    web::paths,
};

impl LoginObject {
    pub(super) async fn start(&self, owner: &UserId) -> Result<Started> {
        if self.row.borrow().is_none() {
            self.create(owner)?;
            self.context.failpoints.pass(failpoints::LOGIN_AFTER_START).await;
        }
        if self.owner()? != owner {
            return Err(MatrixError::not_found("There is no such login."));
        }
        if !self.row()?.mirrored {
            self.mirror().await?;
        }
        let hook_url =
            format!("{}{}", self.context.config.public_url, paths::hook(self.facts(), &self.context, &self.login_id));
        Ok(Started { login_id: self.login_id.clone(), manifest: self.network.manifest(&hook_url), hook_url })
    }

    fn create(&self, owner: &UserId) -> Result<()> {
        let row = LoginRow {
            owner: owner.to_string(),
            state: LoginState::Pending.as_str().to_owned(),
            team: None,
            team_name: None,
            remote_user: None,
            remote_name: None,
            secrets: None,
            generation: 0,
            pace: i64::from(self.facts().pace),
            forward_to: None,
            space_id: None,
            link: None,
            link_expires_at: None,
            told: None,
            reason: None,
            mirrored: false,
            tidied_in: 0,
            counters: "{}".to_owned(),
        };
        schema::migrate(self.database.as_ref(), store::STEPS)?;
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            store::put(transaction, &row)?;
            self.alarm.arm(transaction, now)?;
            Ok::<(), MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        *self.row.borrow_mut() = Some(row);
        Ok(())
    }

    pub(super) fn put_link(&self, nonce: &str, expires_at: i64) -> Result<()> {
        self.write(|row| {
            row.link = Some(nonce.to_owned());
            row.link_expires_at = Some(expires_at);
        })
    }

    fn check_link(&self, nonce: &str) -> Result<()> {
        let row = self.row()?;
        let known = row.link.is_some_and(|link| equal(link.as_bytes(), nonce.as_bytes()));
        let valid = row.link_expires_at.is_some_and(|at| at > self.now());
        if known && valid {
            return Ok(());
        }
        Err(MatrixError::forbidden("This link was used or has expired. Ask the bot for a new one with `connect`."))
    }

    pub(super) async fn finish(&self, signing_secret: Secret, token: Secret, link: Option<String>) -> Result<Finished> {
        self.row()?;
        if let Some(nonce) = &link {
            self.check_link(nonce)?;
        }
        let _turn = self.locks.lock("connect").await;
        if let Some(nonce) = &link {
            self.check_link(nonce)?;
        }
        let row = self.row()?;
        self.network.check_secrets(&signing_secret.0, &token.0).map_err(MatrixError::invalid_param)?;
        let identity = self.network.identify(&token.0).await.map_err(|error| unidentified(self.facts(), &error))?;
        if let Some(older) = &row.forward_to {
            return self.hand_to(older, signing_secret, token).await;
        }
        let known = row.team.as_ref().zip(row.remote_user.as_ref());
        match known {
            Some(account) if account != (&identity.team, &identity.user) => {
                return Err(MatrixError::invalid_param(format!(
                    "This token belongs to another {} account than this login. Start a new login \
                     for it with `connect new`.",
                    self.facts().title
                )));
            }
            Some(_) => {}
            None => {
                if let Some(older) = self.claim(&row, &identity).await? {
                    return self.hand_to(&older, signing_secret, token).await;
                }
            }
        }
        self.connect(&identity, signing_secret, token).await
    }

    /// Makes the account this login's, in D1, which knows all logins. Returns the login that has
    /// the account already.
    async fn claim(&self, row: &LoginRow, identity: &Identity) -> Result<Option<String>> {
        if let Some(older) = self.other_login(row, identity).await? {
            return Ok(Some(older));
        }
        let mut record = self.record(row);
        record.team = Some(identity.team.clone());
        record.remote_user = Some(identity.user.clone());
        let claimed = self.context.directory.batch(vec![bridges::put_login(&record, self.now())]).await;
        if let Err(error) = claimed {
            // Two logins of one account finish at once: the unique index let the other one win.
            if let Some(older) = self.other_login(row, identity).await? {
                return Ok(Some(older));
            }
            return Err(error.into());
        }
        Ok(None)
    }

    async fn other_login(&self, row: &LoginRow, identity: &Identity) -> Result<Option<String>> {
        let found = bridges::find_login_by_account(
            self.context.directory.as_ref(),
            self.facts().id,
            &identity.team,
            &identity.user,
        )
        .await?;
        match found {
            Some(other) if other.login_id == self.login_id => Ok(None),
            Some(other) if other.owner != row.owner => Err(MatrixError::forbidden(format!(
                "Another user of this server has connected this {} account.",
                self.facts().title
            ))),
            Some(other) => Ok(Some(other.login_id)),
            None => Ok(None),
        }
    }

    /// Gives the secrets to the older login of the account, and forwards to it from now on.
    async fn hand_to(&self, older: &str, signing_secret: Secret, token: Secret) -> Result<Finished> {
        let command = LoginCommand::Resume { owner: self.owner()?, signing_secret, token };
        let address = Address::new(Class::Login, older);
        let finished: Finished = call(self.context.objects.as_ref(), address, &command).await?;
        self.write(|row| {
            row.state = LoginState::Forwarding.as_str().to_owned();
            row.forward_to = Some(older.to_owned());
            row.link = None;
            row.secrets = None;
            row.mirrored = false;
        })?;
        Ok(finished)
    }

    pub(super) async fn resume(&self, owner: &UserId, signing_secret: Secret, token: Secret) -> Result<Finished> {
        if self.owner()? != owner {
            return Err(MatrixError::forbidden("This login is somebody else's."));
        }
        let _turn = self.locks.lock("connect").await;
        let identity = self.network.identify(&token.0).await.map_err(|error| unidentified(self.facts(), &error))?;
        let row = self.row()?;
        if (row.team.as_ref(), row.remote_user.as_ref()) != (Some(&identity.team), Some(&identity.user)) {
            return Err(MatrixError::forbidden("This login is of another account."));
        }
        self.connect(&identity, signing_secret, token).await
    }

    async fn connect(&self, identity: &Identity, signing_secret: Secret, token: Secret) -> Result<Finished> {
        let secrets = LoginSecrets { signing_secret, token: Some(token) };
        let sealed = seal(&self.context, &self.login_id, &secrets)?;
        let now = self.now();
        let edit = |row: &mut LoginRow| {
            row.state = LoginState::Connected.as_str().to_owned();
            row.team = Some(identity.team.clone());
            row.team_name = Some(identity.team_name.clone());
            row.remote_user = Some(identity.user.clone());
            row.remote_name = Some(identity.user_name.clone());
            row.secrets = Some(sealed);
            row.generation = row.generation.saturating_add(1);
            row.link = None;
            row.reason = None;
            row.told = None;
            row.mirrored = false;
        };
        // What an old connection knew, and why it ended, is not true of this token.
        self.write_with(edit, |transaction| Ok(store::gateway::forget(transaction)?))?;
        self.resumed.set(false);
        self.upkeep.hurry();
        // What was said meanwhile is read at once, in every channel.
        self.put_care(|care| {
            care.connected_at = now;
            care.checked_at = now;
            care.tended_at = 0;
        })?;
        self.poked.set(true);
        self.context.failpoints.pass(failpoints::LOGIN_AFTER_FINISH).await;
        // The double puppet may act for the owner once D1 lists the login; if D1 refuses now, the
        // work tries again.
        if let Err(error) = self.show_in_d1().await {
            tracing::warn!(login.id = %self.login_id, "D1 does not list a login yet: {error}");
        }
        self.account(&self.row()?).ok_or_else(|| MatrixError::internal("a connected login has no account"))
    }

    pub(super) async fn disconnect(&self) -> Result<()> {
        let _turn = self.locks.lock("connect").await;
        if matches!(self.state()?, LoginState::Disconnected | LoginState::Forwarding) {
            return Ok(());
        }
        self.write(|row| {
            row.state = LoginState::Disconnected.as_str().to_owned();
            row.secrets = None;
            row.generation = row.generation.saturating_add(1);
            row.link = None;
            row.mirrored = false;
        })?;
        self.stop_listening().await;
        self.show_in_d1().await
    }

    /// The network refuses the token of this generation: says so once, keeps everything else.
    pub(super) fn token_refused(&self, reason: &str, generation: i64) -> Result<()> {
        let row = self.row()?;
        if row.generation != generation || self.state()? != LoginState::Connected {
            return Ok(());
        }
        let sealed = match self.secrets()? {
            Some(secrets) => Some(seal(&self.context, &self.login_id, &LoginSecrets { token: None, ..secrets })?),
            None => None,
        };
        self.write(|row| {
            row.state = LoginState::BadCredentials.as_str().to_owned();
            row.reason = Some(reason.to_owned());
            row.secrets = sealed;
            row.generation = row.generation.saturating_add(1);
            row.mirrored = false;
        })?;
        self.upkeep.hurry();
        Ok(())
    }

    /// The login as D1 shows it.
    pub(super) fn record(&self, row: &LoginRow) -> BridgeLogin {
        let name = row.team_name.as_ref().zip(row.remote_name.as_ref()).map(|(team, user)| format!("{user} in {team}"));
        BridgeLogin {
            login_id: self.login_id.clone(),
            owner: row.owner.clone(),
            network: self.facts().id.to_owned(),
            team: row.team.clone(),
            remote_user: row.remote_user.clone(),
            name,
            state: row.state.clone(),
        }
    }

    /// Brings D1's row of the login up to date, and remembers that.
    pub(super) async fn mirror(&self) -> Result<()> {
        let row = self.row()?;
        self.show_in_d1().await?;
        if self.row()? == row {
            self.write(|row| row.mirrored = true)?;
        }
        Ok(())
    }

    async fn show_in_d1(&self) -> Result<()> {
        let row = self.row()?;
        let statement = bridges::put_login(&self.record(&row), self.now());
        self.context.directory.batch(vec![statement]).await?;
        self.context.appservices.forget();
        Ok(())
    }
}

fn unidentified(facts: &NetworkFacts, error: &RemoteError) -> MatrixError {
    let title = facts.title;
    match error {
        RemoteError::BadCredentials(code) | RemoteError::Refused(code) => {
            MatrixError::invalid_param(format!("{title} refuses this token ({code}). {}", facts.words.renew))
        }
        RemoteError::RateLimited(_) => {
            MatrixError::new(429, "M_LIMIT_EXCEEDED", format!("{title} asks to wait; try again in a minute."))
        }
        RemoteError::NotDone(_) | RemoteError::Unknown(_) => {
            MatrixError::new(502, "M_UNKNOWN", format!("{title} gave no answer; try again."))
        }
    }
}
