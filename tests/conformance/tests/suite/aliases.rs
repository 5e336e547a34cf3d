//! Room aliases: `/directory/room/{alias}` and `/rooms/{id}/aliases`.

use std::time::{Duration, Instant};

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

struct Room {
    id: String,
    owner: User,
    /// Joined, at power 0.
    member: User,
}

impl Room {
    async fn with(body: Value) -> Self {
        let server = Homeserver::from_env();
        let (owner, member) = (server.register("owner").await, server.register("member").await);
        let mut body = body;
        body["invite"] = json!([member.id]);
        let id = owner.create_room(body).await;
        member.join(&id).await;
        owner.wait_for_member(&id, &member, "join").await;
        Self { id, owner, member }
    }

    async fn public() -> Self {
        Self::with(json!({"preset": "public_chat"})).await
    }

    async fn set_canonical(&self, alias: &str) {
        self.owner.set_state(&self.id, "m.room.canonical_alias", json!({"alias": alias})).await;
    }
}

async fn resolve(user: &User, alias: &str) -> Value {
    user.get(["directory", "room", alias]).await.with_status(200)
}

/// Suite: TestRoomAlias/PUT /directory/room/:room_alias creates alias
#[tokio::test]
async fn an_alias_resolves_to_its_room() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let alias = alice.new_alias("lobby");

    alice.put_alias(&alias, &room).await.ok();

    assert_eq!(resolve(&alice, &alias).await["room_id"], room.as_str());
}

/// Suite: TestRoomAlias/GET /rooms/:room_id/aliases lists aliases
#[tokio::test]
async fn the_aliases_of_a_room_are_listed() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let list = async || alice.get(["rooms", &room, "aliases"]).await.with_status(200)["aliases"].clone();
    assert_eq!(list().await, json!([]));
    let alias = alice.new_alias("lobby");

    alice.put_alias(&alias, &room).await.ok();

    let start = Instant::now();
    while list().await != json!([alias]) {
        assert!(start.elapsed() < Duration::from_secs(1), "the alias is not listed: {}", list().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Suite: TestRoomAlias/Only room members can list aliases of a room
#[tokio::test]
async fn who_is_not_in_a_room_may_not_list_its_aliases() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({})).await;

    bob.get(["rooms", &room, "aliases"]).await.with_status(403);
}

/// Suite: TestRoomAlias/Room aliases can contain Unicode
#[tokio::test]
async fn an_alias_may_be_in_any_script() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let alias = alice.new_alias("茶室-🫖-තේ-Ünïcôde");

    alice.put_alias(&alias, &room).await.with_status(200);

    assert_eq!(resolve(&alice, &alias).await["room_id"], room.as_str());
}

/// Suite: TestRoomDeleteAlias/Alias creators can delete alias with no ops
#[tokio::test]
async fn the_maker_of_an_alias_deletes_it_without_power() {
    let room = Room::public().await;
    let alias = room.member.new_alias("lobby");
    room.member.put_alias(&alias, &room.id).await.with_status(200);

    room.member.delete(["directory", "room", &alias]).await.with_status(200);
}

/// Suite: TestRoomDeleteAlias/Alias creators can delete canonical alias with no ops
#[tokio::test]
async fn the_maker_of_an_alias_deletes_it_without_power_though_it_is_canonical() {
    let room = Room::public().await;
    let alias = room.member.new_alias("lobby");
    room.member.put_alias(&alias, &room.id).await.with_status(200);
    room.set_canonical(&alias).await;

    room.member.delete(["directory", "room", &alias]).await.with_status(200);
}

/// Suite: TestRoomDeleteAlias/Deleting a non-existent alias should return a 404
#[tokio::test]
async fn deleting_an_unknown_alias_is_answered_with_not_found() {
    let alice = Homeserver::from_env().register("alice").await;
    alice.create_room(json!({})).await;

    alice.delete(["directory", "room", &alice.new_alias("nowhere")]).await.refused(404, "M_NOT_FOUND");
}

/// Suite: TestRoomDeleteAlias/Can delete canonical alias
#[tokio::test]
async fn deleting_the_canonical_alias_empties_the_canonical_alias_event() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let alias = alice.new_alias("lobby");
    alice.put_alias(&alias, &room).await.with_status(200);
    let event_id = alice.set_state(&room, "m.room.canonical_alias", json!({"alias": alias})).await;
    let since = alice.wait_for_event(&room, &event_id).await;

    alice.delete(["directory", "room", &alias]).await.with_status(200);

    let is_emptied = |event: &Value| event["type"] == "m.room.canonical_alias" && event["content"] == json!({});
    let emptied = alice.sync().since(&since);
    emptied.until("an empty canonical alias", |sync| sync.timeline(&room).iter().any(is_emptied)).await;
}

async fn member_adds_and_deletes_an_alias(room: &Room) {
    let alias = room.member.new_alias("lobby");

    room.member.put_alias(&alias, &room.id).await.with_status(200);
    assert_eq!(resolve(&room.owner, &alias).await["room_id"], room.id.as_str());

    room.member.delete(["directory", "room", &alias]).await.with_status(200);
}

/// Suite: TestRoomDeleteAlias/Regular users can add and delete aliases in the default room configuration
#[tokio::test]
async fn a_member_without_power_adds_and_deletes_an_alias() {
    member_adds_and_deletes_an_alias(&Room::with(json!({})).await).await;
}

/// Suite: TestRoomDeleteAlias/Regular users can add and delete aliases when m.room.aliases is restricted
#[tokio::test]
async fn the_old_aliases_event_plays_no_part_in_the_right_to_an_alias() {
    let room = Room::with(json!({})).await;
    let mut levels = room.owner.state(&room.id, "m.room.power_levels").await;
    levels["events"]["m.room.aliases"] = json!(50);
    room.owner.set_state(&room.id, "m.room.power_levels", levels).await;

    member_adds_and_deletes_an_alias(&room).await;
}

/// Suite: TestRoomDeleteAlias/Users can't delete other's aliases
#[tokio::test]
async fn a_member_without_power_may_not_delete_the_alias_of_another() {
    let room = Room::public().await;
    let alias = room.owner.new_alias("lobby");
    room.owner.put_alias(&alias, &room.id).await.with_status(200);

    room.member.delete(["directory", "room", &alias]).await.refused(403, "M_FORBIDDEN");
}

/// Suite: TestRoomDeleteAlias/Users with sufficient power-level can delete other's aliases
#[tokio::test]
async fn a_member_with_power_deletes_the_alias_of_another() {
    let room = Room::public().await;
    let alias = room.owner.new_alias("lobby");
    room.owner.put_alias(&alias, &room.id).await.with_status(200);
    let levels = json!({"users": {room.member.id.as_str(): 100}});
    room.owner.set_state(&room.id, "m.room.power_levels", levels).await;

    room.member.delete(["directory", "room", &alias]).await.with_status(200);
}
