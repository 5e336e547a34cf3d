//! What a room has that notifies and was not read yet.
//!
//! The newest such events stand one by one in the room's row, so that a receipt in their middle
//! counts again without a look at the timeline. Beyond [`LISTED`] the oldest are only counted; a
//! receipt among those makes the inbox look them up by their places.

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Query,
    user::{
        receipts,
        timeline::{self, Notify, Stretch},
    },
};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// How many unread events are listed one by one.
const LISTED: usize = 500;
/// How many places are read at once when older ones are counted again.
const PAGE: usize = 200;

/// The name of the main timeline where threads are named.
pub(super) const MAIN: &str = "main";

/// Notifications and highlights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// `notification_count`.
    #[serde(rename = "notification_count")]
    pub notifications: u64,
    /// `highlight_count`.
    #[serde(rename = "highlight_count")]
    pub highlights: u64,
}

impl Counts {
    fn add(&mut self, notify: Notify) {
        if notify != Notify::Silent {
            self.notifications += 1;
        }
        if notify == Notify::Highlight {
            self.highlights += 1;
        }
    }

    fn add_all(&mut self, other: Self) {
        self.notifications += other.notifications;
        self.highlights += other.highlights;
    }
}

/// An unread event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unread {
    /// Position.
    #[serde(rename = "p")]
    position: i64,
    /// Order key.
    #[serde(rename = "k")]
    order_key: i64,
    /// Whether it is highlighted.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    highlight: bool,
    /// The thread; absent: the main timeline.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
}

impl Unread {
    fn notify(&self) -> Notify {
        if self.highlight { Notify::Highlight } else { Notify::Notify }
    }
}

/// The older unread events, by thread (`main` for the main timeline).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Older {
    counts: BTreeMap<String, Counts>,
    /// Position and order_key of the newest of them.
    through: (i64, i64),
}

/// A room's unread events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UnreadEvents {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listed: Vec<Unread>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    older: Option<Older>,
}

/// A receipt of the user's own, already stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a> {
    /// The room.
    pub room_id: &'a str,
    /// The user.
    pub user_id: &'a str,
    /// Up to where.
    pub position: i64,
    /// `None`: unthreaded.
    pub thread: Option<&'a str>,
}

impl UnreadEvents {
    /// Reads what the room's row holds.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// As the room's row holds it.
    pub fn to_text(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// Adds a new event that notifies.
    pub fn add(&mut self, position: i64, order_key: i64, notify: Notify, thread: Option<String>) {
        self.listed.push(Unread { position, order_key, highlight: notify == Notify::Highlight, thread });
        if self.listed.len() > LISTED {
            let oldest = self.listed.remove(0);
            let notify = oldest.notify();
            let older = self.older.get_or_insert_default();
            let thread = oldest.thread.unwrap_or_else(|| MAIN.to_owned());
            older.counts.entry(thread).or_default().add(notify);
            older.through = (oldest.position, oldest.order_key);
        }
    }

    /// Whether the event at this position is listed as unread, one by one.
    pub fn has(&self, position: i64) -> bool {
        self.listed.iter().any(|unread| unread.position == position)
    }

    /// Takes an event out: it was redacted.
    pub fn remove(&mut self, position: i64) {
        self.listed.retain(|unread| unread.position != position);
    }

    /// Takes out what a receipt covers.
    pub fn read(&mut self, query: &dyn Query, read: Read<'_>) -> Result<()> {
        self.listed.retain(|unread| {
            let thread = unread.thread.as_deref().unwrap_or(MAIN);
            let concerned = read.thread.is_none_or(|concerned| concerned == thread);
            !concerned || unread.position > read.position
        });
        let Some(older) = &mut self.older else {
            return Ok(());
        };
        if read.position < older.through.0 {
            older.counts = count_again(query, read, older)?;
        } else if let Some(thread) = read.thread {
            older.counts.remove(thread);
        } else {
            older.counts.clear();
        }
        if older.counts.is_empty() {
            self.older = None;
        }
        Ok(())
    }

    /// The counts of each thread that has any, `main` for the main timeline.
    pub fn by_thread(&self) -> BTreeMap<String, Counts> {
        let mut threads = self.older.as_ref().map(|older| older.counts.clone()).unwrap_or_default();
        for unread in &self.listed {
            let thread = unread.thread.clone().unwrap_or_else(|| MAIN.to_owned());
            threads.entry(thread).or_default().add(unread.notify());
        }
        threads
    }

    /// The counts of the whole room.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.by_thread().into_values() {
            total.add_all(counts);
        }
        total
    }
}

