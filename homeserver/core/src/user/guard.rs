//! Commands that the user authenticates once more, by password. [`super::uia`] has the rules.
//!
//! A stolen access token alone changes nothing that outlives it: deleting devices, the password,
//! the account. The password counts against the same limit as a login's.

use hubbub_storage::{
    database::transaction,
    user::credentials::{self, UiaRow},
};
use serde_json::{Map, Value as Json};

use super::{
    UserSyncObject,
    uia::{self, Flows, Uia},
};
use crate::{
    contract::uia::{Auth, Guard, Guarded},
    error::{MatrixError, Result},
};

/// Whether a guarded command may run.
pub(super) enum Permission {
    /// It may.
    Granted,
    /// The user has yet to authenticate it.
    Challenged(Map<String, Json>),
}

/// An authentication and whether it is stored.
struct UnderWay {
    uia: Uia,
    stored: bool,
}

impl UserSyncObject {
    /// Runs a command once the user has authenticated this very `action`. There is no `await`
    /// between the check and the command.
    pub(super) fn guarded<T>(
        &self,
        guard: &Guard,
        action: &str,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<Guarded<T>> {
        match self.permission(guard, action, uia::BY_PASSWORD)? {
            Permission::Granted => run().map(Guarded::Done),
            Permission::Challenged(body) => Ok(Guarded::Challenge(body)),
        }
    }

    /// Whether the user has authenticated `action`; a completed authentication is used up. 401
    /// `M_UNKNOWN_TOKEN` for a session that is not there, 403 `M_FORBIDDEN` for another user's
    /// password or an authentication of another action, 429 after too many wrong passwords.
    pub(super) fn permission(&self, guard: &Guard, action: &str, flows: Flows<'_>) -> Result<Permission> {
        self.check(&guard.caller)?;
        let now = self.context.clock.now();
        let new = || UnderWay { uia: Uia::begin(self.context.random_id(), action, now), stored: false };
        let Some(auth) = &guard.auth else {
            return self.challenge(&new(), flows, None);
        };
        let mut under_way = match &auth.session {
            None => new(),
            Some(session_id) => match self.uia_under_way(session_id, now)? {
                Some(uia) => UnderWay { uia, stored: true },
                None => {
                    let over = MatrixError::forbidden("This authentication is not known, or its time is over.");
                    return self.challenge(&new(), flows, Some(&over));
                }
            },
        };
        under_way.uia.must_be_for(action)?;
        if let Some(stage) = &auth.stage {
            match self.attempt(stage, auth, flows)? {
                Ok(()) => under_way.uia.complete(stage),
                Err(refusal) => return self.challenge(&under_way, flows, Some(&refusal)),
            }
        }
        if !under_way.uia.is_complete(flows) {
            return self.challenge(&under_way, flows, None);
        }
        if under_way.stored {
            let session_id = &under_way.uia.session_id;
            transaction(self.database.as_ref(), |transaction| credentials::end_uia(transaction, session_id))?;
        }
        Ok(Permission::Granted)
    }

    fn uia_under_way(&self, session_id: &str, now: i64) -> Result<Option<Uia>> {
        let Some(row) = credentials::get_uia(self.query(), session_id)? else {
            return Ok(None);
        };
        let completed = serde_json::from_str(&row.completed)?;
        let uia = Uia { session_id: row.session_id, action: row.action, completed, expires_at: row.expires_at };
        Ok(Some(uia).filter(|uia| !uia.is_over(now)))
    }

    /// Tries one stage: the inner error says what to tell the client beside the flows.
    fn attempt(&self, stage: &str, auth: &Auth, flows: Flows<'_>) -> Result<std::result::Result<(), MatrixError>> {
        if !uia::has_stage(flows, stage) || stage != uia::PASSWORD {
            return Ok(Err(MatrixError::forbidden("This stage is part of none of the flows.")));
        }
        let missing = |key: &str| MatrixError::new(400, "M_MISSING_PARAM", format_args!("auth lacks {key}."));
        let user = auth.user.as_deref().ok_or_else(|| missing("identifier"))?;
        let password = auth.password.as_deref().ok_or_else(|| missing("password"))?;
        // Not a matter of trying again: somebody else's password never authenticates this user.
        if !self.is_named(user) {
            return Err(MatrixError::forbidden("This request is for another user to authenticate."));
        }
        match self.check_password(self.account()?.as_ref(), password) {
            Err(error) if error.status == 403 => Ok(Err(MatrixError::forbidden("The password is wrong."))),
            checked => checked.map(Ok),
        }
    }

    /// Whether a typed name means this user: the whole user id or only its localpart, capitals folded.
    fn is_named(&self, name: &str) -> bool {
        let folded = name.to_lowercase();
        folded == self.user_id.as_str() || folded == self.user_id.localpart()
    }

    /// Asks the client to go on, which needs the authentication to be stored.
    fn challenge(&self, under_way: &UnderWay, flows: Flows<'_>, refusal: Option<&MatrixError>) -> Result<Permission> {
        let uia = &under_way.uia;
        // A stored one only changes when a stage was completed, and then others are left.
        if !under_way.stored || !uia.completed.is_empty() {
            let row = UiaRow {
                session_id: uia.session_id.clone(),
                action: uia.action.clone(),
                completed: serde_json::to_string(&uia.completed)?,
                expires_at: uia.expires_at,
            };
            let now = self.context.clock.now();
            transaction(self.database.as_ref(), |transaction| {
                credentials::put_uia(transaction, &row, now, uia::MOST_UNDER_WAY)
            })?;
        }
        Ok(Permission::Challenged(uia.challenge(flows, refusal)))
    }
}
