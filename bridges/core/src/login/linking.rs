//! Who the owner is at the network: the login's account itself, or where that is a bot, the person who typed the code
//! that the management room gave out.

use std::{cell::RefCell, collections::HashMap};

use hubbub_core::{
    error::{MatrixError, Result},
    secrets::equal,
};
use hubbub_storage::{
    database::{Transaction, transaction},
    login::linked::{self, Linked},
};

use super::LoginObject;
use crate::{
    contract::{LinkingCommand, LoginState},
    link_code, management,
    network::{LinkAttempt, RemoteError},
};

/// How long a code works, in milliseconds.
const CODE_MS: i64 = 600_000;

/// How many wrong codes a person may try …
const MOST_ATTEMPTS: u32 = 5;

/// … in this time, in milliseconds.
const ATTEMPTS_MS: i64 = 600_000;

/// People whose attempts are counted: beyond that nobody new may try.
const MOST_PEOPLE: usize = 1_000;

/// What a login knows of its owner's own person.
#[derive(Default)]
pub(super) struct Linking {
    row: RefCell<Linked>,
    /// Wrong codes by person: since when, and how many. An eviction forgets them, which gives a guesser nothing that
    /// matters against 40 bits.
    attempts: RefCell<HashMap<String, (i64, u32)>>,
}

impl LoginObject {
    /// Reads who the owner is, when the object wakes.
    pub(super) fn load_linked(&self) -> Result<()> {
        *self.linking.row.borrow_mut() = linked::get(self.database.as_query())?;
        Ok(())
    }

    /// The network's id of the owner's own person.
    pub(super) fn own_person(&self) -> Option<String> {
        if self.facts().links_owner {
            return self.linking.row.borrow().person.clone();
        }
        self.row().ok()?.remote_user
    }

    /// The name of the owner's own person.
    pub(super) fn own_name(&self) -> String {
        if self.facts().links_owner {
            return self.linking.row.borrow().name.clone();
        }
        self.row().ok().and_then(|row| row.remote_name).unwrap_or_default()
    }

    /// Carries out a command of the owner's.
    pub(super) fn take_linking(&self, command: LinkingCommand) -> Result<bool> {
        let title = self.facts().title;
        if !self.facts().links_owner {
            return Err(MatrixError::invalid_param(format!("Your {title} account is you: there is nothing to link.")));
        }
        let before = self.linking.row.borrow().clone();
        match command {
            LinkingCommand::Code { code } => {
                self.token()?;
                let code = link_code::read(&code.0).ok_or_else(|| MatrixError::invalid_param("This is no code."))?;
                let code = Some(self.digest(&code));
                let expires_at = self.now().saturating_add(CODE_MS);
                self.put_linked(Linked { code, expires_at, ..before }, |_| Ok(()))?;
                Ok(true)
            }
            LinkingCommand::Unlink => {
                let known = before.person.is_some();
                if known || before.code.is_some() {
                    self.put_linked(Linked { prepared: before.prepared, ..Linked::default() }, |_| Ok(()))?;
                    self.tell_portals();
                }
                Ok(known)
            }
        }
    }

