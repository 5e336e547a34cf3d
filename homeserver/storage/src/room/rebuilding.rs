//! The schema step that marks a room whose rebuilding is not over.

/// A column of the room's row: it is read and written with it, and costs no row of its own.
pub(super) const STEP: &[&str] = &["ALTER TABLE room ADD COLUMN rebuilding INTEGER NOT NULL DEFAULT 0"];
