//! From the room to the network: in order, one call in flight, never the same post twice.
//!
//! Before a call it is written down that one may be made (for the next few events at once). A call
//! without an answer puts its event in doubt, and what is in doubt is looked up
//! (`reconcile`) before anything is sent again. Waiting, for a rate or for the
//! network, is an alarm. What an event becomes is decided in `plan`; what changes a post that is there is in `alter`.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashSet},
    rc::Rc,
};

use hubbub_core::{error::Result, media::public_avatar};
use hubbub_storage::{
    directory::accounts,
    portal::{self as store, MappedMessage, OutboundRow, changes},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{PortalObject, alter::Call, plan::Plan, upload::Sending};
use crate::{
    contract::Access,
    failpoints,
    network::{Post, RemoteError, TransactionMark},
    pace::Rate,
};

/// Events for which one row says that a call may be made.
const ATTEMPTS_NOTED: usize = 10;

/// How long the login's answer about token and pace holds.
const ACCESS_MS: i64 = 60_000;

/// What is known of calls in this life of the object.
#[derive(Default)]
pub(super) struct Outbound {
    in_flight: Cell<bool>,
    doubt_through: Cell<i64>,
    settled_at: Cell<i64>,
    done_through: Cell<i64>,
    paused: Cell<bool>,
    /// How often the lane was told to go on: an answer of the login from before that is stale.
    resumed: Cell<u32>,
    pub(super) access: RefCell<Option<(i64, Access)>>,
    /// What the head of the lane changes.
    changing: RefCell<Option<Changing>>,
    /// How often something was tried for the head of the lane.
    tries: Cell<(i64, u32)>,
    /// Events that the double puppet took back, since they are gone at the network.
    taken_back: RefCell<HashSet<String>>,
}

struct Changing {
    seq: i64,
    calls: Rc<[Call]>,
    answered: usize,
}

/// More events than this are forgotten together: their redactions would have come back.
const MOST_TAKEN_BACK: usize = 1_000;

/// How long after an attempt the network's history is asked about it.
pub(super) const SETTLE_MS: i64 = 1_000;

impl Outbound {
    /// Counts a try for this place, and returns how many there were.
    pub(super) fn tried(&self, seq: i64) -> u32 {
        let (place, tries) = self.tries.get();
        let tries = if place == seq { tries.saturating_add(1) } else { 1 };
        self.tries.set((seq, tries));
        tries
    }

    /// How many tries were counted for this place.
    pub(super) fn tries(&self, seq: i64) -> u32 {
        let (place, tries) = self.tries.get();
        if place == seq { tries } else { 0 }
    }

    /// The outcomes of calls up to this place are unknown.
    pub(super) fn doubt_through(&self, seq: i64, now: i64) {
        self.doubt_through.set(seq);
        self.settled_at.set(now.saturating_add(SETTLE_MS));
    }

    /// Whether the outcome of a call for this place is unknown.
    pub(super) fn doubts(&self, seq: i64) -> bool {
        seq <= self.doubt_through.get()
    }

    /// When the network's history has the last word.
    pub(super) fn settled_at(&self) -> i64 {
        self.settled_at.get()
    }

    /// All outcomes are known.
    pub(super) fn resolve(&self) {
        self.doubt_through.set(0);
    }

    /// Whether the lane waits for the login to be connected.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Lets the lane go on: the login may be connected.
    pub(super) fn resume(&self) {
        self.paused.set(false);
        self.resumed.set(self.resumed.get().wrapping_add(1));
    }

    /// Everything up to this place is done.
    pub(super) fn done_through(&self, seq: i64) {
        self.done_through.set(self.done_through.get().max(seq));
    }

    /// Up to which place everything is done.
    pub(super) fn done(&self) -> i64 {
        self.done_through.get()
    }

    pub(super) fn forget_access(&self) {
        self.access.borrow_mut().take();
    }

    /// The double puppet takes an event back: its redaction is none of a human's.
    pub(super) fn took_back(&self, event_id: &str) {
        let mut taken_back = self.taken_back.borrow_mut();
        if taken_back.len() >= MOST_TAKEN_BACK {
            taken_back.clear();
        }
        taken_back.insert(event_id.to_owned());
    }

    /// Whether the double puppet took the event back.
    pub(super) fn was_taken_back(&self, event_id: &str) -> bool {
        self.taken_back.borrow().contains(event_id)
    }

    /// The head of the lane makes these calls.
    pub(super) fn begin_change(&self, seq: i64, calls: Vec<Call>) {
        *self.changing.borrow_mut() = Some(Changing { seq, calls: calls.into(), answered: 0 });
    }

    /// The calls of this place, if they were begun, and how many of them were answered.
    pub(super) fn change_of(&self, seq: i64) -> Option<(Rc<[Call]>, usize)> {
        let changing = self.changing.borrow();
        let changing = changing.as_ref().filter(|changing| changing.seq == seq)?;
        Some((Rc::clone(&changing.calls), changing.answered))
    }

    /// One more call of the head was answered.
    pub(super) fn one_answered(&self) {
        if let Some(changing) = self.changing.borrow_mut().as_mut() {
            changing.answered = changing.answered.saturating_add(1);
        }
    }

    /// The head changes nothing any more.
    pub(super) fn end_change(&self) {
        self.changing.borrow_mut().take();
    }

    pub(super) fn is_changing(&self, remote_id: &str) -> bool {
        let changing = self.changing.borrow();
        changing.iter().flat_map(|changing| changing.calls.iter()).any(|call| call.remote_id() == remote_id)
    }

    pub(super) fn in_flight(&self) -> CallGuard<'_> {
        self.in_flight.set(true);
        CallGuard(&self.in_flight)
    }
}

