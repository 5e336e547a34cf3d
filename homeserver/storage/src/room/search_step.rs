//! The schema step that makes the full-text index a follower of rooms from before there was one.

/// The index as a follower that holds nothing yet. A room that is only being made has no row: it
/// lists its followers itself.
pub const STEP: &[&str] = &[
    "INSERT OR IGNORE INTO followers (kind, id, epoch, position, members)
     SELECT 'search', 'd1', 0, 0, 0 FROM room",
    "INSERT OR IGNORE INTO follower_spans (kind, id, first, last, snapshot)
     SELECT 'search', 'd1', 1, NULL, 0 FROM room",
];
