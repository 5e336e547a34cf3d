//! What a network tells on a connection instead of by hooks: each event is stored in the transaction that notes how far
//! the connection was heard, so that one that resumes there loses nothing and doubles nothing.

use std::borrow::Cow;

use hubbub_core::{
    contract::{Address, Class, call, encode},
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::{
        self as store, Waiting,
        gateway::{self, Heard},
    },
};

use super::{LoginObject, hook::BUCKET_SECONDS, threads::Home};
use crate::{
    contract::{GatewayCommand, GatewayOpening, ListenCommand, LoginState, Secret},
    failpoints,
    network::{HookBody, HookKind, LinkAttempt},
};

/// How many events that nobody wants a session may be ahead of what is kept.
const MOST_BEHIND: i64 = 256;

impl LoginObject {
    /// Carries out a command of the connection.
    pub(super) async fn take_gateway(&self, command: GatewayCommand) -> Result<Vec<u8>> {
        // A stranger's random name conjures nothing.
        self.row()?;
        match command {
            GatewayCommand::Open => encode(&self.opening()?),
            GatewayCommand::Ask { generation } => {
                self.check_generation(generation)?;
                encode(&self.ask_network().await?)
            }
            GatewayCommand::Save { generation, saved } => {
                self.check_generation(generation)?;
                let mut heard = gateway::get(self.database.as_query())?.unwrap_or_default();
                heard.saved = saved;
                encode(&transaction(self.database.as_ref(), |transaction| {
                    Ok::<_, MatrixError>(gateway::put(transaction, &heard)?)
                })?)
            }
            GatewayCommand::Event { generation, session, seq, saved, body } => {
                self.check_generation(generation)?;
                encode(&self.take_told(Heard { session, seq, saved }, &body).await?)
            }
            GatewayCommand::Online { generation, fresh } => {
                self.check_generation(generation)?;
                encode(&self.online(fresh)?)
            }
            GatewayCommand::Stop { generation, why } => encode(&self.token_refused(&why, generation)?),
        }
    }

    fn opening(&self) -> Result<Option<GatewayOpening>> {
        if self.state()? != LoginState::Connected || !self.facts().has_gateway {
            return Ok(None);
        }
        let saved = gateway::get(self.database.as_query())?.map(|heard| heard.saved);
        Ok(Some(GatewayOpening { token: Secret(self.token()?), generation: self.row()?.generation, saved }))
    }

    fn check_generation(&self, generation: i64) -> Result<()> {
        if self.row()?.generation == generation && self.state()? == LoginState::Connected {
            return Ok(());
        }
        Err(MatrixError::new(409, "M_UNKNOWN", "This connection's token is not the login's any more."))
    }

    async fn ask_network(&self) -> Result<Option<String>> {
        match self.network.connecting(&self.token()?).await {
            Ok(said) => Ok(Some(said.to_string())),
            Err(error) => {
                // One about the token is noted.
                let error = self.remote_failed(&error);
                tracing::warn!(login.id = %self.login_id, "Nothing is known about connecting: {error}");
                Ok(None)
            }
        }
    }

    /// A new session tells nothing of what was said before it.
    fn online(&self, fresh: bool) -> Result<()> {
        self.online.set(true);
        if fresh {
            let now = self.now();
            self.put_care(|care| {
                care.connected_at = now;
                care.tended_at = 0;
            })?;
            self.poked.set(true);
            self.wake_if_needed()?;
        }
        Ok(())
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

    /// Has the connection stand, if the network has one. Idempotent.
    pub(super) async fn listen(&self) -> Result<()> {
        if !self.facts().has_gateway || self.state()? != LoginState::Connected {
            return Ok(());
        }
        let command = ListenCommand::Start { generation: self.row()?.generation };
        call(self.context.objects.as_ref(), self.connection(), &command).await
    }

    /// Has the connection end. One that does not hear it ends with the next thing that it has to say.
    pub(super) async fn stop_listening(&self) {
        if !self.facts().has_gateway {
            return;
        }
        let stopped: Result<()> = call(self.context.objects.as_ref(), self.connection(), &ListenCommand::Stop).await;
        if let Err(error) = stopped {
            tracing::info!(login.id = %self.login_id, "A connection was not told to end: {error}");
        }
    }

    fn connection(&self) -> Address {
        Address::new(Class::Gateway, self.login_id.as_str())
    }

    async fn take_told(&self, heard: Heard, body: &str) -> Result<()> {
        let known = gateway::get(self.database.as_query())?;
        let behind = known.as_ref().filter(|known| known.session == heard.session);
        let behind = behind.map_or(i64::MAX, |known| heard.seq.saturating_sub(known.seq));
        if behind <= 0 {
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
        if let Some(HookKind::EmojiChanged { keys }) = event.as_ref().map(|event| &event.kind) {
            self.forget_emoji(keys)?;
        }
        let now = self.now();
        let change = event.as_ref().map(|event| &event.kind).filter(|kind| self.concerns(kind).unwrap_or(false));
        let mut waiting = None;
        let mut body = Cow::Borrowed(body);
        let mut threads = Vec::new();
        if let Some(event) = &event
            && let HookKind::ForChannel { channel, .. } = &event.kind
        {
            let channel = match self.home_of(event)? {
                Home::Channel | Home::Unknown => Some(channel.clone()),
                Home::Thread(thread) => {
                    body = Cow::Owned(self.network.in_thread(&body, &thread));
                    Some(thread.parent)
                }
                Home::Nowhere => {
                    self.count(|counters| counters.dropped = counters.dropped.saturating_add(1));
                    None
                }
            };
            waiting = channel.map(|channel| Waiting {
                bucket: now.div_euclid(1_000 * BUCKET_SECONDS),
                // Of two events of one minute the later one has the greater id.
                event_id: format!("{}-{:016}", heard.session, heard.seq),
                channel,
            });
        } else {
            threads = self.new_threads(&body)?;
        }
        // What nobody wants costs no row: told again it is not wanted again.
        let wanted = waiting.is_some() || change.is_some() || !threads.is_empty();
        if !wanted && behind < MOST_BEHIND {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            gateway::put(transaction, &heard)?;
            for thread in &threads {
                store::threads::put(transaction, thread)?;
            }
            if let Some(waiting) = &waiting {
                store::insert_event(transaction, waiting, &body)?;
            }
            if waiting.is_some() || change.is_some() {
                self.alarm.arm(transaction, now)?;
            }
            Ok::<_, MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        if let Some(kind) = change {
            self.remember_change(kind.clone(), &body);
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
