//! Erasure: who comes after a user had what they said erased is served redacted copies of it
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3accountdeactivate)).
//!
//! No redaction is sent and nothing stored changes: whoever was here before still reads it. State
//! stays what it is, but for the user's own member events; it is the room's.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    room::{LIVE, erasures, events::EventRow, state},
};
use ruma::UserId;

use super::{Opened, RoomObject, event::pruned, visibility::Reader};
use crate::error::{MatrixError, Result};

/// Users who had what they said erased, with the order_key that readers must have been here before.
pub(super) type Erased = Rc<BTreeMap<String, i64>>;

impl RoomObject {
    /// Notes that a user who is out of the room had what they said erased. Nothing for someone who
    /// never was here; repeating it changes nothing.
    pub(super) fn erase(&self, user_id: &UserId) -> Result<()> {
        let opened = self.opened(self.database.as_query())?;
        match self.membership_of(self.database.as_query(), &opened, user_id)?.as_deref() {
            None => return Ok(()),
            Some("join" | "invite" | "knock") => {
                return Err(MatrixError::new(400, "M_UNKNOWN", "This user is still in the room."));
            }
            Some(_) => {}
        }
        let from = LIVE + opened.row.position + 1;
        transaction(self.database.as_ref(), |transaction| erasures::put(transaction, user_id.as_str(), from))?;
        self.erased.replace(None);
        Ok(())
    }

    /// Notes erasures that D1 told of, in a room that is rebuilt: from the user's last leave on.
    pub(super) fn restore_erasures(
        &self,
        transaction: &dyn Transaction,
        opened: &Opened,
        users: &[String],
    ) -> Result<()> {
        for user_id in users {
            let changes = state::memberships_of(transaction.as_query(), opened.row.branch, user_id)?;
            if let Some((order_key, _)) = changes.last() {
                erasures::put(transaction, user_id, *order_key)?;
            }
        }
        self.erased.replace(None);
        Ok(())
    }

    /// An event as this reader may have it: as it is, or pruned because its sender had it erased
    /// before the reader came.
    pub(super) fn unless_erased<'a>(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &'a EventRow,
        reader: &Reader<'_>,
    ) -> Result<Cow<'a, EventRow>> {
        let erased = self.erased_users(query)?;
        let Some(erased_at) = erased.get(&row.sender).filter(|_| row.state_key.is_none() || is_own_member(row)) else {
            return Ok(Cow::Borrowed(row));
        };
        if reader.memberships.joined_between(row.order_key, *erased_at) {
            return Ok(Cow::Borrowed(row));
        }
        Ok(Cow::Owned(EventRow { pdu: pruned(&row.pdu, &opened.rules)?, ..row.clone() }))
    }

    /// A state event as everybody may have it: the name of a user who had it erased is in no list
    /// of members any more.
    pub(super) fn state_unless_erased<'a>(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &'a EventRow,
    ) -> Result<Cow<'a, EventRow>> {
        if !is_own_member(row) || !self.erased_users(query)?.contains_key(&row.sender) {
            return Ok(Cow::Borrowed(row));
        }
        Ok(Cow::Owned(EventRow { pdu: pruned(&row.pdu, &opened.rules)?, ..row.clone() }))
    }

    /// Who had what they said erased.
    pub(super) fn erased_users(&self, query: &dyn Query) -> Result<Erased> {
        if let Some(erased) = self.erased.borrow().as_ref() {
            return Ok(Rc::clone(erased));
        }
        let erased: Erased = Rc::new(erasures::list(query)?.into_iter().collect());
        self.erased.replace(Some(Rc::clone(&erased)));
        Ok(erased)
    }
}

fn is_own_member(row: &EventRow) -> bool {
    row.event_type == "m.room.member" && row.state_key.as_deref() == Some(row.sender.as_str())
}
