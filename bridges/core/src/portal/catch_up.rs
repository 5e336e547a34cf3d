//! What the network did not tell, read from its history: messages since the last time that it was read to the end (a
//! later one that was told hides nothing), and of the last [`LAST`] messages and their threads what changed, be it an edit, a deletion or a reaction.
//!
//! It runs beside the lanes and only queues what it finds. What happened while the history was on its way is left to
//! the next time.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::portal::{Place, care, changes, changes::DELETED};
use serde_json::value::RawValue;

use super::{PortalObject, queued::Found, take::Echo};
use crate::{
    contract::Tended,
    failpoints,
    network::{
        HistoryPage, HistoryRequest, RemoteDeletion, RemoteError, RemoteEvent, RemoteMessage, RemoteReaction,
        RemoteUnreaction,
    },
};

/// Messages that are read again each time.
const LAST: u32 = 50;

/// Threads that are read again each time.
const MOST_THREADS: usize = 10;

/// How long after its newest reply a thread is read again, in milliseconds.
const LIVE_MS: i64 = 86_400_000;

/// Messages of a page beyond the last ones.
const PAGE: u32 = 200;

/// Pages that are read at once; the rest is read the next time.
const MOST_PAGES: usize = 20;

/// Messages within a page of which it is looked whether they are still there.
const MOST_KNOWN: i64 = 1_000;

/// What changed so shortly before the history was asked may not be in it yet.
const FRESH_MS: i64 = 30_000;

/// A message that is as young as this may still be on its way here.
const UNTOLD_MS: i64 = 120_000;

/// A message of a history.
struct Read<'a> {
    message: RemoteMessage,
    raw: &'a RawValue,
}

/// Messages that follow each other.
struct Span<'a> {
    read: &'a [Read<'a>],
    /// The first message of the thread that they are in.
    thread: Option<&'a str>,
    /// Whether nothing follows them.
    newest: bool,
    /// When the network was asked for them.
    asked_at: i64,
}

/// Why a catch-up stops before its end; the next one goes on.
enum Stop {
    Later,
    Ours(MatrixError),
}

impl From<MatrixError> for Stop {
    fn from(error: MatrixError) -> Self {
        Self::Ours(error)
    }
}

impl PortalObject {
    /// Reads the channel again.
    pub(super) async fn catch_up(&self) -> Result<Tended> {
        let mut tended = Tended::default();
        if !self.is_active() {
            return Ok(tended);
        }
        let Some(_guard) = self.catching.enter(self.now()) else { return Ok(tended) };
        let outcome = self.read_again(&mut tended).await;
        self.end_catch_up(tended.found, outcome.is_ok()).await;
        match outcome {
            Ok(()) | Err(Stop::Later) => Ok(tended),
            Err(Stop::Ours(error)) => Err(error),
        }
    }

