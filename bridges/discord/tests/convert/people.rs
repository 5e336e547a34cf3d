//! A small server whose people, channels, roles and emoji are bridged, seen from both sides.

use hubbub_bridge::text::{Addresses, Channel, Names, Person, document::Inline};
use hubbub_discord::convert::{Files, from_discord};
use ruma::{EventId, MxcUri, OwnedMxcUri, OwnedUserId, RoomOrAliasId, UserId};
use serde_json::Value;

/// Alice, somebody with an unfriendly name, `#general` (bridged) and `#random` (not), `@mods`, `:party:`.
pub struct Server;

impl Names for Server {
    fn user(&self, id: &str) -> Option<Person> {
        let (display_name, mxid) = match id {
            "1" => ("Alice", "@_discord_1:hub.example"),
            "2" => ("@room <b>&", "@_discord_2:hub.example"),
            _ => return None,
        };
        Some(Person { display_name: display_name.to_owned(), mxid: OwnedUserId::try_from(mxid).unwrap() })
    }

    fn channel(&self, id: &str) -> Option<Channel> {
        let (name, room) = match id {
            "10" => ("general", Some("!general:hub.example".try_into().unwrap())),
            "11" => ("random", None),
            _ => return None,
        };
        Some(Channel { name: name.to_owned(), room })
    }

    fn group(&self, id: &str) -> Option<String> {
        (id == "20").then(|| "mods".to_owned())
    }

    fn emoji(&self, _: &str, id: Option<&str>) -> Option<OwnedMxcUri> {
        matches!(id, Some("30" | "a:31")).then(|| format!("mxc://hub.example/{}", id.unwrap().replace(':', "")).into())
    }
}

impl Addresses for Server {
    fn user(&self, mxid: &UserId) -> Option<String> {
        mxid.as_str().strip_prefix("@_discord_")?.strip_suffix(":hub.example").map(str::to_owned)
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        ["!general:hub.example", "#general:hub.example"].contains(&room.as_str()).then(|| "10".to_owned())
    }

    fn permalink(&self, room: &RoomOrAliasId, event: &EventId) -> Option<String> {
        (room.as_str() == "!general:hub.example" && event.as_str() == "$e1")
            .then(|| "https://discord.com/channels/5/10/100".to_owned())
    }

    fn emoji(&self, name: &str, picture: Option<&MxcUri>) -> Inline {
        let id = match picture.map(|picture| picture.as_str()) {
            Some("mxc://hub.example/30") => Some("30".to_owned()),
            Some("mxc://hub.example/a31") => Some("a:31".to_owned()),
            _ => None,
        };
        Inline::Emoji { name: name.to_owned(), id }
    }
}

/// The contents of a message, as JSON.
pub fn contents(message: &Value) -> Vec<Value> {
    let incoming = from_discord(message, &Server, Files::AsLines);
    incoming.contents.iter().map(|content| serde_json::to_value(content).unwrap()).collect()
}

/// The only content of a message, as JSON.
pub fn content(message: &Value) -> Value {
    let mut contents = contents(message);
    assert_eq!(contents.len(), 1, "one content expected of {message}");
    contents.remove(0)
}
