//! Who may read which event: history visibility against the reader's memberships
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-history-visibility)).

use hubbub_storage::{
    database::Query,
    room::{
        events::{self, EventRow},
        state,
    },
};
use ruma::{OwnedUserId, UserId, canonical_json::CanonicalJsonObject};

use super::{Opened, RoomObject};
use crate::{
    contract::room::Actor,
    error::{MatrixError, Result},
};

/// A user's memberships in a room over time.
#[derive(Clone, Debug, Default)]
pub struct Memberships {
    /// Oldest first: (order_key of the change, membership from it on).
    changes: Vec<(i64, String)>,
}

impl Memberships {
    /// From the changes, oldest first.
    pub fn new(changes: Vec<(i64, String)>) -> Self {
        Self { changes }
    }

    /// The membership just before an order_key.
    pub fn before(&self, order_key: i64) -> &str {
        self.last(|at| at < order_key)
    }

    /// The membership from an order_key on (that of the event itself included).
    pub fn after(&self, order_key: i64) -> &str {
        self.last(|at| at <= order_key)
    }

    /// The membership now.
    pub fn now(&self) -> &str {
        self.last(|_| true)
    }

    /// Whether the user was joined at or after an order_key.
    pub fn joined_since(&self, order_key: i64) -> bool {
        self.after(order_key) == "join"
            || self.changes.iter().any(|(at, membership)| *at >= order_key && membership == "join")
    }

    /// Whether the user was joined at an event, or at any time from it until before `end`.
    pub fn joined_between(&self, order_key: i64, end: i64) -> bool {
        self.before(order_key) == "join"
            || self.after(order_key) == "join"
            || self.changes.iter().any(|(at, membership)| (order_key..end).contains(at) && membership == "join")
    }

    /// The order_key at which the user last stopped being joined; `None` while joined, or if the
    /// user never was.
    pub fn left_at(&self) -> Option<i64> {
        if self.now() == "join" {
            return None;
        }
        let joined = self.changes.iter().rposition(|(_, m)| m == "join")?;
        self.changes.get(joined + 1).map(|(at, _)| *at)
    }

    /// Whether the user was ever joined.
    pub fn ever_joined(&self) -> bool {
        self.changes.iter().any(|(_, membership)| membership == "join")
    }

    fn last(&self, applies: impl Fn(i64) -> bool) -> &str {
        self.changes.iter().rev().find(|(at, _)| applies(*at)).map_or("leave", |(_, membership)| membership.as_str())
    }

    /// Whether the user may read an event at `order_key` under `visibility`.
    pub fn may_see(&self, order_key: i64, visibility: &str) -> bool {
        // Since a user's own join and leave change the membership, either side of the event counts.
        let at = [self.before(order_key), self.after(order_key)];
        let joined = at.contains(&"join");
        match visibility {
            "world_readable" => true,
            "joined" => joined,
            "invited" => joined || (at.contains(&"invite") && self.joined_since(order_key)),
            // `shared`, and what we do not know: a broken value must not open the room to strangers
            // and the spec treats it as `shared`.
            _ => joined || self.joined_since(order_key),
        }
    }
}

/// A reader of a room.
pub(super) struct Reader<'a> {
    pub user_id: &'a UserId,
    pub memberships: Memberships,
    /// Whose messages the reader does not want to see.
    pub ignored: &'a [OwnedUserId],
}

impl Reader<'_> {
    /// Whether somebody's messages are left out for this reader
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#ignoring-users)).
    pub fn ignores(&self, sender: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored.as_str() == sender)
    }

    /// Whether the reader may see a stored event, and wants to: state is for all, whoever set it.
    pub fn may_see(&self, event: &EventRow) -> bool {
        if event.state_key.is_none() && self.ignores(&event.sender) {
            return false;
        }
        let own_membership =
            event.event_type == "m.room.member" && event.state_key.as_deref() == Some(self.user_id.as_str());
        if own_membership || self.memberships.may_see(event.order_key, &event.visibility) {
            return true;
        }
        // A change of visibility is seen under the one it sets, too.
        event.event_type == "m.room.history_visibility"
            && visibility_in(&event.pdu).is_some_and(|new| self.memberships.may_see(event.order_key, &new))
    }
}