/// Counts the older events of the concerned threads from their places and the user's receipts. A
/// thread that the receipt does not concern keeps its count.
fn count_again(query: &dyn Query, read: Read<'_>, older: &Older) -> Result<BTreeMap<String, Counts>> {
    let concerns = |name: &str| read.thread.is_none_or(|thread| thread == name) && older.counts.contains_key(name);
    let mut counts = older.counts.clone();
    counts.retain(|name, _| !concerns(name));
    let mut read_up_to: BTreeMap<String, i64> = BTreeMap::new();
    for receipt in receipts::list_of_user(query, read.room_id, read.user_id)? {
        let known = read_up_to.entry(receipt.thread_id).or_default();
        *known = receipt.event_position.max(*known);
    }
    let mut below = older.through.1 + 1;
    loop {
        let page =
            timeline::list_places(query, Stretch { room_id: read.room_id, below, from: -timeline::END, limit: PAGE })?;
        for place in &page {
            below = place.order_key;
            let Some(position) = place.position.filter(|position| *position > read.position) else {
                return Ok(counts);
            };
            let name = place.thread.as_deref().unwrap_or(MAIN);
            let is_read = ["", name].iter().any(|thread| read_up_to.get(*thread).is_some_and(|read| position <= *read));
            if concerns(name) && !is_read && place.notify != Notify::Silent {
                counts.entry(name.to_owned()).or_default().add(place.notify);
            }
        }
        if page.len() < PAGE {
            return Ok(counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use hubbub_storage::{
        database::{Database as _, transaction},
        native::NativeDatabase,
        schema,
        user::{self, receipts::Receipt, timeline::KeptEvent},
    };

    use super::*;
    use crate::error::MatrixError;

    fn database() -> NativeDatabase {
        let database = NativeDatabase::in_memory().unwrap();
        schema::migrate(&database, user::SCHEMA).unwrap();
        database
    }

    fn place(position: i64, thread: Option<&str>) -> KeptEvent {
        KeptEvent {
            order_key: position + 1_000,
            position: Some(position),
            inbox_pos: position,
            notify: if position % 10 == 0 { Notify::Highlight } else { Notify::Notify },
            thread: thread.map(str::to_owned),
            event_id: String::new(),
            event_type: String::new(),
            state_key: None,
            sender: String::new(),
            membership: None,
            device_id: None,
            transaction_id: None,
            ts: 0,
            event: "{}".to_owned(),
            unsigned: None,
        }
    }

    #[test]
    fn a_receipt_in_the_middle_counts_again_even_beyond_the_list() {
        let database = database();
        let query = database.as_query();
        let mut unread = UnreadEvents::default();
        let thread_of = |position: i64| (position % 3 == 0).then_some("$root");
        for position in 1..=1_200 {
            let event = place(position, thread_of(position));
            transaction(&database, |transaction| {
                timeline::put(transaction, "!r:hub", &event).map_err(MatrixError::from)
            })
            .unwrap();
            unread.add(position, event.order_key, event.notify, event.thread);
        }
        let expected = |main: i64, thread: i64| {
            let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
            for position in 1..=1_200 {
                let (name, read) = match thread_of(position) {
                    None => (MAIN, main),
                    Some(root) => (root, thread),
                };
                if position > read {
                    counts.entry(name.to_owned()).or_default().add(place(position, None).notify);
                }
            }
            counts
        };
        assert_eq!(unread.by_thread(), expected(0, 0));
        let steps: [(i64, Option<&str>, i64, i64); 7] = [
            (100, Some("$root"), 0, 100),
            (50, None, 50, 100),
            (300, Some(MAIN), 300, 100),
            (200, None, 300, 200),
            (900, Some("$root"), 300, 900),
            (1_000, None, 1_000, 1_000),
            (1_200, None, 1_200, 1_200),
        ];
        for (position, thread, main, root) in steps {
            let receipt = Receipt {
                user_id: "@me:hub".to_owned(),
                receipt_type: "m.read".to_owned(),
                thread_id: thread.unwrap_or_default().to_owned(),
                event_id: format!("${position}"),
                event_position: position,
                ts: position,
            };
            transaction(&database, |transaction| {
                receipts::put(transaction, "!r:hub", &receipt, position).map_err(MatrixError::from)
            })
            .unwrap();
            let read = Read { room_id: "!r:hub", user_id: "@me:hub", position, thread };
            unread.read(query, read).unwrap();
            unread = UnreadEvents::parse(&unread.to_text().unwrap()).unwrap();
            assert_eq!(unread.by_thread(), expected(main, root), "{position} {thread:?}");
        }
        assert_eq!(unread, UnreadEvents::default());
    }

    #[test]
    fn a_redacted_event_does_not_count() {
        let mut unread = UnreadEvents::default();
        unread.add(1, 1, Notify::Notify, None);
        unread.add(2, 2, Notify::Highlight, None);
        unread.remove(2);
        assert_eq!(unread.total(), Counts { notifications: 1, highlights: 0 });
    }
}
