//! Tags of rooms ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-tagging)): the room
//! account data `m.tag`, changed key by key, so that two devices never undo each other's.

use std::collections::BTreeMap;

use hubbub_storage::{database::transaction, user::account_data};
use ruma::RoomId;
use serde_json::value::RawValue;

use super::{
    UserSyncObject,
    account_data::{MAX_CONTENT_BYTES, write},
};
use crate::{
    contract::people::TagOperation,
    error::{MatrixError, Result},
};

/// The type under which tags are kept.
const TAG: &str = "m.tag";
/// The most bytes of a tag's name.
const MAX_TAG_BYTES: usize = 255;

/// The tags of a room.
type Tags = BTreeMap<String, Box<RawValue>>;

impl UserSyncObject {
    /// Reads or changes tags; answers with `{"tags": …}` as it is afterwards. A change that changes
    /// nothing writes nothing.
    pub(super) fn tags(&self, room_id: &RoomId, operation: &TagOperation) -> Result<Box<RawValue>> {
        let room_id = room_id.as_str();
        transaction(self.database.as_ref(), |transaction| {
            let held = account_data::get(transaction.as_query(), room_id, TAG)?;
            // What else a client keeps there, by the account data API, stays as it is.
            let mut content: BTreeMap<String, Box<RawValue>> =
                held.and_then(|held| serde_json::from_str(&held).ok()).unwrap_or_default();
            let held = content.remove("tags");
            let mut tags: Tags = held.and_then(|held| serde_json::from_str(held.get()).ok()).unwrap_or_default();
            let changed = match operation {
                TagOperation::Get => false,
                TagOperation::Put { tag, info } => put(&mut tags, tag, info)?,
                TagOperation::Delete { tag } => tags.remove(tag).is_some(),
            };
            let tags = serde_json::value::to_raw_value(&tags)?;
            if changed {
                content.insert("tags".to_owned(), tags.clone());
                let text = serde_json::to_string(&content)?;
                if text.len() > MAX_CONTENT_BYTES {
                    return Err(MatrixError::too_large("This room has too many tags."));
                }
                write(transaction, room_id, TAG, &text)?;
            }
            Ok(serde_json::value::to_raw_value(&BTreeMap::from([("tags", tags)]))?)
        })
    }
}

fn put(tags: &mut Tags, tag: &str, info: &RawValue) -> Result<bool> {
    if tag.len() > MAX_TAG_BYTES {
        return Err(MatrixError::invalid_param(format_args!("A tag may have at most {MAX_TAG_BYTES} bytes.")));
    }
    let same = tags.get(tag).is_some_and(|held| held.get() == info.get());
    tags.insert(tag.to_owned(), info.to_owned());
    Ok(!same)
}
