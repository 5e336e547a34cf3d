//! A device that follows one room as a careful client does: each `/sync` goes on where the last ended, and what a `limited`
//! answer left out is fetched by paging from its `prev_batch`.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::user::{User, text};

/// How many pages a gap may have.
const MOST_PAGES: usize = 500;

/// An event as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub event_id: String,
    /// The sender.
    pub sender: String,
    /// The text of a message; empty for everything else.
    pub body: String,
}

/// A device and the room's timeline as it knows it.
pub struct Device {
    user: User,
    room: String,
    filter: Option<String>,
    since: Option<String>,
    /// The timeline since the first sync, in order.
    pub timeline: Vec<Seen>,
    /// How many `limited` answers were filled up.
    pub gaps: u64,
    /// How many `limited` answers showed events again that were known: only a room that was rebuilt may do so.
    pub overlaps: u64,
}

impl Device {
    /// A device that has not synced yet.
    pub fn new(user: User, room: &str, filter: Option<String>) -> Self {
        Self { user, room: room.to_owned(), filter, since: None, timeline: Vec::new(), gaps: 0, overlaps: 0 }
    }

    /// One `/sync`; returns how many events came. After an error nothing has changed: the next call asks the same again.
    pub fn poll(&mut self, timeout_ms: u32) -> Result<usize> {
        let answer = self.user.sync(self.since.as_deref(), self.filter.as_deref(), timeout_ms)?.success("sync")?;
        let next = text(&answer, "/next_batch")?;
        let joined = answer.pointer("/rooms/join").and_then(|rooms| rooms.get(&self.room));
        let mut news = Vec::new();
        if let Some(timeline) = joined.and_then(|room| room.get("timeline")) {
            let limited = timeline.get("limited").and_then(Value::as_bool).unwrap_or(false);
            let events = seen(timeline.get("events"));
            let overlap = events.iter().rposition(|event| Some(event) == self.timeline.last());
            match overlap.filter(|_| limited) {
                // The room began anew and shows its end again.
                Some(known) => {
                    news.extend(events.into_iter().skip(known + 1));
                    self.overlaps += 1;
                }
                None => {
                    if limited && self.since.is_some() {
                        news = self.missing(&text(timeline, "/prev_batch")?)?;
                        self.gaps += 1;
                    }
                    news.extend(events);
                }
            }
        }
        let count = news.len();
        self.timeline.append(&mut news);
        self.since = Some(next);
        Ok(count)
    }

    /// What lies between the newest event that is known and `from`, in order.
    fn missing(&mut self, from: &str) -> Result<Vec<Seen>> {
        let newest = self.timeline.last().map(|seen| seen.event_id.clone());
        let mut found = Vec::new();
        let mut from = from.to_owned();
        for _ in 0..MOST_PAGES {
            let page = self.user.messages(&self.room, Some(&from), 100)?;
            for event in seen(page.get("chunk")) {
                if Some(&event.event_id) == newest.as_ref() {
                    found.reverse();
                    return Ok(found);
                }
                found.push(event);
            }
            match page.get("end").and_then(Value::as_str) {
                Some(end) => from = end.to_owned(),
                None => break,
            }
        }
        bail!("paging back from a limited timeline never met {newest:?}")
    }
}

/// The whole room by `/messages`, oldest first.
pub fn whole_room(user: &mut User, room: &str) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = user.messages(room, from.as_deref(), 100)?;
        all.extend(seen(page.get("chunk")));
        match page.get("end").and_then(Value::as_str) {
            Some(end) if Some(end) == from.as_deref() => bail!("a page of /messages leads to itself"),
            Some(end) => from = Some(end.to_owned()),
            None => break,
        }
    }
    all.reverse();
    Ok(all)
}

/// The events of a list.
fn seen(events: Option<&Value>) -> Vec<Seen> {
    let events = events.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| one(event).ok()).collect()
}

fn one(event: &Value) -> Result<Seen> {
    let body = event.pointer("/content/body").and_then(Value::as_str).unwrap_or_default();
    let event_id = text(event, "/event_id").context("an event has no id")?;
    Ok(Seen { event_id, sender: text(event, "/sender")?, body: body.to_owned() })
}