/// A call is under way until this is dropped.
pub(super) struct CallGuard<'a>(&'a Cell<bool>);

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Which parts of an event the network has, or why it gets none: the `outcome` of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    parts: BTreeMap<u32, String>,
    refusal: Option<String>,
}

impl Progress {
    /// Reads a row's outcome.
    pub(super) fn read(outcome: Option<&str>) -> Self {
        match outcome {
            Some(outcome) => match outcome.strip_prefix('!') {
                Some(code) => Self { refusal: Some(code.to_owned()), ..Self::default() },
                None => Self { parts: serde_json::from_str(outcome).unwrap_or_default(), refusal: None },
            },
            None => Self::default(),
        }
    }

    /// The row's outcome.
    pub(super) fn write(&self) -> Result<String> {
        match &self.refusal {
            Some(code) => Ok(format!("!{code}")),
            None => Ok(serde_json::to_string(&self.parts)?),
        }
    }

    /// Notes a part; false when it was known.
    pub(super) fn insert(&mut self, part: u32, remote_id: &str) -> bool {
        self.parts.insert(part, remote_id.to_owned()).is_none()
    }

    /// The parts that the network has.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&u32, &String)> {
        self.parts.iter()
    }
}

/// A Matrix event, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct Outgoing {
    /// Its id.
    pub(super) event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(super) event_type: String,
    /// Who sent it.
    pub(super) sender: String,
    /// Its content.
    pub(super) content: Json,
    /// What it redacts, in rooms where that stands outside of the content.
    #[serde(default)]
    pub(super) redacts: Option<String>,
}

/// What comes after a look at the head of the lane.
pub(super) enum Next {
    /// The head is done.
    Done,
    /// Look at the head again.
    Again,
    /// Go on then.
    At(i64),
    /// Go on after a pause that grows.
    Failed,
    /// Go on when the login is connected again.
    Paused,
}

impl PortalObject {
    /// Whether a call is in flight, or one's outcome is unknown.
    pub(super) fn outcome_is_open(&self) -> bool {
        self.sending.in_flight.get() || self.is_in_doubt()
    }

