//! The checks on `m.room.canonical_alias`, made when it is set by a path without a trailing slash.

use hubbub_conformance::{Call, Homeserver, User};
use serde_json::{Value, json};

struct Room {
    id: String,
    owner: User,
    /// Resolves to the room.
    alias: String,
}

impl Room {
    async fn new() -> Self {
        let owner = Homeserver::from_env().register("owner").await;
        let id = owner.create_room(json!({"preset": "public_chat"})).await;
        let alias = owner.new_alias("lobby");
        owner.put_alias(&alias, &id).await.ok();
        Self { id, owner, alias }
    }

    fn set(&self, content: Value) -> Call {
        self.owner.put(["rooms", &self.id, "state", "m.room.canonical_alias"], content)
    }

    async fn is_set(&self, content: Value) {
        let event = self.set(content).await.ok();
        let event_id = event["event_id"].as_str().expect("an event id");
        self.owner.wait_for_event(&self.id, event_id).await;
    }

    async fn alias_of_another_room(&self) -> String {
        let other_room = self.owner.create_room(json!({"preset": "public_chat"})).await;
        let alias = self.owner.new_alias("other");
        self.owner.put_alias(&alias, &other_room).await.ok();
        alias
    }
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias accepts present aliases
#[tokio::test]
async fn an_alias_of_the_room_is_accepted() {
    let room = Room::new().await;

    room.is_set(json!({"alias": room.alias})).await;
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects missing aliases
#[tokio::test]
async fn an_alias_that_does_not_exist_is_refused() {
    let room = Room::new().await;

    room.set(json!({"alias": room.owner.new_alias("nowhere")})).await.refused(400, "M_BAD_ALIAS");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects invalid aliases
#[tokio::test]
async fn an_alias_of_wrong_form_is_refused() {
    let room = Room::new().await;
    let malformed = room.alias.replacen('#', "%", 1);

    room.set(json!({"alias": malformed})).await.refused(400, "M_INVALID_PARAM");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias setting rejects deleted aliases
#[tokio::test]
async fn an_alias_that_was_deleted_is_refused() {
    let room = Room::new().await;
    room.owner.delete(["directory", "room", &room.alias]).await.ok();
    room.owner.get(["directory", "room", &room.alias]).await.with_status(404);

    room.set(json!({"alias": room.alias})).await.refused(400, "M_BAD_ALIAS");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects alias pointing to different local room
#[tokio::test]
async fn an_alias_of_another_room_is_refused() {
    let room = Room::new().await;

    room.set(json!({"alias": room.alias_of_another_room().await})).await.refused(400, "M_BAD_ALIAS");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias accepts present alt_aliases
#[tokio::test]
async fn an_alternative_alias_of_the_room_is_accepted() {
    let room = Room::new().await;

    room.is_set(json!({"alias": room.alias, "alt_aliases": [room.alias]})).await;
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects missing aliases#01
#[tokio::test]
async fn an_alternative_alias_that_does_not_exist_is_refused() {
    let room = Room::new().await;

    let content = json!({"alias": room.alias, "alt_aliases": [room.owner.new_alias("nowhere")]});
    room.set(content).await.refused(400, "M_BAD_ALIAS");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects invalid aliases#01
#[tokio::test]
async fn an_alternative_alias_of_wrong_form_is_refused() {
    let room = Room::new().await;

    let content = json!({"alias": room.alias, "alt_aliases": [room.alias.replacen('#', "%", 1)]});
    room.set(content).await.refused(400, "M_INVALID_PARAM");
}

/// Suite: TestRoomCanonicalAlias/m.room.canonical_alias rejects alt_alias pointing to different local room
#[tokio::test]
async fn an_alternative_alias_of_another_room_is_refused() {
    let room = Room::new().await;

    let content = json!({"alias": room.alias, "alt_aliases": [room.alias_of_another_room().await]});
    room.set(content).await.refused(400, "M_BAD_ALIAS");
}
