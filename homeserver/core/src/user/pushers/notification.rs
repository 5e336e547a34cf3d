//! The body of a `POST /_matrix/push/v1/notify`
//! ([spec](https://spec.matrix.org/v1.11/push-gateway-api/#post_matrixpushv1notify)).

use hubbub_storage::{database::Query, user::pushers::Pusher};
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::next::{Candidate, content_of};
use crate::error::{MatrixError, Result};

/// The part of an event that a gateway is told.
#[derive(Deserialize)]
struct Event {
    event_id: String,
    r#type: String,
    sender: String,
    #[serde(default)]
    state_key: Option<String>,
    content: Box<RawValue>,
}

/// Where a pusher's gateway is, and what it is told of the device.
pub(super) struct Target {
    pub url: String,
    /// Whether it is told ids only.
    ids_only: bool,
    device: Map<String, Json>,
}

impl Target {
    /// Reads what the client set.
    pub fn of(pusher: &Pusher) -> Result<Self> {
        #[derive(Deserialize)]
        struct Settings {
            data: Map<String, Json>,
        }
        let Settings { mut data } = serde_json::from_str(&pusher.settings)?;
        let url = match data.remove("url") {
            Some(Json::String(url)) => url,
            _ => return Err(MatrixError::internal("a pusher without an address")),
        };
        let ids_only = data.get("format").is_some_and(|format| format == "event_id_only");
        let mut device = Map::new();
        device.insert("app_id".to_owned(), pusher.app_id.clone().into());
        device.insert("pushkey".to_owned(), pusher.pushkey.clone().into());
        // In seconds.
        device.insert("pushkey_ts".to_owned(), (pusher.set_at / 1_000).into());
        device.insert("data".to_owned(), data.into());
        Ok(Self { url, ids_only, device })
    }

    /// Tells the number alone: something was read elsewhere.
    pub fn badge(&self, badge: i64) -> Json {
        json!({"notification": {"prio": "low", "counts": {"unread": badge}, "devices": [self.device]}})
    }

    /// Tells an event.
    pub fn event(
        &self,
        query: &dyn Query,
        user_id: &UserId,
        (candidate, tweaks): &(Candidate, Map<String, Json>),
        badge: i64,
    ) -> Result<Json> {
        let event: Event = serde_json::from_str(&candidate.event).map_err(MatrixError::internal)?;
        let room_id = candidate.room.room_id.as_str();
        // Whatever makes a sound, or cannot be judged before it is decrypted, is worth a wake.
        let urgent = event.r#type == "m.room.encrypted"
            || tweaks.contains_key("sound")
            || tweaks.get("highlight").is_some_and(|highlight| *highlight == true);
        let mut device = self.device.clone();
        let mut notification = Map::new();
        let mut say = |key: &str, value: Json| notification.insert(key.to_owned(), value);
        say("event_id", event.event_id.into());
        say("room_id", room_id.into());
        say("prio", if urgent { "high" } else { "low" }.into());
        say("counts", json!({"unread": badge}));
        if !self.ids_only {
            device.insert("tweaks".to_owned(), tweaks.clone().into());
            for (key, value) in names(query, room_id, &event.sender)? {
                say(key, value.into());
            }
            let content: Json = serde_json::from_str(event.content.get())?;
            if event.r#type == "m.room.member" {
                say("user_is_target", (event.state_key.as_deref() == Some(user_id.as_str())).into());
                if let Some(membership) = content.get("membership") {
                    say("membership", membership.clone());
                }
            }
            say("type", event.r#type.into());
            say("sender", event.sender.into());
            say("content", content);
        }
        say("devices", json!([device]));
        Ok(json!({ "notification": notification }))
    }
}

/// What the room and the sender are called.
fn names(query: &dyn Query, room_id: &str, sender: &str) -> Result<Vec<(&'static str, String)>> {
    let places = [
        ("sender_display_name", "m.room.member", sender, "displayname"),
        ("room_name", "m.room.name", "", "name"),
        ("room_alias", "m.room.canonical_alias", "", "alias"),
    ];
    let mut names = Vec::new();
    for (key, event_type, state_key, field) in places {
        let content = content_of(query, room_id, event_type, state_key)?;
        let content: Option<Json> = content.and_then(|content| serde_json::from_str(content.get()).ok());
        let name = content.as_ref().and_then(|content| content.get(field)).and_then(Json::as_str);
        names.extend(name.filter(|name| !name.is_empty()).map(|name| (key, name.to_owned())));
    }
    Ok(names)
}
