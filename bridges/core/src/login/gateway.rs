//! What a network tells on a connection instead of by hooks: each event is stored in the transaction that notes how far
//! the connection was heard, so that one that resumes there loses nothing and doubles nothing.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{
    database::transaction,
    login::{
        self as store, Waiting,
        gateway::{self, Heard},
    },
};

use super::{LoginObject, hook::BUCKET_SECONDS};
use crate::{
    contract::GatewayCommand,
    failpoints,
    network::{HookBody, HookKind, LinkAttempt},
};

impl LoginObject {
    /// Carries out a command of the connection.
    pub(super) async fn take_gateway(&self, command: GatewayCommand) -> Result<Option<String>> {
        // A stranger's random name conjures nothing.
        self.row()?;
        match command {
            GatewayCommand::Saved => Ok(gateway::get(self.database.as_query())?.map(|heard| heard.saved)),
            GatewayCommand::Save { saved } => {
                let mut heard = gateway::get(self.database.as_query())?.unwrap_or_default();
                heard.saved = saved;
                transaction(self.database.as_ref(), |transaction| {
                    Ok::<_, MatrixError>(gateway::put(transaction, &heard)?)
                })?;
                Ok(None)
            }
            GatewayCommand::Event { session, seq, saved, body } => {
                self.take_told(Heard { session, seq, saved }, &body).await.map(|()| None)
            }
        }
    }

    /// A code that was typed is heard and has its effect in one transaction; then who typed it is answered, once.
    async fn take_code(&self, heard: &Heard, attempt: &LinkAttempt) -> Result<()> {
        let text = self.try_link(attempt, |transaction| Ok(gateway::put(transaction, heard)?))?;
        let Some(reply) = &attempt.reply else { return Ok(()) };
        let answered = match self.token() {
            Ok(token) => self.network.reply_to_link(&token, reply, &text).await,
            Err(_) => Ok(()),
        };
        if let Err(error) = answered {
            tracing::info!(login.id = %self.login_id, "Who typed a code was not answered: {}", error.sentence());
        }
        Ok(())
    }

    async fn take_told(&self, heard: Heard, body: &str) -> Result<()> {
        let known = gateway::get(self.database.as_query())?;
        if known.is_some_and(|known| known.session == heard.session && known.seq >= heard.seq) {
            self.count(|counters| counters.duplicates = counters.duplicates.saturating_add(1));
            return Ok(());
        }
        if let Some(attempt) = self.network.link_in(body) {
            return self.take_code(&heard, &attempt).await;
        }
        let event = match self.network.read_hook(body) {
            HookBody::Event(event) => Some(event),
            _ => {
                self.count(|counters| counters.malformed = counters.malformed.saturating_add(1));
                None
            }
        };
        let now = self.now();
        let change = event.as_ref().map(|event| &event.kind).filter(|kind| self.concerns(kind).unwrap_or(false));
        let mut waiting = None;
        if let Some(event) = &event
            && let HookKind::ForChannel { channel, .. } = &event.kind
        {
            if self.is_wanted(event)? {
                waiting = Some(Waiting {
                    bucket: now.div_euclid(1_000 * BUCKET_SECONDS),
                    // Of two events of one minute the later one has the greater id.
                    event_id: format!("{}-{:016}", heard.session, heard.seq),
                    channel: channel.clone(),
                });
            } else {
                self.count(|counters| counters.dropped = counters.dropped.saturating_add(1));
            }
        }
        transaction(self.database.as_ref(), |transaction| {
            gateway::put(transaction, &heard)?;
            if let Some(waiting) = &waiting {
                store::insert_event(transaction, waiting, body)?;
            }
            if waiting.is_some() || change.is_some() {
                self.alarm.arm(transaction, now)?;
            }
            Ok::<_, MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        if let Some(kind) = change {
            self.remember_change(kind.clone(), body);
        }
        if let Some(waiting) = waiting {
            self.heard()?;
            self.count(|counters| counters.accepted = counters.accepted.saturating_add(1));
            self.remember_waiting(waiting);
            self.context.failpoints.pass(failpoints::LOGIN_AFTER_HOOK).await;
        }
        Ok(())
    }
}