    /// Whether the outcome of a call for the head of the lane is unknown.
    pub(super) fn is_in_doubt(&self) -> bool {
        let head = self.outbound.borrow().front().copied();
        head.is_some_and(|seq| self.sending.doubts(seq))
    }

    /// Gives up what waits: the portal was closed.
    pub(super) fn drop_outbound(&self) -> Result<()> {
        let waiting = self.outbound.take();
        self.commit(false, |transaction| {
            for seq in &waiting {
                store::finish_outbound(transaction, *seq, "!unbridged")?;
            }
            Ok(())
        })?;
        if let Some(last) = waiting.back() {
            self.sending.done_through(*last);
        }
        Ok(())
    }

    /// Runs the lane until it is empty or has to wait.
    pub(super) async fn run_outbound(&self) {
        let Some(_guard) = self.outbound_lane.enter(self.now()) else { return };
        while self.is_active() {
            let head = self.outbound.borrow().front().copied();
            let Some(seq) = head else { return };
            let resumed = self.sending.resumed.get();
            match self.send_head(seq).await {
                Ok(Next::Done) => {
                    let mut waiting = self.outbound.borrow_mut();
                    if waiting.front() == Some(&seq) {
                        waiting.pop_front();
                    }
                    drop(waiting);
                    self.sending.done_through(seq);
                    self.outbound_lane.succeed();
                }
                Ok(Next::Again) => self.outbound_lane.succeed(),
                Ok(Next::At(at)) => {
                    self.outbound_lane.wait_until(at);
                    return;
                }
                Ok(Next::Failed) => {
                    self.outbound_lane.fail(self.now());
                    return;
                }
                Ok(Next::Paused) => {
                    if self.sending.resumed.get() == resumed {
                        self.sending.paused.set(true);
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(portal.id = %self.portal_id, "A Matrix message waits: {error}");
                    self.outbound_lane.fail(self.now());
                    return;
                }
            }
        }
    }

    async fn send_head(&self, seq: i64) -> Result<Next> {
        let row = store::get_outbound(self.database.as_query(), seq)?;
        let Some(row) = row else {
            return Ok(Next::Done);
        };
        let Some(body) = &row.body else {
            return Ok(Next::Done);
        };
        let progress = Progress::read(row.outcome.as_deref());
        if let Some(code) = progress.refusal {
            return self.show_refusal(&row, &code).await;
        }
        let Ok(event) = serde_json::from_str::<Outgoing>(body) else {
            return self.finish(&row, &progress);
        };
        let access = self.current_access().await?;
        if self.sending.change_of(seq).is_some() {
            return self.alter(&row, &access).await;
        }
        let (posts, file, reply_to, thread_root) = match self.plan(seq, &event, &access).await? {
            Plan::Posts { posts, file, reply_to, thread_root } => (posts, file, reply_to, thread_root),
            Plan::Change(calls) => {
                self.sending.begin_change(seq, calls);
                return self.alter(&row, &access).await;
            }
            Plan::Nothing => return self.finish(&row, &progress),
            Plan::Explain(kind, text) => {
                match kind {
                    Some(kind) => self.say_once(kind, &text, &event.event_id).await?,
                    None => {
                        let transaction = format!("why-{}", event.event_id);
                        self.say(&transaction, &text, Some(&event.event_id)).await?;
                    }
                }
                return self.finish(&row, &progress);
            }
        };
        let missing = (0_u32..).zip(posts).find(|(part, _)| !progress.parts.contains_key(part));
        let Some((part, content)) = missing else {
            return self.finish(&row, &progress);
        };
        let Some(token) = &access.token else {
            return Ok(Next::Paused);
        };
        let mark = TransactionMark { event_id: row.event_id.clone(), part };
        let speaker = access.owner_name.clone();
        let picture = access.owner_picture.clone();
        let mut post = Post { content, transaction: mark, reply_to, thread_root, speaker, picture };
        if let Some(file) = file.filter(|_| part == 0) {
            match self.send_file(&row, &file, &post, token, &access).await? {
                Sending::Next(next) => return Ok(next),
                Sending::AsPost(content) => post.content = content,
            }
        }
        if self.sending.doubts(seq) {
            return self.reconcile(&row).await;
        }
        let rate = Rate::per_second(i64::from(access.pace));
        if let Err(at) = self.buckets.take("send", rate, self.now()) {
            return Ok(Next::At(at));
        }
        self.note_attempt(seq)?;
        self.call(&row, &token.0, post, &access).await
    }

    /// Token and pace, asked of the login once a minute.
    pub(super) async fn current_access(&self) -> Result<Access> {
        let known = self.sending.access.borrow().clone();
        if let Some((at, access)) = known
            && at > self.now().saturating_sub(ACCESS_MS)
            && access.token.is_some()
        {
            return Ok(access);
        }
        let mut access = self.access(None).await?;
        if self.facts().speaks_by_name {
            let account = accounts::get(self.context.directory.as_ref(), access.owner.as_str()).await?;
            let picture = account.as_ref().and_then(|account| account.avatar_url.clone());
            access.owner_picture = picture.and_then(|picture| self.public_picture(&picture));
            let name = account.and_then(|account| account.displayname);
            access.owner_name = name.unwrap_or_else(|| access.owner.localpart().to_owned());
        }
        *self.sending.access.borrow_mut() = Some((self.now(), access.clone()));
        Ok(access)
    }

    /// Where the network can fetch a picture of this server's.
    fn public_picture(&self, uri: &str) -> Option<String> {
        let config = &self.context.config;
        let (server, media_id) = uri.strip_prefix("mxc://")?.split_once('/')?;
        let path = public_avatar::path(&config.secrets, media_id);
        (server == config.server_name.as_str()).then(|| format!("{}{path}", config.public_url))
    }

    /// Writes down that a call for this place may be made; one row serves a few places.
    pub(super) fn note_attempt(&self, seq: i64) -> Result<()> {
        if seq <= self.row()?.attempt_through {
            return Ok(());
        }
        let through = {
            let queue = self.outbound.borrow();
            queue.iter().take(ATTEMPTS_NOTED).next_back().copied()
        };
        let now = self.now();
        self.write(|row| {
            row.attempt_through = through.unwrap_or(seq).max(seq);
            row.attempt_since = now;
            row.sent_through = seq.saturating_sub(1);
        })
    }

    async fn call(&self, row: &OutboundRow, token: &str, post: Post, access: &Access) -> Result<Next> {
        let outcome = {
            let _turn = self.locks.lock("call").await;
            let _call = self.sending.in_flight();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_ATTEMPT).await;
            let channel = self.row()?.channel;
            let outcome = self.network.send(token, &channel, &post).await;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_SEND).await;
            match outcome {
                Ok(remote_id) => Ok(self.note_part(row.seq, &post, &remote_id)?),
                Err(error) => {
                    if matches!(error, RemoteError::Unknown(_)) {
                        self.sending.doubt_through(row.seq, self.now());
                    }
                    Err(error)
                }
            }
        };
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_OUTBOUND).await;
        match outcome {
            Ok(()) => Ok(Next::Again),
            Err(error) => self.not_sent(row, error, access).await,
        }
    }

    /// Writes down that the network has a part. Its echo may have said so already.
    pub(super) fn note_part(&self, seq: i64, post: &Post, remote_id: &str) -> Result<()> {
        let mark = &post.transaction;
        let row = store::get_outbound(self.database.as_query(), seq)?;
        let Some(row) = row else { return Ok(()) };
        let mut progress = Progress::read(row.outcome.as_deref());
        if !progress.insert(mark.part, remote_id) {
            return Ok(());
        }
        let sender = Some(self.row()?.owner);
        let message = self.network.place(remote_id).map(|place| MappedMessage {
            place,
            part: 0,
            remote_id: remote_id.to_owned(),
            event_id: mark.event_id.clone(),
            sender,
            edited: 0,
            thread_root: post.thread_root.clone(),
        });
        let root = post.thread_root.as_ref().and_then(|root| self.network.place(root));
        let outcome = progress.write()?;
        let whole = self.is_whole(&row, &progress);
        self.commit(false, |transaction| {
            match whole {
                true => store::finish_outbound(transaction, seq, &outcome)?,
                false => store::note_outbound(transaction, seq, &outcome)?,
            }
            if let Some(message) = &message {
                store::put_message(transaction, message)?;
            }
            if let (Some(message), Some(root)) = (&message, &root) {
                changes::put_reply(transaction, root, &message.place, &message.event_id)?;
            }
            Ok(())
        })
    }

    /// Whether the network has all parts of a row, so that one write can end it.
    fn is_whole(&self, row: &OutboundRow, progress: &Progress) -> bool {
        let known = self.sending.access.borrow();
        let Some(((_, access), body)) = known.as_ref().zip(row.body.as_ref()) else {
            return false;
        };
        let Ok(event) = serde_json::from_str::<Outgoing>(body) else {
            return false;
        };
        self.parts_of(&event, access).is_ok_and(|parts| parts == progress.parts.len())
    }

    pub(super) async fn not_sent(&self, row: &OutboundRow, error: RemoteError, access: &Access) -> Result<Next> {
        let now = self.now();
        match error {
            RemoteError::RateLimited(wait) => {
                let until = now.saturating_add(wait.max(1));
                self.buckets.block("send", until, now);
                Ok(Next::At(until))
            }
            RemoteError::NotDone(cause) => {
                tracing::info!(portal.id = %self.portal_id, "A post was not sent: {cause}");
                Ok(Next::Failed)
            }
            RemoteError::Unknown(cause) => {
                tracing::info!(portal.id = %self.portal_id, "A post is in doubt: {cause}");
                Ok(Next::At(self.sending.settled_at()))
            }
            RemoteError::BadCredentials(reason) => {
                self.token_refused(&reason, access).await?;
                Ok(Next::Paused)
            }
            RemoteError::Refused(code) => self.refuse(row, &code).await,
        }
    }

    /// Writes down why an event is not sent; the room is told next.
    pub(super) async fn refuse(&self, row: &OutboundRow, code: &str) -> Result<Next> {
        self.commit(false, |transaction| Ok(store::note_outbound(transaction, row.seq, &format!("!{code}"))?))?;
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_REFUSAL).await;
        Ok(Next::Again)
    }

    async fn show_refusal(&self, row: &OutboundRow, code: &str) -> Result<Next> {
        let title = self.facts().title;
        let text = if code == super::reconcile::UNCERTAIN {
            format!(
                "It is not certain whether this message reached {title}: look there before you \
                 send it again."
            )
        } else {
            let what = what_it_was(row);
            format!("{title} did not take this {what}: {}", self.network.explain(code))
        };
        let transaction = format!("refused-{}", row.event_id);
        self.say(&transaction, &text, Some(&row.event_id)).await?;
        self.commit(false, |transaction| Ok(store::finish_outbound(transaction, row.seq, &format!("!{code}"))?))?;
        Ok(Next::Done)
    }

    pub(super) fn finish(&self, row: &OutboundRow, progress: &Progress) -> Result<Next> {
        let outcome = progress.write()?;
        self.commit(false, |transaction| Ok(store::finish_outbound(transaction, row.seq, &outcome)?))?;
        Ok(Next::Done)
    }
}

/// What a row is, in a sentence.
fn what_it_was(row: &OutboundRow) -> &'static str {
    let event = row.body.as_deref().and_then(|body| serde_json::from_str::<Outgoing>(body).ok());
    let Some(event) = event else { return "message" };
    match event.event_type.as_str() {
        "m.reaction" => "reaction",
        "m.room.redaction" => "deletion",
        _ if event.content.pointer("/m.relates_to/rel_type").is_some_and(|kind| kind == "m.replace") => "edit",
        _ => "message",
    }
}
