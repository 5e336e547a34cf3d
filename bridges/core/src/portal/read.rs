//! What the owner has read, on either side.
//!
//! The owner's public receipts reach the network a few seconds later, several of them as one. What the owner read at
//! the network comes from asking now and then, and with everything that the owner writes there.

use hubbub_core::error::Result;
use hubbub_storage::portal::{care, changes};
use serde_json::{Value as Json, value::RawValue};

use super::{PortalObject, inbound::Effect};
use crate::network::{RemoteError, RemoteMessage};

/// How long a receipt waits for the next one.
const DEBOUNCE_MS: i64 = 5_000;

/// When to try again to mark a channel as read.
const RETRY_MS: i64 = 60_000;

/// Who has read up to which event of an `m.receipt`, as (event, user, thread).
pub(crate) fn readers(receipt: &Json) -> impl Iterator<Item = (&str, &str, Option<&str>)> {
    let events = receipt.get("content").and_then(Json::as_object).into_iter().flatten();
    events.flat_map(|(event_id, kinds)| {
        let users = kinds.get("m.read").and_then(Json::as_object).into_iter().flatten();
        users.map(|(user, data)| (event_id.as_str(), user.as_str(), data.get("thread_id").and_then(Json::as_str)))
    })
}

impl PortalObject {
    /// Takes an `m.receipt`; whether it was one.
    pub(super) async fn take_receipt(&self, event: &RawValue) -> Result<bool> {
        if !event.get().contains("m.receipt") {
            return Ok(false);
        }
        let Ok(event) = serde_json::from_str::<Json>(event.get()) else { return Ok(false) };
        if event.get("type").is_none_or(|kind| kind != "m.receipt") {
            return Ok(false);
        }
        let owner = self.row()?.owner;
        for (event_id, user, thread) in readers(&event) {
            if user == owner && thread.is_none_or(|thread| thread == "main") {
                self.read_here(event_id).await?;
            }
        }
        Ok(true)
    }

    async fn read_here(&self, event_id: &str) -> Result<()> {
        if self.facts().mark_method.is_none() || !self.is_active() {
            return Ok(());
        }
        let Some(place) = self.place_of_event(event_id).await? else { return Ok(()) };
        let query = self.database.as_query();
        let Some(message) = changes::newest_until(query, &place)? else { return Ok(()) };
        let mut care = care::get(query)?;
        if care.read.as_ref().is_some_and(|read| *read >= message.place) {
            return Ok(());
        }
        care.read = Some(message.place);
        care.marked = Some(message.remote_id);
        care.mark_at.get_or_insert(self.now().saturating_add(DEBOUNCE_MS));
        self.commit(true, |transaction| Ok(care::put(transaction, &care)?))?;
        self.mark_at.set(care.mark_at);
        Ok(())
    }

    /// Where an event stands among the network's messages, be it one of them or not.
    async fn place_of_event(&self, event_id: &str) -> Result<Option<String>> {
        if let Some(message) = self.remote_messages(event_id).await?.pop() {
            return Ok(Some(message.place));
        }
        let event = self.matrix.bot().get_event(&self.room_id()?, event_id).await?;
        let at = event.as_ref().and_then(|event| event.get("origin_server_ts")).and_then(Json::as_i64);
        Ok(at.and_then(|at| self.network.place(&self.network.id_at(at.saturating_add(1)))))
    }

    /// Marks the channel as read at the network.
    pub(super) async fn run_mark(&self) {
        let Some(_guard) = self.mark_lane.enter(self.now()) else { return };
        match self.mark().await {
            Ok(()) => self.mark_lane.succeed(),
            Err(error) => {
                tracing::warn!(portal.id = %self.portal_id, "A channel is not marked as read: {error}");
                self.mark_lane.fail(self.now());
            }
        }
    }

    async fn mark(&self) -> Result<()> {
        let care = care::get(self.database.as_query())?;
        let (Some(remote_id), Some(method)) = (&care.marked, self.facts().mark_method) else {
            return self.marked(None, None);
        };
        let later = |wait: i64| Some(self.now().saturating_add(wait.max(1)));
        let access = self.access(Some(method)).await?;
        let Some(token) = access.token.as_ref() else {
            return self.marked(Some(remote_id), later(RETRY_MS));
        };
        if access.wait_ms > 0 {
            return self.marked(Some(remote_id), later(access.wait_ms));
        }
        match self.network.mark_read(&token.0, &self.row()?.channel, remote_id).await {
            Ok(()) => self.marked(Some(remote_id), None),
            Err(RemoteError::Refused(code)) => {
                tracing::info!(portal.id = %self.portal_id, "A channel cannot be marked as read: {code}");
                self.marked(Some(remote_id), None)
            }
            Err(RemoteError::RateLimited(wait)) => self.marked(Some(remote_id), later(wait)),
            Err(RemoteError::BadCredentials(reason)) => {
                self.token_refused(&reason, &access).await?;
                self.marked(Some(remote_id), later(RETRY_MS))
            }
            Err(_) => self.marked(Some(remote_id), later(RETRY_MS)),
        }
    }

    /// Notes that the network was told up to a message, or when to try again.
    fn marked(&self, told: Option<&String>, again_at: Option<i64>) -> Result<()> {
        let mut care = care::get(self.database.as_query())?;
        care.mark_at = again_at;
        if again_at.is_none() && care.marked.as_ref() != told {
            // More was read meanwhile.
            care.mark_at = Some(self.now().saturating_add(DEBOUNCE_MS));
        } else if again_at.is_none() {
            care.marked = None;
        }
        self.commit(false, |transaction| Ok(care::put(transaction, &care)?))?;
        self.mark_at.set(care.mark_at);
        Ok(())
    }

    /// The owner has read up to this message at the network.
    pub(super) async fn read_there(&self, remote_id: &str) -> Result<()> {
        let Some(place) = self.network.place(remote_id) else { return Ok(()) };
        let Some(message) = changes::newest_until(self.database.as_query(), &place)? else { return Ok(()) };
        let mut care = care::get(self.database.as_query())?;
        if care.read.as_ref().is_some_and(|read| *read >= message.place) {
            return Ok(());
        }
        // Before the receipt, which comes back.
        care.read = Some(message.place);
        self.commit(false, |transaction| Ok(care::put(transaction, &care)?))?;
        self.mark_read_here(&message.event_id).await
    }

    async fn mark_read_here(&self, event_id: &str) -> Result<()> {
        match self.matrix.owner(&self.owner()?).mark_read(&self.room_id()?, event_id).await {
            // The owner left the room.
            Err(error) if error.status == 403 || error.status == 404 => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Who writes at the network has read what stands before it.
    pub(super) async fn read_by_writing(&self, message: &RemoteMessage, shown: &[Effect]) -> Result<Option<Effect>> {
        let place = &message.place.place;
        let care = care::get(self.database.as_query())?;
        if message.thread_root.is_some() || care.read.as_ref().is_some_and(|read| read >= place) {
            return Ok(None);
        }
        let last = shown.iter().rev().find_map(|effect| match effect {
            Effect::Shown(part) => Some(part.event_id.as_str()),
            _ => None,
        });
        let Some(event_id) = last else { return Ok(None) };
        self.mark_read_here(event_id).await?;
        Ok(Some(Effect::Read(place.clone())))
    }
}
