//! The body of a `/sync` answer, as far as this server fills it.

use std::collections::BTreeMap;

use ruma::OneTimeKeyAlgorithm;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{contract::device_lists::DeviceLists, error::Result, user::unread::Counts};

/// The whole body.
#[derive(Serialize)]
pub(super) struct Body {
    pub next_batch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_data: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_device: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_lists: Option<DeviceLists>,
    #[serde(flatten)]
    pub keys: KeyCounts,
    #[serde(skip_serializing_if = "Rooms::is_empty")]
    pub rooms: Rooms,
}

impl Body {
    /// Nothing new.
    pub fn empty(next_batch: String) -> Self {
        Self {
            next_batch,
            account_data: None,
            presence: None,
            to_device: None,
            device_lists: None,
            keys: KeyCounts::default(),
            rooms: Rooms::default(),
        }
    }

    /// Whether there is nothing but `next_batch` and what is always there.
    pub fn is_empty(&self) -> bool {
        self.account_data.is_none()
            && self.presence.is_none()
            && self.to_device.is_none()
            && self.device_lists.is_none()
            && self.rooms.is_empty()
    }
}

/// What is left of the device's keys: always there, so that a client notices when there are none.
#[derive(Default, Serialize)]
pub(super) struct KeyCounts {
    #[serde(rename = "device_one_time_keys_count")]
    pub one_time_keys: BTreeMap<OneTimeKeyAlgorithm, u64>,
    #[serde(rename = "device_unused_fallback_key_types")]
    pub fallback_keys: Vec<OneTimeKeyAlgorithm>,
}

/// `rooms`; a section that has nothing is left out.
#[derive(Default, Serialize)]
pub(super) struct Rooms {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<String, Joined>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invite: BTreeMap<String, Invited>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knock: BTreeMap<String, Knocked>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<String, Left>,
}

impl Rooms {
    pub fn is_empty(&self) -> bool {
        self.join.is_empty() && self.invite.is_empty() && self.knock.is_empty() && self.leave.is_empty()
    }
}

/// A joined room.
#[derive(Serialize)]
pub(super) struct Joined {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    #[serde(flatten)]
    pub state: State,
    pub timeline: Timeline,
    pub ephemeral: Events,
    pub account_data: Events,
    pub unread_notifications: Counts,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_thread_notifications: BTreeMap<String, Counts>,
}

/// An invite.
#[derive(Serialize)]
pub(super) struct Invited {
    #[serde(rename = "invite_state")]
    pub events: Events,
}

/// A knock.
#[derive(Serialize)]
pub(super) struct Knocked {
    #[serde(rename = "knock_state")]
    pub events: Events,
}

/// A room that the user left or was put out of.
#[derive(Serialize)]
pub(super) struct Left {
    #[serde(flatten)]
    pub state: State,
    pub timeline: Timeline,
    pub account_data: Events,
}

/// The state of a room, under the name that says as of when it is.
#[derive(Serialize)]
pub(super) enum State {
    /// Before the timeline.
    #[serde(rename = "state")]
    Before(Events),
    /// After it.
    #[serde(rename = "state_after")]
    After(Events),
    /// After it, under the unstable name.
    #[serde(rename = "org.matrix.msc4222.state_after")]
    UnstableAfter(Events),
}

impl State {
    /// Whether there is none to show.
    pub fn is_empty(&self) -> bool {
        let (Self::Before(events) | Self::After(events) | Self::UnstableAfter(events)) = self;
        events.events.is_empty()
    }
}

/// A list of events.
#[derive(Default, Serialize)]
pub(super) struct Events {
    pub events: Vec<Box<RawValue>>,
}

/// A room's timeline.
#[derive(Serialize)]
pub(super) struct Timeline {
    pub events: Vec<Box<RawValue>>,
    pub limited: bool,
    pub prev_batch: String,
}

/// A room's summary.
#[derive(Serialize)]
pub(super) struct Summary {
    #[serde(rename = "m.heroes")]
    pub heroes: Vec<String>,
    #[serde(rename = "m.joined_member_count")]
    pub joined: i64,
    #[serde(rename = "m.invited_member_count")]
    pub invited: i64,
}

/// `{"type": …, "content": …}`.
pub(super) fn typed(event_type: &str, content: &str) -> Result<Box<RawValue>> {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'a str,
        content: &'a RawValue,
    }
    Ok(serde_json::value::to_raw_value(&Typed { r#type: event_type, content: serde_json::from_str(content)? })?)
}