    async fn read_again(&self, tended: &mut Tended) -> Result<(), Stop> {
        let query = self.database.as_query();
        let care = care::get(query).map_err(MatrixError::from)?;
        let from = match care.caught_from.clone() {
            Some(from) => Some(from),
            None => changes::newest(query).map_err(MatrixError::from)?.map(|message| message.remote_id),
        };
        let asked_at = self.now();
        let first = self.last_page().await?;
        let read = self.read(&first);
        let oldest = read.iter().map(|read| &read.message.place).min();
        let place = from.as_deref().and_then(|from| self.network.place(from));
        let after = place.is_some_and(|place| oldest.is_none_or(|oldest| oldest.place > place));
        let gap = first.next.is_some() && after;
        self.take_read(&Span { read: &read, thread: None, newest: true, asked_at }, tended)?;
        self.take_gone(&first)?;
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_CATCH_UP).await;
        if let (true, Some(from)) = (gap, &from) {
            self.fill_gap(from, tended).await?;
        }
        let newest = read.iter().max_by_key(|read| &read.message.place).map(|read| read.message.id.clone());
        if newest.is_some() && newest != care.caught_from {
            let mut care = care::get(query).map_err(MatrixError::from)?;
            care.caught_from = newest;
            self.commit(false, |transaction| Ok(care::put(transaction, &care)?))?;
        }
        self.read_threads(&read, tended).await
    }

    /// The last messages; a page may be short or empty while there is a next one.
    async fn last_page(&self) -> Result<HistoryPage, Stop> {
        let wanted = usize::try_from(LAST).unwrap_or(usize::MAX);
        let mut last = self.page(None, None, None, LAST).await?;
        for _ in 1..MOST_PAGES {
            let Some(cursor) = last.next.as_deref().filter(|_| last.messages.len() < wanted) else { break };
            let page = self.page(None, None, Some(cursor), LAST).await?;
            last.messages.extend(page.messages);
            last.next = page.next;
        }
        Ok(last)
    }

    async fn fill_gap(&self, from: &str, tended: &mut Tended) -> Result<(), Stop> {
        self.tell_catch_up(from, tended.found).await;
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let asked_at = self.now();
            let page = self.page(None, Some(from), cursor.as_deref(), PAGE).await?;
            self.take_read(&Span { read: &self.read(&page), thread: None, newest: false, asked_at }, tended)?;
            self.tell_catch_up(from, tended.found).await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(Stop::Later)
    }

    /// Reads the threads again that the last messages begin, and in which something was said lately or unknown.
    async fn read_threads(&self, read: &[Read<'_>], tended: &mut Tended) -> Result<(), Stop> {
        let query = self.database.as_query();
        let live_since = self.network.place(&self.network.id_at(self.now().saturating_sub(LIVE_MS)));
        let mut threads = Vec::new();
        for root in read {
            let Some(newest) = self.network.newest_reply(root.raw).and_then(|id| self.network.place(&id)) else {
                continue;
            };
            let known = !changes::list_parts(query, &newest).map_err(MatrixError::from)?.is_empty();
            if !known || Some(&newest) > live_since.as_ref() {
                threads.push((newest, root.message.id.as_str()));
            }
        }
        threads.sort();
        for (_, root) in threads.into_iter().rev().take(MOST_THREADS) {
            let mut cursor = None;
            for _ in 0..MOST_PAGES {
                let asked_at = self.now();
                let page = self.page(Some(root), None, cursor.as_deref(), PAGE).await?;
                let mut replies = self.read(&page);
                replies.retain(|reply| reply.message.id != root);
                let newest = page.next.is_none();
                self.take_read(&Span { read: &replies, thread: Some(root), newest, asked_at }, tended)?;
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn page(
        &self,
        thread: Option<&str>,
        after: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<HistoryPage, Stop> {
        let method = if thread.is_some() { self.facts().thread_method } else { self.facts().history_method };
        let access = self.access(Some(method)).await?;
        let Some(token) = access.token.as_ref().filter(|_| access.wait_ms == 0) else {
            return Err(Stop::Later);
        };
        let channel = self.row()?.channel;
        let request = HistoryRequest { channel: &channel, thread, after, cursor, limit };
        match self.network.history(&token.0, &request).await {
            Ok(page) => Ok(page),
            Err(RemoteError::BadCredentials(reason)) => {
                self.token_refused(&reason, &access).await?;
                Err(Stop::Later)
            }
            Err(error) => {
                tracing::info!(portal.id = %self.portal_id, "A catch-up stopped: {}", error.sentence());
                Err(Stop::Later)
            }
        }
    }

    fn read<'a>(&self, page: &'a HistoryPage) -> Vec<Read<'a>> {
        let messages = page.messages.iter().filter_map(|raw| match self.network.read_event(raw) {
            RemoteEvent::Message(message) => Some(Read { message, raw }),
            _ => None,
        });
        messages.collect()
    }

    /// Queues the deletions of known messages that a page has in their place.
    fn take_gone(&self, page: &HistoryPage) -> Result<()> {
        let mut gone = Vec::new();
        for raw in &page.messages {
            let event = self.network.read_event(raw);
            let RemoteEvent::Delete(deletion) = &event else { continue };
            for id in &deletion.ids {
                if self.first_part(id)?.is_some_and(|part| part.edited < DELETED) {
                    gone.push((event.clone(), raw));
                }
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let mut places = Vec::new();
        self.commit(true, |transaction| {
            places.clear();
            for (event, raw) in &gone {
                if self.queue(transaction, event, raw.get(), Echo::No)? {
                    places.extend(event.place().cloned());
                }
            }
            Ok(())
        })?;
        self.inbound.borrow_mut().extend(places);
        Ok(())
    }

    /// Queues what a page says that is not known.
    fn take_read(&self, span: &Span<'_>, tended: &mut Tended) -> Result<()> {
        let changes = self.changes_in(span)?;
        let Span { read, asked_at, .. } = *span;
        let mut places = Vec::new();
        let mut echoed = false;
        let mut missed: Vec<i64> = Vec::new();
        self.commit(false, |transaction| {
            places.clear();
            missed.clear();
            for Read { message, raw } in read {
                let fresh = changes::list_parts(transaction.as_query(), &message.place.place)?.is_empty();
                let echo = self.take_echo(transaction, message)?;
                echoed |= echo == Echo::News;
                let event = RemoteEvent::Message(message.clone());
                if self.queue(transaction, &event, raw.get(), echo)? {
                    places.push(message.place.clone());
                    missed.extend(Some(message.sent_at).filter(|_| fresh));
                }
            }
            for (place, found) in &changes {
                if hubbub_storage::portal::insert_inbound(transaction, place, &found.body()?)? {
                    places.push(place.clone());
                }
            }
            if echoed || !places.is_empty() {
                self.alarm.arm(transaction, self.now())?;
            }
            Ok(())
        })?;
        self.inbound.borrow_mut().extend(places);
        if echoed {
            self.outbound_lane.hurry();
        }
        let told_by = asked_at.saturating_sub(UNTOLD_MS);
        missed.retain(|sent_at| *sent_at < told_by);
        tended.found = tended.found.saturating_add(u64::try_from(missed.len()).unwrap_or(0));
        tended.missed = tended.missed.max(missed.into_iter().max());
        Ok(())
    }

    /// What is different from what is known: messages that are gone, reactions that came or went.
    fn changes_in(&self, span: &Span<'_>) -> Result<Vec<(Place, Found)>> {
        let Span { read, thread, newest, asked_at } = *span;
        // Our own calls may be in the history or not.
        if !self.outbound.borrow().is_empty() {
            return Ok(Vec::new());
        }
        let now = self.network.place(&self.network.id_at(asked_at)).unwrap_or_default();
        let settled = self.network.place(&self.network.id_at(asked_at.saturating_sub(FRESH_MS))).unwrap_or_default();
        let place = |what: String| Place { place: format!("{now}~{what}"), generation: 0 };
        let mut found = Vec::new();
        let places: Vec<&str> = read.iter().map(|read| read.message.place.place.as_str()).collect();
        // Not what stands before the first of them: a network may hide what is old.
        if let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) {
            let until = if newest { settled.as_str().max(last) } else { last };
            let known = changes::list_between(self.database.as_query(), first, until, MOST_KNOWN)?;
            for message in known {
                let gone = message.part == 0
                    && message.edited < DELETED
                    && message.thread_root.as_deref() == thread
                    && message.place < settled
                    && !places.contains(&message.place.as_str());
                if gone {
                    let deletion = RemoteDeletion { place: Place::default(), ids: vec![message.remote_id.clone()] };
                    found.push((place(format!("d{}", message.remote_id)), Found::Delete(deletion)));
                }
            }
        }
        for Read { message, raw } in read {
            self.reactions_between(message, raw, &settled, asked_at, &place, &mut found)?;
        }
        Ok(found)
    }

    fn reactions_between(
        &self,
        message: &RemoteMessage,
        raw: &RawValue,
        settled: &str,
        at: i64,
        place: &impl Fn(String) -> Place,
        found: &mut Vec<(Place, Found)>,
    ) -> Result<()> {
        let Some(there) = self.network.reactions_in(raw) else { return Ok(()) };
        let query = self.database.as_query();
        let shown = changes::list_reactions(query, &message.place.place)?;
        let target = message.id.as_str();
        for row in shown.iter().filter(|row| row.event_id.is_some() && row.changed.as_str() < settled) {
            let same = there.iter().find(|reaction| reaction.key == row.key);
            let gone = same.is_none_or(|same| same.complete && same.people.iter().all(|one| one.id != row.person));
            if gone {
                let sender = crate::contract::RemotePerson { id: row.person.clone(), name: None, picture: None };
                let (sender, key) = (Some(sender), Some(row.key.clone()));
                let removal = RemoteUnreaction { place: Place::default(), target: target.to_owned(), sender, key };
                found.push((place(format!("u{target}{}{}", row.person, row.key)), Found::Unreact(removal)));
            }
        }
        for reaction in &there {
            for person in &reaction.people {
                let row = shown.iter().find(|row| row.key == reaction.key && row.person == person.id);
                if row.is_some_and(|row| row.event_id.is_some() || row.changed.as_str() >= settled) {
                    continue;
                }
                let key = reaction.key.clone();
                let added = RemoteReaction {
                    place: Place::default(),
                    target: target.to_owned(),
                    sender: person.clone(),
                    key: key.clone(),
                    at,
                };
                found.push((place(format!("r{target}{}{key}", person.id)), Found::React(added)));
            }
        }
        Ok(())
    }
}
