//! From the network to the room: always the smallest remote timestamp among what is queued, and
//! never a wait for one that is missing.
//!
//! A message is in the room before the lane gives it up; its transaction id is made of its remote
//! id and generation, so that a second try after a crash finds the first. What changes a message is in `change`,
//! reactions are in `react`; what is about a message that is not known is `parked`.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::portal::{
    self as store, MappedMessage, Place, care,
    changes::{self, ReactionRow},
    files,
};
use serde_json::json;

use super::{PortalObject, files::Files, queued::Queued};
use crate::{
    contract::RemotePerson,
    failpoints,
    network::{RemoteEvent, RemoteMessage},
};

/// Messages that are in the room before one transaction takes them out of the lane.
const BATCH: usize = 20;

/// When to look again for the outcome of our own call, whose echo this may be.
const ECHO_WAIT_MS: i64 = 500;

/// What became of the smallest event of the lane.
pub(super) enum Applied {
    /// It is in the room, or needs not be; this is to be written down.
    Done(Vec<Effect>),
    /// It may be the echo of a call whose outcome is not known yet.
    NotYet,
    /// Its files are waited for until then.
    Until(i64),
    /// The message at this place, which it is about, is not known.
    Unknown(String),
}

/// What is written down of an event that is in the room.
pub(super) enum Effect {
    /// An event shows a part of a message.
    Shown(MappedMessage),
    /// An event is the newest of a thread, whose root is at this place.
    Replied { root: String, place: String, event_id: String },
    /// A message was edited and has so many parts now.
    Edited { place: String, edited: i64, parts: i64 },
    /// A message is gone.
    Deleted(String),
    /// A part of a message that stays is gone.
    PartGone { place: String, part: i64 },
    /// A reaction came or went.
    Reacted(ReactionRow),
    /// A ghost left the room.
    Left(String),
    /// The owner has read up to this place.
    Read(String),
    /// A file of a message is in the room.
    FileShown { place: String, part: i64 },
    /// A note in the room keeps the place of a file.
    FileNoted { place: String, part: i64, event_id: String },
}

/// What an attempt to apply a batch comes to.
enum Outcome {
    /// The lane is empty, or the batch is to be written down.
    Commit,
    /// Go on then.
    At(i64),
}

