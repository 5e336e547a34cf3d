//! How far each follower has come, ahead of what is stored.
//!
//! A cursor is only a hint: a follower that holds something else says so. So cursors are kept in
//! memory and stored when the alarm rings, all in one commit, instead of one commit a delivery. A
//! crash in between repeats deliveries, which their receivers recognise.

use std::{cell::RefCell, collections::BTreeMap};

use hubbub_storage::{
    database::{Query, transaction},
    room::followers::{self, ARCHIVE, FollowerRow, SEARCH},
};

use super::{RoomObject, index::SEARCH_ID};
use crate::{contract::delivery::Cursor, error::Result};

/// How many positions archive and index may be behind before they are written without waiting for
/// the alarm.
const ARCHIVE_BATCH: i64 = 100;

/// The cursors that moved since they were stored.
#[derive(Default)]
pub(super) struct Cursors(RefCell<BTreeMap<(String, String), Cursor>>);

impl Cursors {
    /// Forgets them all, when the room is rebuilt.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

impl RoomObject {
    /// A follower as it stands now.
    pub(super) fn follower(&self, query: &dyn Query, kind: &str, id: &str) -> Result<Option<FollowerRow>> {
        Ok(followers::get(query, kind, id)?.map(|stored| self.now_at(stored)))
    }

    fn now_at(&self, mut follower: FollowerRow) -> FollowerRow {
        let key = (follower.kind.clone(), follower.id.clone());
        if let Some(cursor) = self.cursors.0.borrow().get(&key) {
            follower.epoch = cursor.epoch;
            follower.position = cursor.position;
        }
        follower
    }

    /// Whether a follower is known to stand there; false when only the database can tell.
    pub(super) fn has_come_to(&self, kind: &str, id: &str, cursor: Cursor) -> bool {
        self.cursors.0.borrow().get(&(kind.to_owned(), id.to_owned())) == Some(&cursor)
    }

    /// The followers for which something waits. The archive and the index are written in batches:
    /// when the alarm is due, or enough waits.
    pub(super) fn pending(&self, query: &dyn Query, head: i64, due: bool) -> Result<Vec<FollowerRow>> {
        let pending = followers::pending(query, head)?.into_iter().map(|stored| self.now_at(stored));
        Ok(pending
            .filter(|follower| {
                let behind = head - follower.position;
                behind > 0 && (due || behind >= ARCHIVE_BATCH || ![ARCHIVE, SEARCH].contains(&follower.kind.as_str()))
            })
            .collect())
    }

    /// Moves a follower's cursor.
    pub(super) fn advance(&self, kind: &str, id: &str, cursor: Cursor) {
        self.cursors.0.borrow_mut().insert((kind.to_owned(), id.to_owned()), cursor);
    }

    /// Stores the cursors that moved; that of the index only now and then, since the index says itself
    /// where it is, and a row a message is worth saving.
    pub(super) fn store_cursors(&self) -> Result<()> {
        let mut moved = self.cursors.0.borrow().clone();
        let index = (SEARCH.to_owned(), SEARCH_ID.to_owned());
        let stored = followers::get(self.database.as_query(), SEARCH, SEARCH_ID)?.map_or(0, |stored| stored.position);
        let kept = moved.get(&index).copied().filter(|cursor| cursor.position - stored < ARCHIVE_BATCH);
        if kept.is_some() {
            moved.remove(&index);
        }
        if moved.is_empty() {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            for ((kind, id), cursor) in &moved {
                followers::advance(transaction, kind, id, cursor.epoch, cursor.position)?;
            }
            Ok::<_, hubbub_storage::database::DatabaseError>(())
        })?;
        // No `await` since the copy: nothing moved meanwhile.
        self.cursors.forget();
        if let Some(cursor) = kept {
            self.advance(SEARCH, SEARCH_ID, cursor);
        }
        Ok(())
    }
}