impl RoomObject {
    /// The history visibility of the current state; `shared` when none is set.
    pub(super) fn visibility_in_force(&self, query: &dyn Query) -> Result<String> {
        let event = events::current(query, "m.room.history_visibility", "")?;
        Ok(event.and_then(|event| visibility_in(&event.pdu)).unwrap_or_else(|| "shared".to_owned()))
    }

    /// A reader with what the room knows of them.
    pub(super) fn reader<'a>(&self, query: &dyn Query, opened: &Opened, user_id: &'a UserId) -> Result<Reader<'a>> {
        let changes = state::memberships_of(query, opened.row.branch, user_id.as_str())?;
        Ok(Reader { user_id, memberships: Memberships::new(changes), ignored: &[] })
    }

    /// A user's membership now.
    pub(super) fn membership_of(
        &self,
        query: &dyn Query,
        _opened: &Opened,
        user_id: &UserId,
    ) -> Result<Option<String>> {
        let row = state::current(query, "m.room.member", user_id.as_str())?;
        Ok(row.and_then(|row| row.membership))
    }

    /// A reader who may look into the room at all: a member, a former member who did not forget
    /// it, or anyone while it is world-readable. 403 `M_FORBIDDEN` otherwise, the same for rooms
    /// that do not exist.
    pub(super) fn admitted<'a>(&self, query: &dyn Query, user_id: &'a UserId) -> Result<(Opened, Reader<'a>)> {
        let refused = || MatrixError::forbidden("You are not in this room.");
        let opened = self.opened(query).map_err(|error| match error.status {
            404 => refused(),
            _ => error,
        })?;
        let reader = self.reader(query, &opened, user_id)?;
        let member = reader.memberships.ever_joined() && !hubbub_storage::room::is_forgotten(query, user_id.as_str())?;
        if member || self.visibility_in_force(query)? == "world_readable" {
            Ok((opened, reader))
        } else {
            Err(refused())
        }
    }

    /// The same for who acts, without what comes from those whom the user ignores.
    pub(super) fn admitted_actor<'a>(&self, query: &dyn Query, actor: &'a Actor) -> Result<(Opened, Reader<'a>)> {
        let (opened, reader) = self.admitted(query, &actor.user_id)?;
        Ok((opened, Reader { ignored: &actor.ignored, ..reader }))
    }
}

fn visibility_in(pdu: &str) -> Option<String> {
    let pdu: CanonicalJsonObject = serde_json::from_str(pdu).ok()?;
    let content = pdu.get("content")?.as_object()?;
    Some(content.get("history_visibility")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memberships(changes: &[(i64, &str)]) -> Memberships {
        Memberships::new(changes.iter().map(|(at, membership)| (*at, (*membership).to_owned())).collect())
    }

    #[test]
    fn shared_history_is_open_to_whoever_joined_later() {
        let joined = memberships(&[(10, "join")]);
        assert!(joined.may_see(5, "shared"));
        assert!(!joined.may_see(5, "joined"));
        assert!(!joined.may_see(5, "invited"));
        assert!(!memberships(&[]).may_see(5, "shared"));
        assert!(memberships(&[]).may_see(5, "world_readable"));
    }

    #[test]
    fn invited_history_begins_with_the_invite() {
        let joined = memberships(&[(10, "invite"), (20, "join")]);
        assert!(joined.may_see(15, "invited"));
        assert!(!joined.may_see(5, "invited"));
        let rejected = memberships(&[(10, "invite"), (20, "leave")]);
        assert!(!rejected.may_see(15, "invited"));
    }

    #[test]
    fn joined_between_looks_at_both_ends_and_no_further() {
        let joined = memberships(&[(10, "join"), (20, "leave")]);
        assert!(joined.joined_between(5, 11));
        assert!(!joined.joined_between(5, 10));
        assert!(joined.joined_between(20, 21));
        assert!(!joined.joined_between(21, 30));
    }

    #[test]
    fn whoever_left_sees_up_to_the_leave_and_no_further() {
        let left = memberships(&[(10, "join"), (20, "leave")]);
        assert!(left.may_see(20, "shared"));
        assert!(left.may_see(20, "joined"));
        assert!(!left.may_see(21, "shared"));
        assert_eq!(left.left_at(), Some(20));
        assert_eq!(memberships(&[(10, "invite"), (20, "leave")]).left_at(), None);
    }
}
