//! What encryption needs beside events: to-device messages, device lists and key counts; and presence. On their way into
//! transactions ([MSC2409](https://github.com/matrix-org/matrix-spec-proposals/pull/2409),
//! [MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)). Over HTTP only: the bundled bridges
//! are in the server and do not encrypt.
//!
//! Each kind has a cursor a user, beside those of the rooms, so that what is told twice is queued once.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_core::{
    contract::{
        appservice::{EncryptionNews, ToDeviceMessage},
        keys_news::DeviceKeyCounts,
        people::Presence,
    },
    error::Result,
    object::ALARM_DELAY_MS,
};
use hubbub_storage::{
    appservice::{self as store, HTTP_LANE},
    database::MAX_INTEGER,
    schema,
};
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, json,
    value::{RawValue, to_raw_value},
};

use super::{AppserviceObject, accept::Payload};

/// What a batch, or a transaction, has of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Encryption {
    /// To-device messages as the appservice gets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) to_device: Vec<Box<RawValue>>,
    /// Users whose keys changed, or who came to share a room.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) changed: BTreeSet<OwnedUserId>,
    /// Users who share no room any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) left: BTreeSet<OwnedUserId>,
    /// What is left of the keys of devices, by user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counts: BTreeMap<OwnedUserId, Vec<DeviceKeyCounts>>,
}

impl Encryption {
    pub(super) fn is_empty(&self) -> bool {
        self.to_device.is_empty() && self.changed.is_empty() && self.left.is_empty() && self.counts.is_empty()
    }

    /// Adds what came later: of counts the newest are in force, and who left and came back changed.
    pub(super) fn add(&mut self, later: Self) {
        self.to_device.extend(later.to_device);
        self.left.retain(|user_id| !later.changed.contains(user_id));
        self.changed.retain(|user_id| !later.left.contains(user_id));
        self.changed.extend(later.changed);
        self.left.extend(later.left);
        for (user_id, counts) in later.counts {
            let held = self.counts.entry(user_id).or_default();
            held.retain(|held| counts.iter().all(|count| count.device_id != held.device_id));
            held.extend(counts);
        }
    }

    /// The fields of a transaction.
    pub(super) fn fields(&self) -> serde_json::Result<BTreeMap<String, Box<RawValue>>> {
        let mut fields = BTreeMap::new();
        if !self.to_device.is_empty() {
            fields.insert("de.sorunome.msc2409.to_device".to_owned(), to_raw_value(&self.to_device)?);
        }
        if !self.changed.is_empty() || !self.left.is_empty() {
            let lists = json!({ "changed": self.changed, "left": self.left });
            fields.insert("org.matrix.msc3202.device_lists".to_owned(), to_raw_value(&lists)?);
        }
        if !self.counts.is_empty() {
            let mut one_time_keys: BTreeMap<&UserId, BTreeMap<&str, _>> = BTreeMap::new();
            let mut fallback_keys: BTreeMap<&UserId, BTreeMap<&str, _>> = BTreeMap::new();
            for (user_id, counts) in &self.counts {
                for count in counts {
                    let device_id = count.device_id.as_str();
                    one_time_keys.entry(user_id).or_default().insert(device_id, &count.one_time_keys);
                    fallback_keys.entry(user_id).or_default().insert(device_id, &count.unused_fallback_keys);
                }
            }
            let name = |what: &str| format!("org.matrix.msc3202.{what}");
            fields.insert(name("device_one_time_keys_count"), to_raw_value(&one_time_keys)?);
            fields.insert(name("device_unused_fallback_key_types"), to_raw_value(&fallback_keys)?);
        }
        Ok(fields)
    }
}

impl AppserviceObject {
    /// Queues news that were not queued before; returns the position that is held now.
    pub(super) fn take_encryption_news(&self, news: EncryptionNews) -> Result<i64> {
        if self.bridge.is_some() {
            return Ok(MAX_INTEGER);
        }
        schema::migrate(self.database.as_ref(), store::SCHEMA)?;
        let (cursor, epoch) = match &news {
            EncryptionNews::ToDevice { user_id, epoch, .. } => (format!("to_device|{user_id}"), *epoch),
            EncryptionNews::KeyCounts { user_id, epoch, .. } => (format!("key_counts|{user_id}"), *epoch),
            EncryptionNews::DeviceList { user_id, .. } => (format!("device_list|{user_id}"), 0),
            EncryptionNews::Presence { user_id, .. } => (format!("presence|{user_id}"), 0),
        };
        let held = store::cursor(self.database.as_query(), &cursor)?.filter(|held| held.0 == epoch);
        let held = held.map_or(-1, |held| held.1);
        let Payload { mut encryption, mut ephemeral, .. } = Payload::default();
        let position = match news {
            EncryptionNews::ToDevice { user_id, messages, .. } => {
                let new = messages.into_iter().filter(|message| message.pos > held);
                let mut through = held;
                for message in new {
                    through = through.max(message.pos);
                    encryption.to_device.push(shown(&user_id, &message)?);
                }
                through
            }
            EncryptionNews::KeyCounts { user_id, pos, counts, .. } => {
                encryption.counts.insert(user_id, counts);
                pos
            }
            EncryptionNews::DeviceList { user_id, revision } => {
                encryption.changed.insert(user_id);
                revision
            }
            EncryptionNews::Presence { user_id, presence } => {
                ephemeral.push(presence_event(&user_id, &presence, self.now())?);
                presence.revision
            }
        };
        if position <= held {
            return Ok(held);
        }
        let batches = self.batches("", vec![Payload { encryption, ephemeral, events: Vec::new() }])?;
        let now = self.now();
        self.commit(Some(now + ALARM_DELAY_MS), |transaction| {
            store::set_cursor(transaction, &cursor, epoch, position)?;
            for batch in &batches {
                store::enqueue(transaction, HTTP_LANE, batch, now)?;
            }
            Ok(())
        })?;
        self.queued.ring();
        Ok(position)
    }
}

/// A presence as `/sync` shows it.
fn presence_event(user_id: &UserId, presence: &Presence, now: i64) -> Result<Box<RawValue>> {
    let mut content = Map::new();
    content.insert("presence".to_owned(), presence.presence.as_str().into());
    content.insert("currently_active".to_owned(), (presence.presence == "online").into());
    if presence.active_at > 0 {
        content.insert("last_active_ago".to_owned(), (now - presence.active_at).max(0).into());
    }
    if let Some(status) = &presence.status_msg {
        content.insert("status_msg".to_owned(), status.as_str().into());
    }
    Ok(to_raw_value(&json!({ "type": "m.presence", "sender": user_id, "content": content }))?)
}

/// A message as the appservice gets it.
fn shown(user_id: &UserId, message: &ToDeviceMessage) -> Result<Box<RawValue>> {
    Ok(to_raw_value(&json!({
        "type": message.event_type,
        "sender": message.sender,
        "content": message.content,
        "to_user_id": user_id,
        "to_device_id": message.device_id,
    }))?)
}