    fn digest(&self, code: &str) -> String {
        let purpose = format!("{}-link-code", self.facts().id);
        let mac = self.context.config.secrets.mac(&purpose, format!("{}\n{code}", self.login_id).as_bytes());
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn put_linked(&self, row: Linked, also: impl Fn(&dyn Transaction) -> Result<()>) -> Result<()> {
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            linked::put(transaction, &row)?;
            self.alarm.arm(transaction, now)?;
            also(transaction)
        })
        .inspect_err(|_| self.alarm.forget())?;
        *self.linking.row.borrow_mut() = row;
        Ok(())
    }

    /// The portals hold names for a while: who is the owner now is asked again.
    fn tell_portals(&self) {
        self.resumed.set(false);
        self.upkeep.hurry();
    }

    /// Somebody typed a code: links them if it is the one that waits, in one transaction with `also`, and returns what to
    /// tell them.
    pub(super) fn try_link(
        &self,
        attempt: &LinkAttempt,
        also: impl Fn(&dyn Transaction) -> Result<()>,
    ) -> Result<String> {
        let title = self.facts().title;
        let before = self.linking.row.borrow().clone();
        let code = link_code::read(&attempt.code).map(|code| self.digest(&code)).unwrap_or_default();
        let refusal = if self.is_guessing(&attempt.person) {
            Some("You tried too many codes. Wait ten minutes, then ask the bridge's bot for a new one with link.")
        } else {
            let waits = before.expires_at > self.now();
            let known = before.code.as_ref().filter(|_| waits);
            let right = known.is_some_and(|known| equal(known.as_bytes(), code.as_bytes()));
            (!right).then_some("I do not know this code. It works once, for ten minutes: ask for a new one with link.")
        };
        if let Some(refusal) = refusal {
            self.count_attempt(&attempt.person);
            transaction(self.database.as_ref(), |transaction| also(transaction))?;
            return Ok(refusal.to_owned());
        }
        let row = Linked {
            person: Some(attempt.person.clone()),
            name: attempt.name.clone(),
            told: false,
            code: None,
            expires_at: 0,
            prepared: before.prepared,
        };
        self.put_linked(row, also)?;
        self.tell_portals();
        Ok(format!("You are linked: in Matrix, what you write at {title} is shown as {}.", self.owner()?))
    }

    fn is_guessing(&self, person: &str) -> bool {
        let attempts = self.linking.attempts.borrow();
        let since = self.now().saturating_sub(ATTEMPTS_MS);
        match attempts.get(person) {
            Some((first, count)) => *first > since && *count >= MOST_ATTEMPTS,
            None => attempts.values().filter(|(first, _)| *first > since).count() >= MOST_PEOPLE,
        }
    }

    fn count_attempt(&self, person: &str) {
        let now = self.now();
        let mut attempts = self.linking.attempts.borrow_mut();
        attempts.retain(|_, (first, _)| *first > now.saturating_sub(ATTEMPTS_MS));
        if attempts.len() < MOST_PEOPLE || attempts.contains_key(person) {
            let (_, count) = attempts.entry(person.to_owned()).or_insert((now, 0));
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn owes_link(&self) -> bool {
        !self.linking.row.borrow().told || self.must_prepare()
    }

    fn must_prepare(&self) -> bool {
        let Ok(row) = self.row() else { return false };
        let connected = LoginState::from(row.state.as_str()) == LoginState::Connected;
        self.facts().links_owner && connected && self.linking.row.borrow().prepared != row.generation
    }

    /// Tells the owner who they are there, and has the network know the command that takes codes.
    pub(super) async fn pay_link(&self) -> Result<()> {
        let row = self.linking.row.borrow().clone();
        if let (false, Some(person)) = (row.told, &row.person) {
            let title = self.facts().title;
            let text = format!(
                "{} ({person}) is you at {title}: what you write there is shown as yours. If that is not so, say `unlink`.",
                row.name
            );
            // One word for each link, however often it is tried.
            let transaction = format!("linked-{}-{person}-{}", self.login_id, self.now().div_euclid(CODE_MS));
            management::tell(&self.matrix, &self.owner()?, &transaction, &text).await?;
        }
        if !row.told {
            let now = self.linking.row.borrow().clone();
            if now.person == row.person {
                self.put_linked(Linked { told: true, ..now }, |_| Ok(()))?;
            }
        }
        if self.must_prepare() {
            self.prepare().await?;
        }
        Ok(())
    }

    async fn prepare(&self) -> Result<()> {
        let generation = self.row()?.generation;
        match self.network.prepare(&self.token()?).await {
            Ok(()) => {}
            // It works without, by a message to the bot.
            Err(RemoteError::Refused(code)) => {
                tracing::warn!(login.id = %self.login_id, "The network does not take the command for codes: {code}");
            }
            Err(error) => return Err(self.remote_failed(&error)),
        }
        let now = self.linking.row.borrow().clone();
        self.put_linked(Linked { prepared: generation, ..now }, |_| Ok(()))
    }
}
