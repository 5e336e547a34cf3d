//! A small workspace whose people and channels are bridged, seen from both sides.

use hubbub_bridge::text::{Addresses, Channel, Names, Person};
use hubbub_slack::convert::{Incoming, Message, from_slack};
use ruma::{EventId, OwnedUserId, RoomOrAliasId, UserId};
use serde_json::Value;

/// Alice, somebody with an unfriendly name, `#general` (bridged) and `#random` (not).
pub struct Workspace;

impl Names for Workspace {
    fn user(&self, id: &str) -> Option<Person> {
        let (display_name, mxid) = match id {
            "U1" => ("Alice", "@slack_u1:hub.example"),
            "U2" => ("@room <b>&", "@slack_u2:hub.example"),
            _ => return None,
        };
        Some(Person { display_name: display_name.to_owned(), mxid: OwnedUserId::try_from(mxid).unwrap() })
    }

    fn channel(&self, id: &str) -> Option<Channel> {
        let (name, room) = match id {
            "C1" => ("general", Some("!general:hub.example".try_into().unwrap())),
            "C2" => ("random", None),
            _ => return None,
        };
        Some(Channel { name: name.to_owned(), room })
    }

    fn group(&self, id: &str) -> Option<String> {
        (id == "S1").then(|| "devs".to_owned())
    }
}

impl Addresses for Workspace {
    fn user(&self, mxid: &UserId) -> Option<String> {
        let id = mxid.as_str().strip_prefix("@slack_")?.strip_suffix(":hub.example")?;
        Some(id.to_uppercase())
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        ["!general:hub.example", "#general:hub.example"].contains(&room.as_str()).then(|| "C1".into())
    }

    fn permalink(&self, room: &RoomOrAliasId, event: &EventId) -> Option<String> {
        (room.as_str() == "!general:hub.example" && event.as_str() == "$e1")
            .then(|| "https://x.slack.example/archives/C1/p1000001".to_owned())
    }
}

/// The message that an event is.
pub fn message(event: &Value) -> Message {
    match from_slack(event, &Workspace) {
        Incoming::Message(message) => *message,
        other => panic!("no message: {other:?}"),
    }
}

/// The contents of a message, as JSON.
pub fn contents(event: &Value) -> Vec<Value> {
    message(event).contents.iter().map(|content| serde_json::to_value(content).unwrap()).collect()
}

/// The only content of a message, as JSON.
pub fn content(event: &Value) -> Value {
    let mut contents = contents(event);
    assert_eq!(contents.len(), 1, "one content expected of {event}");
    contents.remove(0)
}
