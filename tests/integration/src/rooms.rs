//! Reading a whole room.

use hubbub_conformance::User;
use serde_json::Value;

/// A room as one of its members sees it.
pub struct Room<'a> {
    /// Who looks.
    pub user: &'a User,
    /// The room.
    pub id: &'a str,
}

impl Room<'_> {
    /// All events, oldest first, by paging back from the end.
    pub async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let mut call = self.user.get(["rooms", self.id, "messages"]).query("dir", "b").query("limit", "100");
            if let Some(from) = &from {
                call = call.query("from", from);
            }
            let page = call.await.ok();
            events.extend(page["chunk"].as_array().into_iter().flatten().cloned());
            from = page["end"].as_str().map(str::to_owned);
            if from.is_none() {
                events.reverse();
                return events;
            }
        }
    }

    /// All messages, oldest first.
    pub async fn messages(&self) -> Vec<Value> {
        let mut events = self.events().await;
        events.retain(|event| event["type"] == "m.room.message");
        events
    }

    /// The messages with this text.
    pub async fn saying(&self, body: &str) -> Vec<Value> {
        let mut messages = self.messages().await;
        messages.retain(|event| event["content"]["body"] == body);
        messages
    }
}

/// The texts of messages.
pub fn bodies(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["content"]["body"].as_str().unwrap_or_default()).collect()
}

/// The ids of events.
pub fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["event_id"].as_str().unwrap_or_default().to_owned()).collect()
}
