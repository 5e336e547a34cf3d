//! What became of a post whose call gave no answer: the network's own history tells, since each
//! post carries our mark. Only what the history does not have is sent again.

use std::collections::BTreeSet;

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::portal::{self as store, OutboundRow, changes};
use serde_json::value::RawValue;

use super::{
    PortalObject,
    outbound::{Next, Outgoing},
    upload::OutgoingFile,
};
use crate::network::{HistoryRequest, RemoteError, RemoteEvent, RemoteMessage, Sought, TransactionMark};

/// The outcome of an event about which nothing could be found out.
pub(super) const UNCERTAIN: &str = "uncertain";

/// How far the network's clock may be behind ours.
const CLOCK_SKEW_MS: i64 = 120_000;

/// How long the network may refuse to tell before the event is shown as uncertain.
const PATIENCE_MS: i64 = 600_000;

/// Pages of history that one look takes at most.
const MOST_PAGES: usize = 50;

/// Messages of a page.
const PAGE: u32 = 200;

impl PortalObject {
    /// Looks in the network's history for everything that is in doubt.
    pub(super) async fn reconcile(&self, row: &OutboundRow) -> Result<Next> {
        let now = self.now();
        if self.sending.settled_at() > now {
            return Ok(Next::At(self.sending.settled_at()));
        }
        let access = self.access(Some(self.facts().history_method)).await?;
        if access.wait_ms > 0 {
            return Ok(Next::At(now.saturating_add(access.wait_ms)));
        }
        let Some(token) = &access.token else {
            return Ok(Next::Paused);
        };
        match self.look_everywhere(&token.0).await {
            Ok(()) => {
                self.sending.resolve();
                Ok(Next::Again)
            }
            Err(Look::Failed(RemoteError::RateLimited(wait))) => Ok(Next::At(now.saturating_add(wait.max(1)))),
            Err(Look::Failed(RemoteError::BadCredentials(reason))) => {
                self.token_refused(&reason, &access).await?;
                Ok(Next::Paused)
            }
            Err(Look::Failed(RemoteError::Refused(_))) => self.refuse(row, UNCERTAIN).await,
            Err(Look::Failed(error)) => {
                let since = self.outbound_lane.failing_since().unwrap_or(now);
                if now.saturating_sub(since) > PATIENCE_MS {
                    return self.refuse(row, UNCERTAIN).await;
                }
                Err(MatrixError::new(502, "M_UNKNOWN", error.sentence()))
            }
            Err(Look::Ours(error)) => Err(error),
        }
    }

    /// Looks through the channel, and through the threads that posts in doubt were meant for: a channel's history does
    /// not have those.
    async fn look_everywhere(&self, token: &str) -> Result<(), Look> {
        self.look_through_history(token, None).await?;
        let doubted: Vec<i64> =
            self.outbound.borrow().iter().copied().take_while(|seq| self.sending.doubts(*seq)).collect();
        let mut threads = BTreeSet::new();
        for seq in doubted {
            let row = store::get_outbound(self.database.as_query(), seq).map_err(MatrixError::from)?;
            let body = row.and_then(|row| row.body);
            let event = body.and_then(|body| serde_json::from_str::<Outgoing>(&body).ok());
            if let Some(event) = event {
                threads.extend(self.answered(&event.content).await?.1);
            }
        }
        for thread in threads {
            match self.look_through_history(token, Some(&thread)).await {
                // The thread is gone, and what was posted in it.
                Err(Look::Failed(RemoteError::Refused(_))) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Reads the history since the first attempt and notes every post of ours in it.
    async fn look_through_history(&self, token: &str, thread: Option<&str>) -> Result<(), Look> {
        let row = self.row()?;
        let after = self.network.id_at(row.attempt_since.saturating_sub(CLOCK_SKEW_MS));
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let (after, cursor_now) = (Some(after.as_str()), cursor.as_deref());
            let request = HistoryRequest { channel: &row.channel, thread, after, cursor: cursor_now, limit: PAGE };
            let page = self.network.history(token, &request).await?;
            if self.facts().speaks_by_name {
                self.find_by_text(&page.messages).await?;
            }
            let marked: Vec<_> = page
                .messages
                .iter()
                .filter_map(|raw| match self.network.read_event(raw) {
                    RemoteEvent::Message(message) => Some(message),
                    _ => None,
                })
                .filter(|message| message.transaction.is_some() || !message.files.is_empty())
                .collect();
            if !marked.is_empty() {
                self.commit(true, |transaction| {
                    for message in &marked {
                        self.take_echo(transaction, message)?;
                    }
                    Ok(())
                })?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
        // So much was said since that the first attempt is out of sight.
        Err(RemoteError::Refused("too much history".to_owned()).into())
    }

    /// Notes the posts in doubt among messages of a history that carry no mark: what says the same, by a program, since
    /// the first attempt, and is nobody's yet. Messages and posts are looked at in their order.
    async fn find_by_text(&self, messages: &[Box<RawValue>]) -> Result<()> {
        let query = self.database.as_query();
        let mut found: Vec<(RemoteMessage, &RawValue)> = Vec::new();
        for raw in messages {
            if let RemoteEvent::Message(message) = self.network.read_event(raw)
                && message.by_program
                && changes::list_parts(query, &message.place.place)?.is_empty()
            {
                found.push((message, raw));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.place.cmp(&other.place));
        let doubted: Vec<i64> =
            self.outbound.borrow().iter().copied().take_while(|seq| self.sending.doubts(*seq)).collect();
        let Some((_, access)) = self.sending.access.borrow().clone() else { return Ok(()) };
        for seq in doubted {
            let row = store::get_outbound(query, seq)?;
            let event = row.and_then(|row| row.body).and_then(|body| serde_json::from_str::<Outgoing>(&body).ok());
            let Some(event) = event else { continue };
            let (posts, file) = self.said_by(&event, &access).await?;
            for (part, content) in (0_u32..).zip(&posts) {
                let file = file.as_ref().filter(|_| part == 0).map(OutgoingFile::name);
                let sought = Sought { content, file, account: &access.remote_user };
                let Some(at) = found.iter().position(|(_, raw)| self.network.is_post(raw, &sought)) else { continue };
                let (mut message, _) = found.remove(at);
                message.transaction = Some(TransactionMark { event_id: event.event_id.clone(), part });
                self.commit(true, |transaction| self.take_echo(transaction, &message).map(|_| ()))?;
            }
        }
        Ok(())
    }
}

/// Why a look through the history came to no end.
enum Look {
    Failed(RemoteError),
    Ours(MatrixError),
}

impl From<RemoteError> for Look {
    fn from(error: RemoteError) -> Self {
        Self::Failed(error)
    }
}

impl From<MatrixError> for Look {
    fn from(error: MatrixError) -> Self {
        Self::Ours(error)
    }
}
