//! From the network to the room: always the smallest remote timestamp among what is queued, and
//! never a wait for one that is missing.
//!
//! A message is in the room before the lane gives it up; its transaction id is made of its remote
//! id and generation, so that a second try after a crash finds the first.

use hubbub_appservice::intent::{Intent, error::IntentError};
use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::portal::{self as store, MappedMessage, Place};
use serde_json::{Value as Json, json, value::RawValue};

use super::PortalObject;
use crate::{
    failpoints,
    matrix::{DOUBLE_PUPPET_KEY, is_final},
    network::{Network, RemoteEvent, RemoteMessage},
};

/// Messages that are in the room before one transaction takes them out of the lane.
const BATCH: usize = 20;

/// When to look again for the outcome of our own call, whose echo this may be.
const ECHO_WAIT_MS: i64 = 500;

/// What became of the smallest message of the lane.
enum Applied {
    /// It is in the room, or needs not be.
    Done(Vec<MappedMessage>),
    /// It may be the echo of a call whose outcome is not known yet.
    NotYet,
}

impl<N: Network> PortalObject<N> {
    /// Runs the lane until it is empty; returns when to go on.
    pub(super) async fn run_inbound(&self) -> Option<i64> {
        if self.inbound.borrow().is_empty() {
            return None;
        }
        let _guard = match self.inbound_lane.enter(self.now()) {
            Ok(guard) => guard,
            Err(at) => return Some(at),
        };
        loop {
            let mut batch = Batch { portal: self, current: None, done: Vec::new() };
            let outcome = self.apply_batch(&mut batch).await;
            let written = batch.commit();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_INBOUND).await;
            match outcome.and_then(|next| written.map(|()| next)) {
                Ok(Some(at)) => return Some(self.inbound_lane.wait_until(at)),
                Ok(None) => self.inbound_lane.succeed(),
                Err(error) => {
                    tracing::warn!(portal.id = %self.portal_id, "A remote message waits: {error}");
                    return Some(self.inbound_lane.fail(self.now()));
                }
            }
            if self.inbound.borrow().is_empty() || self.row().is_ok_and(|row| row.closed) {
                return None;
            }
        }
    }

    async fn apply_batch(&self, batch: &mut Batch<'_, N>) -> Result<Option<i64>> {
        while batch.done.len() < BATCH {
            self.context.failpoints.pass(failpoints::PORTAL_BEFORE_APPLY).await;
            let Some(place) = self.inbound.borrow_mut().pop_first() else {
                return Ok(None);
            };
            batch.current = Some(place.clone());
            match self.apply(&place).await? {
                Applied::Done(messages) => batch.done.push((place, messages)),
                Applied::NotYet => return Ok(Some(self.now().saturating_add(ECHO_WAIT_MS))),
            }
            batch.current = None;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_APPLY).await;
        }
        Ok(None)
    }

    async fn apply(&self, place: &Place) -> Result<Applied> {
        let query = self.database.as_query();
        let Some(body) = store::inbound_body(query, place)? else {
            return Ok(Applied::Done(Vec::new()));
        };
        let raw = RawValue::from_string(body)?;
        let RemoteEvent::Message(message) = self.network.read_event(&raw) else {
            return Ok(Applied::Done(Vec::new()));
        };
        let own = self.is_own(&message).await?;
        if own && message.by_program && self.outcome_is_open() {
            // Our own post may come back before its answer, and without our mark.
            let _call = self.locks.lock("call").await;
            if self.is_in_doubt() {
                return Ok(Applied::NotYet);
            }
        }
        if place.generation == 0 && store::find_event(query, &place.place)?.is_some() {
            return Ok(Applied::Done(Vec::new()));
        }
        self.show(&message, &raw, own).await.map(Applied::Done)
    }

    /// Whether the owner wrote it at the network.
    async fn is_own(&self, message: &RemoteMessage) -> Result<bool> {
        let ghosts = self.ghosts_of(vec![message.sender.clone()]).await?;
        let owner = self.owner()?;
        Ok(ghosts.first().is_some_and(|ghost| ghost.user_id == owner))
    }

    async fn show(&self, message: &RemoteMessage, raw: &RawValue, own: bool) -> Result<Vec<MappedMessage>> {
        let ghosts = self.ghosts_of(vec![message.sender.clone()]).await?;
        let ghost = ghosts.first().ok_or_else(|| MatrixError::internal("a message has no sender"))?;
        let sender = if own {
            self.matrix.owner(&ghost.user_id)
        } else {
            self.join_ghost(&ghost.user_id).await?;
            self.matrix.ghost(&ghost.user_id)
        };
        let names = self.names_for(raw).await?;
        let contents = self.network.to_matrix(raw, &names);
        let mut mapped = Vec::new();
        for (part, mut content) in (0_i64..).zip(contents) {
            if let (true, Some(content)) = (own, content.as_object_mut()) {
                content.insert(DOUBLE_PUPPET_KEY.to_owned(), N::ID.into());
            }
            let event_id = self.show_part(message, part, &sender, &content).await?;
            mapped.push(MappedMessage {
                place: message.place.place.clone(),
                part,
                remote_id: message.id.clone(),
                event_id,
            });
        }
        Ok(mapped)
    }

    async fn show_part(&self, message: &RemoteMessage, part: i64, sender: &Intent, content: &Json) -> Result<String> {
        let transaction = transaction_id::<N>(message, part);
        let room = self.room_id()?;
        let sent_at = Some(message.sent_at);
        let send = |content: Json| {
            let (room, transaction) = (&room, &transaction);
            async move { sender.send(room, "m.room.message", transaction, &content, sent_at).await }
        };
        let mut sent = send(content.clone()).await;
        if matches!(&sent, Err(error) if error.status == 403) {
            // Somebody removed the ghost (or the owner left): the message has to be seen.
            self.matrix.join(sender, &room).await?;
            sent = send(content.clone()).await;
        }
        match sent {
            Err(error) if is_final(&error) && error.status != 403 => {
                let content = unshowable::<N>(&error, content);
                Ok(send(content).await?.to_string())
            }
            sent => Ok(sent?.to_string()),
        }
    }
}

