//! The first state events of a room, in the order of the specification: power levels, canonical
//! alias, preset, `initial_state`, name, topic
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3createroom)).

use hubbub_core::{
    contract::room::NewState,
    error::{MatrixError, Result},
};
use ruma::{RoomAliasId, UserId};
use serde_json::{Map, Value as Json, json};

use super::body::{Body, Preset};

/// All state events after the creator's join and before the invites.
pub(super) fn events(body: &Body, creator: &UserId, room_alias: Option<&RoomAliasId>) -> Result<Vec<NewState>> {
    let mut events = Events(Vec::new());
    events.push("m.room.power_levels", "", &power_levels(body, creator)?)?;
    if let Some(room_alias) = room_alias {
        events.push("m.room.canonical_alias", "", &json!({"alias": room_alias}))?;
    }
    for (event_type, content) in preset_state(body.preset) {
        if !body.gives(event_type) {
            events.push(event_type, "", &content)?;
        }
    }
    for event in &body.initial_state {
        let replaced = match event.event_type.as_str() {
            // Given power levels stand where the default ones would.
            "m.room.power_levels" => true,
            "m.room.name" => body.name.is_some(),
            "m.room.topic" => body.topic.is_some(),
            _ => false,
        };
        if !(replaced && event.state_key.is_empty()) {
            events.push(&event.event_type, &event.state_key, &event.content)?;
        }
    }
    if let Some(name) = &body.name {
        events.push("m.room.name", "", &json!({"name": name}))?;
    }
    if let Some(topic) = &body.topic {
        // The rich form of the topic says the same.
        let rich = json!({"m.text": [{"body": topic}]});
        events.push("m.room.topic", "", &json!({"topic": topic, "m.topic": rich}))?;
    }
    Ok(events.0)
}

struct Events(Vec<NewState>);

impl Events {
    fn push(&mut self, event_type: &str, state_key: &str, content: &Json) -> Result<()> {
        self.0.push(NewState {
            event_type: event_type.to_owned(),
            state_key: state_key.to_owned(),
            content: serde_json::value::to_raw_value(content)?,
        });
        Ok(())
    }
}

impl Body {
    /// Whether `initial_state` has an event of this type with an empty state key.
    fn gives(&self, event_type: &str) -> bool {
        self.given(event_type).is_some()
    }

    fn given(&self, event_type: &str) -> Option<&Json> {
        self.initial_state
            .iter()
            .rfind(|event| event.event_type == event_type && event.state_key.is_empty())
            .map(|event| &event.content)
    }
}

fn preset_state(preset: Preset) -> [(&'static str, Json); 3] {
    let (join_rule, guest_access) = match preset {
        Preset::Private | Preset::TrustedPrivate => ("invite", "can_join"),
        Preset::Public => ("public", "forbidden"),
    };
    [
        ("m.room.join_rules", json!({"join_rule": join_rule})),
        ("m.room.history_visibility", json!({"history_visibility": "shared"})),
        ("m.room.guest_access", json!({"guest_access": guest_access})),
    ]
}

/// The room's power levels: those of `initial_state` as they are, or the default ones, spelled out
/// completely, with the override's keys instead of the default's.
fn power_levels(body: &Body, creator: &UserId) -> Result<Json> {
    let mut content = match body.given("m.room.power_levels") {
        Some(given) => given.as_object().cloned().unwrap_or_default(),
        None => default_power_levels(body, creator),
    };
    for (key, value) in body.power_levels.iter().flatten() {
        content.insert(key.clone(), value.clone());
    }
    check_users(body, creator, &content)?;
    Ok(Json::Object(content))
}

fn default_power_levels(body: &Body, creator: &UserId) -> Map<String, Json> {
    let mut users = Map::new();
    // Since v12, creators have no level: their power is above all levels.
    let privileged = body.has_privileged_creators();
    if !privileged {
        users.insert(creator.to_string(), 100.into());
        if body.trusts_invited() {
            for user_id in &body.invite {
                users.insert(user_id.to_string(), 100.into());
            }
        }
    }
    // An upgrade makes a room unusable: since v12 it takes more than the power of an admin.
    let tombstone = if privileged { 150 } else { 100 };
    let content = json!({
        "users": users,
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.tombstone": tombstone,
            "m.room.server_acl": 100,
            "m.room.encryption": 100,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": 0,
        "historical": 100,
        "notifications": {"room": 50},
    });
    match content {
        Json::Object(content) => content,
        _ => Map::new(),
    }
}

/// Since v12, power levels cannot list a creator; before it, a creator who is left out could do
/// nothing more.
fn check_users(body: &Body, creator: &UserId, content: &Map<String, Json>) -> Result<()> {
    let users = content.get("users").and_then(Json::as_object);
    let lists = |user_id: &UserId| users.is_some_and(|users| users.contains_key(user_id.as_str()));
    if body.has_privileged_creators() {
        let mut creators = body.additional_creators(creator)?;
        creators.push(creator.to_owned());
        if creators.iter().any(|user_id| lists(user_id)) {
            return Err(MatrixError::bad_json("The power levels cannot list a creator of the room."));
        }
    }
    Ok(())
}
