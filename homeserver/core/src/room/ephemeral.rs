//! Receipts and typing: they take positions of the room's stream, so that followers get them in
//! the same contiguous deliveries as events.

use hubbub_storage::{
    database::transaction,
    room::{
        events,
        receipts::{self, ReceiptRow},
    },
};
use ruma::{EventId, UserId};

use super::{Opened, RoomObject};
use crate::error::{MatrixError, Result};

/// The longest typing, in milliseconds.
const MAX_TYPING_MS: i64 = 120_000;

impl RoomObject {
    /// Sets a receipt; one that points where it already points (or before) changes nothing.
    pub(super) fn set_receipt(
        &self,
        user_id: &UserId,
        receipt_type: &str,
        thread_id: Option<String>,
        event_id: &EventId,
    ) -> Result<()> {
        let opened = self.joined(user_id)?;
        let thread_id = thread_id.unwrap_or_default();
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let event = events::get(query, event_id.as_str())?
                .ok_or_else(|| MatrixError::not_found("There is no such event in this room."))?;
            let event_position = event.position().unwrap_or_default();
            let known = receipts::get(query, user_id.as_str(), receipt_type, &thread_id)?;
            if known.is_some_and(|known| known.event_position >= event_position) {
                return Ok(());
            }
            let mut row = opened.row.clone();
            row.position += 1;
            receipts::put(
                transaction,
                &ReceiptRow {
                    user_id: user_id.to_string(),
                    receipt_type: receipt_type.to_owned(),
                    thread_id: thread_id.clone(),
                    event_id: event_id.to_string(),
                    event_position,
                    ts: self.context.clock.now(),
                    position: row.position,
                },
            )?;
            self.save(transaction, &mut row)
        })
    }

    /// Starts or stops typing. Repeating it while it lasts only extends it.
    pub(super) fn set_typing(&self, user_id: &UserId, timeout_ms: Option<i64>) -> Result<()> {
        let opened = self.joined(user_id)?;
        let now = self.context.clock.now();
        let expires_at = timeout_ms.filter(|timeout| *timeout > 0).map(|timeout| now + timeout.min(MAX_TYPING_MS));
        transaction(self.database.as_ref(), |transaction| {
            receipts::set_typing(transaction, user_id.as_str(), expires_at)?;
            let mut row = opened.row.clone();
            row.position += 1;
            row.typing_position = row.position;
            self.save(transaction, &mut row)
        })
    }

    /// Ends expired typing; returns when the next one expires.
    pub(super) fn end_expired_typing(&self) -> Result<Option<i64>> {
        let query = self.database.as_query();
        let Ok(opened) = self.opened(query) else {
            return Ok(None);
        };
        let now = self.context.clock.now();
        let typing = receipts::typing(query)?;
        if typing.iter().any(|(_, expires_at)| *expires_at <= now) {
            transaction(self.database.as_ref(), |transaction| {
                receipts::expire_typing(transaction, now)?;
                let mut row = opened.row.clone();
                row.position += 1;
                row.typing_position = row.position;
                self.save(transaction, &mut row)
            })?;
        }
        Ok(typing.into_iter().map(|(_, expires_at)| expires_at).filter(|expires_at| *expires_at > now).min())
    }

    fn joined(&self, user_id: &UserId) -> Result<Opened> {
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        if self.membership_of(query, &opened, user_id)?.as_deref() == Some("join") {
            Ok(opened)
        } else {
            Err(MatrixError::forbidden("You are not in this room."))
        }
    }
}