impl PortalObject {
    /// Runs the lane until it is empty or has to wait.
    pub(super) async fn run_inbound(&self) {
        let Some(_guard) = self.inbound_lane.enter(self.now()) else { return };
        self.wake_parked(|_, until| until <= self.now());
        while !self.inbound.borrow().is_empty() && self.is_active() {
            let mut batch = Batch { portal: self, current: None, done: Vec::new() };
            let outcome = self.apply_batch(&mut batch).await;
            let written = batch.commit();
            self.tell_first_history().await;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_INBOUND).await;
            match outcome.and_then(|next| written.map(|()| next)) {
                Ok(Outcome::Commit) => self.inbound_lane.succeed(),
                Ok(Outcome::At(at)) => {
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

    async fn apply_batch(&self, batch: &mut Batch<'_>) -> Result<Outcome> {
        while batch.done.len() < BATCH {
            self.context.failpoints.pass(failpoints::PORTAL_BEFORE_APPLY).await;
            let Some(place) = self.inbound.borrow_mut().pop_first() else {
                return Ok(Outcome::Commit);
            };
            batch.current = Some(place.clone());
            let body = store::inbound_body(self.database.as_query(), &place)?;
            let queued = body.map(|body| Queued::read(self.network.as_ref(), &place, body)).transpose()?;
            let plain = queued.as_ref().is_none_or(Queued::is_plain);
            if !plain && !batch.done.is_empty() {
                // It may be about what is in the room and not written down.
                return Ok(Outcome::Commit);
            }
            let applied = match queued {
                Some(queued) => self.apply(&place, &queued).await?,
                None => Applied::Done(Vec::new()),
            };
            match applied {
                Applied::Done(effects) => batch.done.push((place, effects)),
                Applied::NotYet => return Ok(Outcome::At(self.now().saturating_add(ECHO_WAIT_MS))),
                Applied::Until(at) => return Ok(Outcome::At(at)),
                Applied::Unknown(target) => {
                    if self.park(&place, target)? {
                        batch.current = None;
                        continue;
                    }
                    batch.done.push((place, Vec::new()));
                }
            }
            batch.current = None;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_APPLY).await;
            if !plain {
                return Ok(Outcome::Commit);
            }
        }
        Ok(Outcome::Commit)
    }

    async fn apply(&self, place: &Place, queued: &Queued) -> Result<Applied> {
        match &queued.event {
            RemoteEvent::Message(message) => self.apply_message(place, message, queued).await,
            RemoteEvent::Edit(edit) => self.apply_edit(edit, &queued.raw).await,
            RemoteEvent::Refresh(refresh) => self.apply_refresh(refresh, &queued.raw).await,
            RemoteEvent::Delete(deletion) => self.apply_deletion(deletion).await,
            RemoteEvent::ReactionAdd(reaction) => self.apply_reaction(reaction).await,
            RemoteEvent::ReactionRemove(removal) => self.apply_unreaction(removal).await,
            RemoteEvent::Leave(leave) => self.apply_leave(&leave.person).await,
            RemoteEvent::Ignored(_) | RemoteEvent::Malformed => Ok(Applied::Done(Vec::new())),
        }
    }

    async fn apply_message(&self, place: &Place, message: &RemoteMessage, queued: &Queued) -> Result<Applied> {
        let own = self.is_own(&message.sender).await?;
        let by_us = own || self.facts().speaks_by_name;
        if by_us && message.by_program && self.may_be_echo().await {
            return Ok(Applied::NotYet);
        }
        let shown = changes::list_parts(self.database.as_query(), &message.place.place)?;
        if place.generation == 0
            && let Some(first) = shown.first()
        {
            if message.edited > first.edited {
                return self.show_edit(message, message.sent_at, &shown, &queued.raw).await.map(Applied::Done);
            }
            return Ok(Applied::Done(Vec::new()));
        }
        let ghosts = self.ghosts_of(vec![message.sender.clone()]).await?;
        let ghost = ghosts.first().ok_or_else(|| MatrixError::internal("a message has no sender"))?;
        let files = match self.files_of(message, &queued.raw, ghost).await? {
            Files::Ready(files) => files,
            Files::Until(at) => return Ok(Applied::Until(at)),
        };
        let mut effects = self.show(message, &queued.raw, ghost, &files).await?;
        if own {
            effects.extend(self.read_by_writing(message, &effects).await?);
        }
        if message.leaves && !own {
            effects.extend(self.leave(&message.sender).await?);
        }
        if message.changes_channel {
            self.refresh_if_possible().await;
        }
        Ok(Applied::Done(effects))
    }

    async fn apply_leave(&self, person: &RemotePerson) -> Result<Applied> {
        if self.is_own(person).await? {
            self.refresh_if_possible().await;
            return Ok(Applied::Done(Vec::new()));
        }
        Ok(Applied::Done(self.leave(person).await?.into_iter().collect()))
    }

    /// Waits for a call that is under way, whose echo may come before its answer and without our mark; whether its
    /// outcome is unknown even then.
    pub(super) async fn may_be_echo(&self) -> bool {
        if !self.outcome_is_open() {
            return false;
        }
        let _call = self.locks.lock("call").await;
        self.is_in_doubt()
    }

    /// Whether the owner did it at the network.
    pub(super) async fn is_own(&self, person: &RemotePerson) -> Result<bool> {
        let ghosts = self.ghosts_of(vec![person.clone()]).await?;
        let owner = self.owner()?;
        Ok(ghosts.first().is_some_and(|ghost| ghost.user_id == owner))
    }
}

/// Events that are in the room and still in the lane. Dropped without a commit, their places go
/// back: the next run finds them in the room by their transaction ids.
struct Batch<'a> {
    portal: &'a PortalObject,
    /// The one that is on its way.
    current: Option<Place>,
    done: Vec<(Place, Vec<Effect>)>,
}

impl Batch<'_> {
    /// Takes the events out of the lane and writes the map, for all of them at once.
    fn commit(mut self) -> Result<()> {
        if self.done.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = self
            .done
            .iter()
            .flat_map(|(_, effects)| effects)
            .filter_map(|effect| match effect {
                Effect::Shown(message) => Some(json!([message.remote_id, message.part, message.event_id])),
                _ => None,
            })
            .collect();
        let mirror = serde_json::to_string(&rows)?;
        self.portal.commit(false, |transaction| {
            for (place, effects) in &self.done {
                store::delete_inbound(transaction, place)?;
                for effect in effects {
                    effect.write(transaction)?;
                    if let Effect::FileNoted { place, part, event_id } = effect
                        && let Some(row) = self.portal.incoming.noted(place, *part, event_id)
                    {
                        files::put(transaction, &row)?;
                    }
                }
            }
            if !rows.is_empty() {
                store::insert_mirror(transaction, &mirror)?;
            }
            Ok(())
        })?;
        if !rows.is_empty() {
            self.portal.has_mirror.set(true);
        }
        for (place, effects) in self.done.drain(..) {
            self.portal.unpark(&place, &effects);
            effects.iter().for_each(|effect| self.portal.incoming.apply(effect));
        }
        Ok(())
    }
}

impl Effect {
    fn write(&self, transaction: &dyn hubbub_storage::database::Transaction) -> Result<()> {
        match self {
            Self::Shown(message) => store::put_message(transaction, message)?,
            Self::Replied { root, place, event_id } => changes::put_reply(transaction, root, place, event_id)?,
            Self::Edited { place, edited, parts } => {
                changes::drop_parts(transaction, place, *parts)?;
                changes::mark_edited(transaction, place, *edited)?;
            }
            Self::Deleted(place) => changes::mark_edited(transaction, place, changes::DELETED)?,
            Self::PartGone { place, part } => changes::drop_part(transaction, place, *part)?,
            Self::Reacted(reaction) => changes::put_reaction(transaction, reaction)?,
            Self::FileShown { place, part } => files::delete(transaction, place, *part)?,
            // Written by the batch, which knows how far the file is.
            Self::FileNoted { .. } => {}
            Self::Left(user) => store::delete_joined(transaction, user)?,
            Self::Read(place) => {
                let mut care = care::get(transaction.as_query())?;
                care.read = Some(place.clone());
                care::put(transaction, &care)?;
            }
        }
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let done = self.done.drain(..).map(|(place, _)| place);
        for place in self.current.take().into_iter().chain(done) {
            self.portal.put_back(place);
        }
    }
}
