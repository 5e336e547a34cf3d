//! What a user set for a room goes with them into the one that replaces it: push rules, tags and
//! whether it is a direct chat
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-behaviour-16)).
//!
//! It happens when a member of the old room upgrades it, and when the user joins a room that names
//! a predecessor. The old room keeps its settings; what the new one has already stays.

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    user::{account_data, inbox, state},
};
use ruma::{
    RoomId,
    push::{NewConditionalPushRule, NewPushRule, NewSimplePushRule, PushCondition, RuleKind, Ruleset},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{
    UserSyncObject,
    account_data::{MAX_CONTENT_BYTES, PUSH_RULES},
    push_rules,
};
use crate::error::{MatrixError, Result};

/// The room account data that goes along.
const TAGS: &str = "m.tag";
/// The type of the list of direct chats.
const DIRECT: &str = "m.direct";

impl UserSyncObject {
    /// Carries the settings of a room over to another one.
    pub(super) fn carry_over(&self, from: &RoomId, to: &RoomId) -> Result<()> {
        if !self.exists()? {
            return Err(MatrixError::not_found("There is no such user."));
        }
        let changes = self.carried_over(self.query(), from, to)?;
        if changes.is_empty() {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            let changed_pos = inbox::advance(transaction)?;
            write(transaction, &changes, changed_pos)?;
            Ok::<_, MatrixError>(inbox::touch_room(transaction, to.as_str(), changed_pos)?)
        })?;
        *self.rules.borrow_mut() = None;
        Ok(())
    }

    /// The same in the middle of a delivery by which the user joined the room, if that names a
    /// predecessor; whether anything changed.
    pub(super) fn carry_over_on_join(
        &self,
        transaction: &dyn Transaction,
        room_id: &RoomId,
        changed_pos: i64,
    ) -> Result<bool> {
        let query = transaction.as_query();
        let Some(predecessor) = predecessor(query, room_id)? else {
            return Ok(false);
        };
        let changes = self.carried_over(query, &predecessor, room_id)?;
        write(transaction, &changes, changed_pos)?;
        if changes.iter().any(|change| change.event_type == PUSH_RULES) {
            *self.rules.borrow_mut() = None;
        }
        Ok(!changes.is_empty())
    }

    fn carried_over(&self, query: &dyn Query, from: &RoomId, to: &RoomId) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut rules = Ruleset::clone(&*self.rules(query)?);
        if copy_rules(&mut rules, from, to)? {
            changes.push(Change {
                room_id: String::new(),
                event_type: PUSH_RULES,
                content: push_rules::shown(&rules)?,
            });
        }
        let tags = account_data::get(query, from.as_str(), TAGS)?;
        if let Some(content) = tags
            && account_data::get(query, to.as_str(), TAGS)?.is_none()
        {
            changes.push(Change { room_id: to.to_string(), event_type: TAGS, content });
        }
        let direct = account_data::get(query, "", DIRECT)?;
        if let Some(content) = direct.and_then(|content| with_direct(&content, from, to)) {
            changes.push(Change { room_id: String::new(), event_type: DIRECT, content });
        }
        changes.retain(|change| change.content.len() <= MAX_CONTENT_BYTES);
        Ok(changes)
    }
}

/// An entry of account data to be written.
struct Change {
    /// Empty: global.
    room_id: String,
    event_type: &'static str,
    content: String,
}

fn write(transaction: &dyn Transaction, changes: &[Change], changed_pos: i64) -> Result<()> {
    for change in changes {
        account_data::put(transaction, &change.room_id, change.event_type, &change.content, changed_pos)?;
    }
    Ok(())
}

/// The room that a room says it replaces.
fn predecessor(query: &dyn Query, room_id: &RoomId) -> Result<Option<ruma::OwnedRoomId>> {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        predecessor: Option<Predecessor>,
    }
    #[derive(Deserialize)]
    struct Predecessor {
        room_id: String,
    }
    let create = state::get(query, room_id.as_str(), "m.room.create", "")?;
    let named = create.and_then(|create| serde_json::from_str::<Event>(&create.event).ok());
    let named = named.and_then(|event| event.content.predecessor);
    Ok(named.and_then(|predecessor| RoomId::parse(predecessor.room_id).ok()).filter(|old| old != room_id))
}

/// Copies the rules about one room to another; whether there were any.
fn copy_rules(rules: &mut Ruleset, from: &RoomId, to: &RoomId) -> Result<bool> {
    let mut copied = Vec::new();
    if let Some(rule) = rules.room.iter().find(|rule| rule.rule_id == *from)
        && rules.get(RuleKind::Room, to).is_none()
    {
        let new = NewPushRule::Room(NewSimplePushRule::new(to.to_owned(), rule.actions.clone()));
        copied.push((new, RuleKind::Room, rule.enabled));
    }
    // Clients mute a room by an override whose condition names it.
    let about = rules.override_.iter().find(|rule| !rule.default && rule.conditions.iter().any(|one| names(one, from)));
    if let Some(rule) = about
        && rules.get(RuleKind::Override, to).is_none()
    {
        let conditions = rule.conditions.iter().map(|condition| renamed(condition, from, to)).collect();
        let new = NewConditionalPushRule::new(to.to_string(), conditions, rule.actions.clone());
        copied.push((NewPushRule::Override(new), RuleKind::Override, rule.enabled));
    }
    let any = !copied.is_empty();
    for (new, kind, enabled) in copied {
        rules.insert(new, None, None).map_err(MatrixError::internal)?;
        rules.set_enabled(kind, to, enabled).map_err(MatrixError::internal)?;
    }
    Ok(any)
}

fn names(condition: &PushCondition, room_id: &RoomId) -> bool {
    matches!(condition, PushCondition::EventMatch(data) if data.key == "room_id" && data.pattern == room_id.as_str())
}

fn renamed(condition: &PushCondition, from: &RoomId, to: &RoomId) -> PushCondition {
    let mut condition = condition.clone();
    if names(&condition, from)
        && let PushCondition::EventMatch(data) = &mut condition
    {
        data.pattern = to.to_string();
    }
    condition
}

/// `m.direct` with the new room beside the old one; `None` when there is nothing to add.
fn with_direct(content: &str, from: &RoomId, to: &RoomId) -> Option<String> {
    let mut content: Map<String, Json> = serde_json::from_str(content).ok()?;
    let mut added = false;
    for rooms in content.values_mut().filter_map(Json::as_array_mut) {
        let has = |room_id: &RoomId| rooms.iter().any(|room| room.as_str() == Some(room_id.as_str()));
        if has(from) && !has(to) {
            rooms.push(to.as_str().into());
            added = true;
        }
    }
    added.then(|| Json::Object(content).to_string())
}
