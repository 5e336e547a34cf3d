//! What the server answered, with the questions that tests ask of it.

use http::HeaderMap;
use serde_json::Value as Json;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What was asked, for the messages of failed assertions.
    pub asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.asked, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Json {
        assert_eq!(self.status, 200, "{}: {}", self.asked, self.text());
        self.json()
    }

    /// Asserts a refusal.
    #[track_caller]
    pub fn refused(self, status: u16, errcode: &str) -> Json {
        let text = self.text();
        assert_eq!(self.status, status, "{}: {text}", self.asked);
        let body = self.json();
        assert_eq!(body["errcode"], errcode, "{}: {text}", self.asked);
        assert!(body["error"].is_string(), "{}: {text}", self.asked);
        body
    }
}

/// The body of a `/sync`.
#[derive(Clone, Debug)]
pub struct SyncBody(pub Json);

impl SyncBody {
    /// The token to go on from.
    pub fn next_batch(&self) -> String {
        self.0["next_batch"].as_str().expect("next_batch is a string").to_owned()
    }

    /// A joined room's part; `null` when the room is not there.
    pub fn joined(&self, room_id: &str) -> &Json {
        &self.0["rooms"]["join"][room_id]
    }

    /// Whether any part of the sync says something about the room.
    pub fn mentions(&self, room_id: &str) -> bool {
        ["join", "invite", "knock", "leave"].iter().any(|part| !self.0["rooms"][part][room_id].is_null())
    }

    /// The events of a joined room's timeline.
    pub fn timeline(&self, room_id: &str) -> Vec<Json> {
        events(&self.joined(room_id)["timeline"]["events"])
    }

    /// The state events of a joined room.
    pub fn state(&self, room_id: &str) -> Vec<Json> {
        events(&self.joined(room_id)["state"]["events"])
    }

    /// The bodies of the messages in a joined room's timeline.
    pub fn bodies(&self, room_id: &str) -> Vec<String> {
        self.timeline(room_id).iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
    }

    /// The ephemeral events of a type in a joined room.
    pub fn ephemeral(&self, room_id: &str, event_type: &str) -> Vec<Json> {
        let mut found = events(&self.joined(room_id)["ephemeral"]["events"]);
        found.retain(|event| event["type"] == event_type);
        found
    }

    /// The stripped state of an invite.
    pub fn invite_state(&self, room_id: &str) -> Vec<Json> {
        events(&self.0["rooms"]["invite"][room_id]["invite_state"]["events"])
    }

    /// The stripped state of a knock.
    pub fn knock_state(&self, room_id: &str) -> Vec<Json> {
        events(&self.0["rooms"]["knock"][room_id]["knock_state"]["events"])
    }

    /// The content of a type of global account data.
    pub fn account_data(&self, event_type: &str) -> Json {
        let events = events(&self.0["account_data"]["events"]);
        let found = events.iter().find(|event| event["type"] == event_type);
        found.map_or(Json::Null, |event| event["content"].clone())
    }

    /// The membership that the room's own part or its events give a user.
    pub fn membership(&self, room_id: &str, user_id: &str) -> Option<String> {
        let rooms = &self.0["rooms"];
        let lists = [
            &rooms["join"][room_id]["timeline"]["events"],
            &rooms["join"][room_id]["state"]["events"],
            &rooms["leave"][room_id]["timeline"]["events"],
            &rooms["leave"][room_id]["state"]["events"],
            &rooms["invite"][room_id]["invite_state"]["events"],
            &rooms["knock"][room_id]["knock_state"]["events"],
        ];
        lists.iter().find_map(|list| {
            let events = events(list);
            let found =
                events.iter().rev().find(|event| event["type"] == "m.room.member" && event["state_key"] == user_id)?;
            found["content"]["membership"].as_str().map(str::to_owned)
        })
    }

    /// Whether it says nothing but where to go on.
    pub fn is_empty(&self) -> bool {
        let rooms = &self.0["rooms"];
        let nothing = |part: &Json| part.as_object().is_none_or(|part| part.is_empty());
        ["join", "invite", "leave", "knock"].iter().all(|part| nothing(&rooms[part]))
            && events(&self.0["account_data"]["events"]).is_empty()
    }
}

fn events(list: &Json) -> Vec<Json> {
    list.as_array().cloned().unwrap_or_default()
}