/// The transaction id under which a remote message comes into the room.
fn transaction_id<N: Network>(message: &RemoteMessage, part: i64) -> String {
    let base = format!("{}-{}-{}", N::ID, message.id, message.place.generation);
    if part == 0 { base } else { format!("{base}-{part}") }
}

/// What is shown instead of a content that the room refuses, so that it stops nothing after it.
fn unshowable<N: Network>(error: &IntentError, content: &Json) -> Json {
    let text = content.get("body").and_then(Json::as_str).unwrap_or_default();
    let start: String = text.chars().take(1_000).collect();
    let mut notice = json!({
        "msgtype": "m.notice",
        "body": format!("This {} message cannot be shown whole ({}): {start}", N::TITLE, error.errcode),
        "m.mentions": {},
    });
    let puppet = content.get(DOUBLE_PUPPET_KEY).cloned();
    if let (Some(puppet), Some(notice)) = (puppet, notice.as_object_mut()) {
        notice.insert(DOUBLE_PUPPET_KEY.to_owned(), puppet);
    }
    notice
}

/// Messages that are in the room and still in the lane. Dropped without a commit, their places go
/// back: the next run finds them in the room by their transaction ids.
struct Batch<'a, N: Network> {
    portal: &'a PortalObject<N>,
    /// The one that is on its way.
    current: Option<Place>,
    done: Vec<(Place, Vec<MappedMessage>)>,
}

impl<N: Network> Batch<'_, N> {
    /// Takes the messages out of the lane and writes the map, for all of them at once.
    fn commit(mut self) -> Result<()> {
        if self.done.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = self
            .done
            .iter()
            .flat_map(|(_, messages)| messages)
            .map(|message| json!([message.remote_id, message.part, message.event_id]))
            .collect();
        let mirror = serde_json::to_string(&rows)?;
        self.portal.commit(false, |transaction| {
            for (place, messages) in &self.done {
                store::delete_inbound(transaction, place)?;
                for message in messages {
                    store::put_message(transaction, message)?;
                }
            }
            if !rows.is_empty() {
                store::insert_mirror(transaction, &mirror)?;
            }
            Ok(())
        })?;
        self.done.clear();
        if !rows.is_empty() {
            self.portal.has_mirror.set(true);
        }
        Ok(())
    }
}

impl<N: Network> Drop for Batch<'_, N> {
    fn drop(&mut self) {
        let done = self.done.drain(..).map(|(place, _)| place);
        for place in self.current.take().into_iter().chain(done) {
            self.portal.put_back(place);
        }
    }
}
