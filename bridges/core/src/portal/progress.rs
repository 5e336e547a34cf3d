//! What the owner sees of histories that come in: a line in the management room for each run, edited now and then while
//! it goes on. Nothing is said of a run that brings nothing.
//!
//! A line only says what is so already, and is kept in memory alone: one that a crash has left is right, and not the
//! last word.

use std::cell::RefCell;

use hubbub_core::error::Result;
use hubbub_storage::portal::Place;

use super::PortalObject;
use crate::management::{self, Line};

/// How long a line stays as it is at least, in milliseconds.
const PAUSE_MS: i64 = 5_000;

/// The lines of what goes on now.
#[derive(Default)]
pub(super) struct Progress {
    first: RefCell<Option<(FirstHistory, Run)>>,
    catch_up: RefCell<Option<Run>>,
}

/// The first history, on its way into the room.
#[derive(Clone)]
struct FirstHistory {
    messages: usize,
    last: Place,
}

/// A run, and what was said of it.
#[derive(Clone)]
struct Run {
    id: String,
    line: Option<Line>,
    said_at: i64,
}

impl PortalObject {
    /// The first history is queued: so many messages, this one the last.
    pub(super) async fn begin_first_history(&self, messages: usize, last: Place) {
        let run = Run { id: format!("history-{}", self.portal_id), line: None, said_at: 0 };
        let text = format!("{} of its last messages are coming. {OLDER}", messages);
        let run = self.write_line(run, &text).await;
        *self.progress.first.borrow_mut() = Some((FirstHistory { messages, last }, run));
    }

    /// Says how much of the first history is in the room.
    pub(super) async fn tell_first_history(&self) {
        let Some((history, run)) = self.progress.first.borrow().clone() else { return };
        let left = self.inbound.borrow().range(..=&history.last).count();
        let come = history.messages.saturating_sub(left);
        let text = match left {
            0 => format!("{come} of its last messages are here. {OLDER}"),
            _ if run.said_at.saturating_add(PAUSE_MS) > self.now() => return,
            _ => format!("{come} of {} messages are here …", history.messages),
        };
        *self.progress.first.borrow_mut() = None;
        let run = self.write_line(run, &text).await;
        if left > 0 {
            *self.progress.first.borrow_mut() = Some((history, run));
        }
    }

    /// Says how much a catch-up from this message on, which has more to read, has found so far.
    pub(super) async fn tell_catch_up(&self, from: &str, found: u64) {
        // The one that goes on with this one, should it stop, goes on with its line, too.
        let id = format!("catch-up-{}-{from}", self.portal_id);
        let known = self.progress.catch_up.borrow().clone();
        let run = known.unwrap_or(Run { id, line: None, said_at: 0 });
        if found == 0 || run.said_at.saturating_add(PAUSE_MS) > self.now() {
            return;
        }
        let text = format!("{} so far …", self.missed(found));
        let run = self.write_line(run, &text).await;
        *self.progress.catch_up.borrow_mut() = Some(run);
    }

    /// Says what a catch-up came to.
    pub(super) async fn end_catch_up(&self, found: u64, whole: bool) {
        let run = self.progress.catch_up.take();
        if found == 0 && run.is_none() {
            return;
        }
        let id = format!("catch-up-{}-{}", self.portal_id, self.now());
        let run = run.unwrap_or(Run { id, line: None, said_at: 0 });
        let missed = self.missed(found);
        let text = match whole {
            true => format!("{missed}, which come into the room now. {OLDER}"),
            false => format!("{missed}; I go on with the next look."),
        };
        self.write_line(run, &text).await;
    }

    fn missed(&self, found: u64) -> String {
        let messages = if found == 1 { "message" } else { "messages" };
        format!("{found} {messages} that {} had not told me", self.facts().title)
    }

    /// Writes a run's line anew. What fails costs only the line.
    async fn write_line(&self, run: Run, text: &str) -> Run {
        let said_at = self.now();
        match self.try_write_line(&run, text).await {
            Ok(line) => Run { line: Some(line), said_at, ..run },
            Err(error) => {
                tracing::info!(portal.id = %self.portal_id, "Progress was not told: {error}");
                Run { said_at, ..run }
            }
        }
    }

    async fn try_write_line(&self, run: &Run, text: &str) -> Result<Line> {
        let text = format!("{}: {text}", self.room_name().await?);
        let transaction = match &run.line {
            Some(_) => format!("{}-{}", run.id, self.now()),
            None => run.id.clone(),
        };
        management::write_line(&self.matrix, &self.owner()?, &transaction, &text, run.line.as_ref()).await
    }
}

/// What is never imported.
const OLDER: &str = "Older history is not imported.";
