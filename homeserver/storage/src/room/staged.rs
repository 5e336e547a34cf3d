//! Archived events on their way back into the room: a rebuild reads the whole archive before it
//! wipes anything, and a room may be larger than the object's memory.

use crate::{
    database::{DatabaseError, Query, Transaction},
    directory::archive::ArchivedEvent,
};

/// Opens the stage, empty.
pub fn open(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    close(transaction)?;
    transaction.execute(
        "CREATE TABLE staged (
            order_key INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            position INTEGER,
            pdu TEXT NOT NULL,
            transaction_key TEXT,
            rejected INTEGER NOT NULL,
            visibility TEXT NOT NULL,
            redacted_by TEXT
        ) STRICT",
        &[],
    )?;
    Ok(())
}

/// Takes the stage away.
pub fn close(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DROP TABLE IF EXISTS staged", &[])?;
    Ok(())
}

/// Puts an event on the stage.
pub fn put(transaction: &dyn Transaction, event: &ArchivedEvent) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO staged (order_key, event_id, position, pdu, transaction_key, rejected, visibility, redacted_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            event.order_key.into(),
            (&event.event_id).into(),
            event.position.into(),
            (&event.pdu).into(),
            event.transaction_key.clone().into(),
            event.rejected.into(),
            (&event.visibility).into(),
            event.redacted_by.clone().into(),
        ],
    )?;
    Ok(())
}

/// At most `limit` staged events above an order_key, in order.
pub fn list(query: &dyn Query, after: i64, limit: u32) -> Result<Vec<ArchivedEvent>, DatabaseError> {
    query
        .query(
            "SELECT order_key, event_id, position, pdu, transaction_key, rejected, visibility, redacted_by
             FROM staged WHERE order_key > ? ORDER BY order_key LIMIT ?",
            &[after.into(), limit.into()],
        )?
        .iter()
        .map(ArchivedEvent::read)
        .collect()
}
