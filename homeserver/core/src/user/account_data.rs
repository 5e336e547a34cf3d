//! Account data, read markers and forgotten rooms
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#client-config)).

use std::collections::BTreeMap;

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    user::{account_data, inbox},
};
use ruma::{EventId, OwnedUserId, RoomId};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{json, value::RawValue};

use super::{UserSyncObject, push_rules};
use crate::error::{MatrixError, Result};

/// The type under which push rules are kept and shown.
pub(super) const PUSH_RULES: &str = "m.push_rules";
/// The type of the list of ignored users.
const IGNORED_USERS: &str = "m.ignored_user_list";
/// The type of the read marker.
pub(super) const FULLY_READ: &str = "m.fully_read";

/// The most bytes of one entry.
pub(super) const MAX_CONTENT_BYTES: usize = 256 * 1024;
/// The most bytes of a type.
const MAX_TYPE_BYTES: usize = 255;
/// The most entries of one room, and globally.
const MAX_ENTRIES: i64 = 1_000;

impl UserSyncObject {
    /// Sets account data. 405 `M_BAD_JSON` for the types that the server itself keeps.
    pub(super) fn put_account_data(&self, room_id: Option<&RoomId>, event_type: &str, content: &str) -> Result<()> {
        // “Cannot set m.fully_read through this API” and the same for m.push_rules.
        if event_type == PUSH_RULES || event_type == FULLY_READ {
            return Err(MatrixError::new(405, "M_BAD_JSON", format_args!("Cannot set {event_type} through this API.")));
        }
        if !content.trim_start().starts_with('{') {
            return Err(MatrixError::bad_json("Account data must be an object."));
        }
        if event_type.len() > MAX_TYPE_BYTES {
            return Err(MatrixError::invalid_param("This type is too long."));
        }
        if content.len() > MAX_CONTENT_BYTES {
            return Err(MatrixError::too_large("This account data is too large."));
        }
        if room_id.is_none() && event_type == IGNORED_USERS && ignored_in(content).contains_key(self.user_id.as_str()) {
            return Err(MatrixError::invalid_param("You cannot ignore yourself."));
        }
        let room_id = room_id.map_or("", RoomId::as_str);
        self.store_account_data(room_id, event_type, content)
    }

    fn store_account_data(&self, room_id: &str, event_type: &str, content: &str) -> Result<()> {
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            if account_data::get(query, room_id, event_type)?.is_none()
                && account_data::count(query, room_id)? >= MAX_ENTRIES
            {
                return Err(MatrixError::too_large("There is too much account data."));
            }
            write(transaction, room_id, event_type, content)
        })
    }

    /// Account data; 404 `M_NOT_FOUND` when there is none of this type.
    pub(super) fn get_account_data(&self, room_id: Option<&RoomId>, event_type: &str) -> Result<Box<RawValue>> {
        let content = match room_id {
            None if event_type == PUSH_RULES => Some(push_rules::shown(self.rules(self.query())?.as_ref())?),
            _ => account_data::get(self.query(), room_id.map_or("", RoomId::as_str), event_type)?,
        };
        let content = content.ok_or_else(|| MatrixError::not_found("There is no such account data."))?;
        Ok(RawValue::from_string(content)?)
    }

    /// Sets the read marker; setting it to the same event changes nothing.
    pub(super) fn set_fully_read(&self, room_id: &RoomId, event_id: &EventId) -> Result<()> {
        if !self.exists()? {
            return Err(MatrixError::not_found("There is no such user."));
        }
        let content = json!({"event_id": event_id}).to_string();
        let held = account_data::get(self.query(), room_id.as_str(), FULLY_READ)?;
        if held.as_deref() == Some(&content) {
            return Ok(());
        }
        self.store_account_data(room_id.as_str(), FULLY_READ, &content)
    }

    /// Marks a room forgotten: initial syncs leave it out. A leave that a device was not told yet
    /// still comes in its next incremental sync. 400 `M_UNKNOWN` while the user is in the room.
    pub(super) fn forget_room(&self, room_id: &RoomId) -> Result<()> {
        if !self.exists()? {
            return Err(MatrixError::not_found("There is no such user."));
        }
        transaction(self.database.as_ref(), |transaction| {
            let Some(mut room) = inbox::get_room(transaction.as_query(), room_id.as_str())? else {
                return Ok(());
            };
            if !matches!(room.membership.as_str(), "leave" | "ban") {
                return Err(MatrixError::new(400, "M_UNKNOWN", "Leave the room before you forget it."));
            }
            room.forgotten = true;
            inbox::put_room(transaction, &room)?;
            Ok(())
        })
    }
}

/// Writes an entry as the newest change of the inbox.
pub(super) fn write(transaction: &dyn Transaction, room_id: &str, event_type: &str, content: &str) -> Result<()> {
    let changed_pos = inbox::advance(transaction)?;
    account_data::put(transaction, room_id, event_type, content, changed_pos)?;
    if !room_id.is_empty() {
        inbox::touch_room(transaction, room_id, changed_pos)?;
    }
    Ok(())
}

/// The users whom this user ignores
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#ignoring-users)).
pub(super) fn ignored_users(query: &dyn Query) -> Result<Vec<String>> {
    let content = account_data::get(query, "", IGNORED_USERS)?;
    Ok(content.map(|content| ignored_in(&content)).unwrap_or_default().into_keys().collect())
}

/// The same as ids, for other objects.
pub(super) fn ignored_user_ids(query: &dyn Query) -> Result<Vec<OwnedUserId>> {
    let ignored = ignored_users(query)?.into_iter();
    Ok(ignored.filter_map(|user_id| OwnedUserId::try_from(user_id).ok()).collect())
}

/// A list that is malformed names nobody.
fn ignored_in(content: &str) -> BTreeMap<String, IgnoredAny> {
    #[derive(Deserialize, Default)]
    struct Content {
        #[serde(default)]
        ignored_users: BTreeMap<String, IgnoredAny>,
    }
    serde_json::from_str::<Content>(content).unwrap_or_default().ignored_users
}
