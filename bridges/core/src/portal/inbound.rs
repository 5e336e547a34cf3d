//! From the network to the room: always the smallest remote timestamp among what is queued, and
//! never a wait for one that is missing.
//!
//! A message is in the room before the lane gives it up; its transaction id is made of its remote
//! id and generation, so that a second try after a crash finds the first.

use hubbub_core::error::Result;
use hubbub_storage::portal::{self as store, MappedMessage, Place};
use serde_json::{json, value::RawValue};

use super::PortalObject;
use crate::{
    failpoints,
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
    /// Runs the lane until it is empty or has to wait.
    pub(super) async fn run_inbound(&self) {
        let Some(_guard) = self.inbound_lane.enter(self.now()) else { return };
        while !self.inbound.borrow().is_empty() && self.is_active() {
            let mut batch = Batch { portal: self, current: None, done: Vec::new() };
            let outcome = self.apply_batch(&mut batch).await;
            let written = batch.commit();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_INBOUND).await;
            match outcome.and_then(|next| written.map(|()| next)) {
                Ok(None) => self.inbound_lane.succeed(),
                Ok(Some(at)) => {
                    self.inbound_lane.wait_until(at);
                    return;
                }
                Err(error) => {
                    tracing::warn!(portal.id = %self.portal_id, "A remote message waits: {error}");
                    self.inbound_lane.fail(self.now());
                    return;
                }
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
