//! The full-text index as a follower: what is said in the room goes to `SEARCH` in batches, after
//! the archive has it.
//!
//! How far it has come stands in `SEARCH` itself and is read anew each time: an index that was
//! emptied is filled from the start.

use hubbub_storage::{
    database::{Query, transaction},
    directory::Statement,
    room::{
        events::{self, EventRow},
        followers::{self, ARCHIVE, SEARCH},
    },
    search::{self, Field, Text},
};
use ruma::canonical_json::{CanonicalJsonObject, CanonicalJsonValue};

use super::{Opened, RoomObject, initial::ARCHIVE_ID};
use crate::{contract::delivery::Cursor, error::Result, search::words};

/// The id of the index as a follower.
pub(super) const SEARCH_ID: &str = "d1";
/// The lock of whoever writes a batch.
const BATCHES: &str = "index";
/// The most events of one batch: D1 runs it as one transaction.
const BATCH: u32 = 100;

impl RoomObject {
    /// Indexes until everything is, or until the given time has come. Returns the position that the
    /// index has reached.
    pub(super) async fn index_until(&self, deadline: Option<i64>) -> Result<i64> {
        // What the archive lacks may be lost with this object, and must not be found then.
        {
            let _held = self.in_flight.lock(&format!("{ARCHIVE}:{ARCHIVE_ID}")).await;
            self.archive_all().await?;
        }
        loop {
            let (reached, archived) = self.index_batch().await?;
            let late = deadline.is_some_and(|deadline| self.context.clock.now() >= deadline);
            if reached >= archived || late {
                return Ok(reached);
            }
        }
    }

    /// Indexes one batch; returns up to where the index is, and the archive. One at a time: who
    /// waits for the index waits for no more than that.
    async fn index_batch(&self) -> Result<(i64, i64)> {
        let _held = self.in_flight.lock(BATCHES).await;
        let search = self.context.search.as_ref();
        let mut held = search::position(search, self.room_id.as_str()).await?;
        let query = self.database.as_query();
        let opened = self.opened_now()?;
        let archived = self.follower(query, ARCHIVE, ARCHIVE_ID)?.map_or(0, |archive| archive.position);
        if held > archived {
            // It was written by a life of this room that is gone.
            search::forget_position(search, self.room_id.as_str()).await?;
            held = 0;
        }
        let rows = events::in_stream(query, &opened.row, (held, archived), BATCH)?;
        let full = rows.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
        let through = match rows.last().and_then(EventRow::position) {
            Some(last) if full => last,
            _ => archived,
        };
        // Receipts alone leave the index as it is.
        if !rows.is_empty() {
            search.batch(self.index_statements(query, &opened, &rows, through)?).await?;
            self.context.failpoints.pass("room.after_index").await;
        }
        self.advance(SEARCH, SEARCH_ID, Cursor { epoch: opened.row.epoch, position: through });
        Ok((through, archived))
    }

    fn index_statements(
        &self,
        query: &dyn Query,
        opened: &Opened,
        rows: &[EventRow],
        through: i64,
    ) -> Result<Vec<Statement>> {
        let room_id = self.room_id.as_str();
        let mut statements = vec![search::admit(room_id)];
        for row in rows {
            if let Some(text) = text_of(row)? {
                statements.extend(search::put_text(room_id, &text, through));
            }
            if row.event_type == "m.room.redaction"
                && let Some(target) = self.pdu_in_room(row)?.redacts(&opened.rules)
                && let Some(target) = events::get(query, target.as_str())?
                && target.redacted_by.is_some()
            {
                statements.extend(search::remove_text(room_id, target.order_key));
            }
        }
        statements.push(search::put_position(room_id, through));
        Ok(statements)
    }

    /// Sees that the index holds everything up to `position`, for at most `within_ms`.
    pub(super) async fn index_now(&self, position: i64, within_ms: i64) -> Result<i64> {
        self.opened_now()?;
        let deadline = self.context.clock.now() + within_ms;
        let reached = self.index_until(Some(deadline)).await?;
        if reached < position {
            tracing::warn!(room.id = %self.room_id, "The full-text index is behind: at {reached}, not {position}");
        }
        Ok(reached)
    }

    /// Forgets that anything was indexed; the work that follows indexes it again.
    pub(super) async fn index_anew(&self) -> Result<()> {
        self.opened_now()?;
        let _held = self.in_flight.lock(BATCHES).await;
        search::forget_position(self.context.search.as_ref(), self.room_id.as_str()).await?;
        transaction(self.database.as_ref(), |transaction| {
            let mut opened = self.opened(transaction.as_query())?;
            followers::advance(transaction, SEARCH, SEARCH_ID, opened.row.epoch, 0)?;
            self.save(transaction, &mut opened.row)
        })?;
        self.advance(SEARCH, SEARCH_ID, Cursor { epoch: self.opened_now()?.row.epoch, position: 0 });
        Ok(())
    }
}

/// What is indexed of an event; `None` when nothing is: it was redacted or rejected, or is of
/// another kind, such as an encrypted one.
pub(super) fn text_of(row: &EventRow) -> Result<Option<Text>> {
    let (field, key) = match (row.event_type.as_str(), row.state_key.as_deref()) {
        ("m.room.message", None) => (Field::Body, "body"),
        ("m.room.name", Some("")) => (Field::Name, "name"),
        ("m.room.topic", Some("")) => (Field::Topic, "topic"),
        _ => return Ok(None),
    };
    if row.rejected || row.redacted_by.is_some() {
        return Ok(None);
    }
    let pdu: CanonicalJsonObject = serde_json::from_str(&row.pdu)?;
    let content = pdu.get("content").and_then(CanonicalJsonValue::as_object);
    let Some(text) = content.and_then(|content| said(content, key)) else { return Ok(None) };
    let ts = pdu.get("origin_server_ts").and_then(CanonicalJsonValue::as_integer).map_or(0, i64::from);
    Ok(Some(Text { order_key: row.order_key, field, text: words::segmented(text), sender: row.sender.clone(), ts }))
}

/// The text of a content; of an edit the new one, since the other is there for clients that know
/// no edits ([spec](https://spec.matrix.org/v1.11/client-server-api/#event-replacements)).
fn said<'a>(content: &'a CanonicalJsonObject, key: &str) -> Option<&'a str> {
    let relation = content.get("m.relates_to").and_then(CanonicalJsonValue::as_object);
    let is_edit = relation.and_then(|relation| relation.get("rel_type")?.as_str()) == Some("m.replace");
    let new = content.get("m.new_content").and_then(CanonicalJsonValue::as_object).filter(|_| is_edit);
    new.unwrap_or(content).get(key)?.as_str()
}
