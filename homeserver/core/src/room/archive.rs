//! The archive as a follower: the room's events and directory rows go to D1 in batches.

use hubbub_storage::{
    database::Query,
    directory::{
        Statement,
        archive::{self, ArchivedEvent, DirectoryRoom},
        user_directory,
    },
    room::{
        events::{self, EventRow},
        followers::ARCHIVE,
        listing, receipts,
    },
};
use ruma::canonical_json::{CanonicalJsonObject, CanonicalJsonValue};

use super::{Opened, RoomObject, initial::ARCHIVE_ID};
use crate::{
    contract::delivery::Cursor,
    error::{MatrixError, Result},
};

/// The most events of one batch: D1 runs it as one transaction.
const BATCH: u32 = 100;
/// The state of which the public directory shows something.
const SHOWN_IN_DIRECTORY: [&str; 7] = [
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
];

impl RoomObject {
    /// Writes to D1 until it has everything. The caller holds the follower's lock.
    pub(super) async fn archive_all(&self) -> Result<()> {
        loop {
            let query = self.database.as_query();
            let opened = self.opened_now()?;
            let held = self
                .follower(query, ARCHIVE, ARCHIVE_ID)?
                .ok_or_else(|| MatrixError::internal("the archive is no follower"))?;
            if held.position >= opened.row.position {
                return Ok(());
            }
            let rows = events::in_stream(query, &opened.row, (held.position, opened.row.position), BATCH)?;
            let full = rows.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
            let through = match rows.last().and_then(EventRow::position) {
                Some(last) if full => last,
                _ => opened.row.position,
            };
            let mut statements = self.statements(query, &opened, &rows, (held.position, through))?;
            let question = self.question_about(&rows).await?;
            let asks = question.is_some();
            statements.extend(question);
            if !statements.is_empty() {
                let mut answers = self.context.directory.batch(statements).await?;
                self.context.failpoints.pass("room.after_archive").await;
                if let Some(answer) = answers.pop().filter(|_| asks) {
                    self.follow_those(&answer)?;
                }
            }
            self.advance(ARCHIVE, ARCHIVE_ID, Cursor { epoch: opened.row.epoch, position: through });
        }
    }

    /// Waits until the public directory shows what was changed of a listed room: who sent it reads it there. D1 refusing
    /// writes does not hold the answer back.
    pub(super) async fn show_in_directory(&self, event_type: &str, position: i64) -> Result<()> {
        if !SHOWN_IN_DIRECTORY.contains(&event_type) || !self.opened_now()?.row.listed {
            return Ok(());
        }
        if let Err(error) = self.settle_follower(ARCHIVE, ARCHIVE_ID, position).await {
            tracing::warn!(room.id = %self.room_id, "The public directory is behind: {error}");
        }
        Ok(())
    }

    fn statements(
        &self,
        query: &dyn Query,
        opened: &Opened,
        rows: &[EventRow],
        (after, through): (i64, i64),
    ) -> Result<Vec<Statement>> {
        let room_id = self.room_id.as_str();
        let mut statements = Vec::new();
        for row in rows {
            statements.push(archive::put_event(room_id, &archived(row)));
            if row.event_type == "m.room.redaction"
                && let Some(target) = self.pdu_in_room(row)?.redacts(&opened.rules)
                && let Some(target) = events::get(query, target.as_str())?
            {
                statements.push(archive::put_event(room_id, &archived(&target)));
            }
            if let (Some(user_id), Some(position)) = (&row.state_key, row.position())
                && row.event_type == "m.room.member"
                && let Some(membership) = text_in(row, "membership")?
            {
                statements.push(archive::put_membership(room_id, user_id, &membership, &row.event_id, position));
            }
        }
        for receipt in receipts::changed(query, after, through)? {
            statements.push(archive::put_receipt(room_id, &receipt));
        }
        if rows.iter().any(|row| ["m.room.join_rules", "m.room.history_visibility"].contains(&row.event_type.as_str()))
        {
            statements.push(user_directory::put_open_room(room_id, self.is_open(query)?, through));
        }
        if rows.iter().any(|row| row.state_key.is_some()) || listing::changed(query, after, through)? {
            statements.push(archive::put_room(&self.directory_room(query, opened, through)?));
        }
        Ok(statements)
    }

    /// Whether anybody can join or read the room.
    fn is_open(&self, query: &dyn Query) -> Result<bool> {
        let join_rules = events::current(query, "m.room.join_rules", "")?;
        let rule = join_rules.map_or(Ok(None), |event| text_in(&event, "join_rule"))?;
        Ok(rule.as_deref() == Some("public") || self.visibility_in_force(query)? == "world_readable")
    }

    fn directory_room(&self, query: &dyn Query, opened: &Opened, position: i64) -> Result<DirectoryRoom> {
        let field = |event_type: &str, key: &str| -> Result<Option<String>> {
            let event = events::current(query, event_type, "")?;
            event.map_or(Ok(None), |event| text_in(&event, key))
        };
        Ok(DirectoryRoom {
            room_id: self.room_id.to_string(),
            version: opened.row.version.clone(),
            creator: opened.row.creator.clone(),
            epoch: opened.row.epoch,
            listed: opened.row.listed,
            name: field("m.room.name", "name")?,
            topic: field("m.room.topic", "topic")?,
            canonical_alias: field("m.room.canonical_alias", "alias")?,
            avatar_url: field("m.room.avatar", "url")?,
            room_type: field("m.room.create", "type")?,
            join_rule: field("m.room.join_rules", "join_rule")?,
            history_visibility: field("m.room.history_visibility", "history_visibility")?,
            guest_access: field("m.room.guest_access", "guest_access")?,
            joined_members: opened.row.joined,
            position,
        })
    }
}

fn archived(row: &EventRow) -> ArchivedEvent {
    ArchivedEvent {
        order_key: row.order_key,
        event_id: row.event_id.clone(),
        position: row.position(),
        pdu: row.pdu.clone(),
        transaction_key: row.transaction_key.clone(),
        rejected: row.rejected,
        visibility: row.visibility.clone(),
        redacted_by: row.redacted_by.clone(),
    }
}

/// A text in an event's content.
fn text_in(row: &EventRow, key: &str) -> Result<Option<String>> {
    let pdu: CanonicalJsonObject = serde_json::from_str(&row.pdu)?;
    let content = pdu.get("content").and_then(CanonicalJsonValue::as_object);
    let value = content.and_then(|content| content.get(key)?.as_str());
    Ok(value.map(ToOwned::to_owned))
}
