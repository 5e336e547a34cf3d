//! `POST /user_directory/search`, where a user has another name in one private room.

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

struct Scene {
    /// In a public room under the public name, in a private one with Bob under another.
    alice: User,
    bob: User,
    /// Shares no room with anybody.
    eve: User,
    public_name: String,
    private_name: String,
    /// How all these user ids start, and no other.
    prefix: String,
}

async fn scene() -> Scene {
    let server = Homeserver::from_env();
    let name = random_name("user");
    let (alice, bob, eve) = (server.register(&name).await, server.register(&name).await, server.register(&name).await);
    let (public_name, private_name) = (format!("Alice {}", random_name("p")), format!("Freddy {}", random_name("s")));
    alice.put(["profile", &alice.id, "displayname"], json!({"displayname": public_name})).await.ok();
    alice.create_room(json!({"preset": "public_chat", "visibility": "public"})).await;
    let private = bob.create_room(json!({"preset": "private_chat", "invite": [alice.id]})).await;
    alice.join(&private).await;
    let content = json!({"displayname": private_name, "membership": "join"});
    alice.put_state(&private, "m.room.member", &alice.id, content).await.ok();
    bob.wait_for_member(&private, &alice, "join").await;
    Scene { alice, bob, eve, public_name, private_name, prefix: format!("@{name}") }
}

async fn search(user: &User, term: &str) -> Value {
    let answer = user.post(["user_directory", "search"]).json(json!({"search_term": term})).await;
    answer.with_status(200)["results"].clone()
}

impl Scene {
    /// Asserts that a search finds Alice alone, under the public name.
    async fn finds_alice(&self, user: &User, term: &str) {
        let found = search(user, term).await;
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found[0]["user_id"], self.alice.id.as_str(), "{found}");
        assert_eq!(found[0]["display_name"], self.public_name.as_str(), "{found}");
    }
}

/// Suite: TestRoomSpecificUsernameChange/Eve can find Alice by profile display name
#[tokio::test]
async fn a_stranger_finds_a_member_of_a_public_room_by_the_public_name() {
    let scene = scene().await;
    scene.finds_alice(&scene.eve, &scene.public_name).await;
}

/// Suite: TestRoomSpecificUsernameChange/Eve can find Alice by mxid
#[tokio::test]
async fn a_stranger_finds_a_member_of_a_public_room_by_the_start_of_the_user_id() {
    let scene = scene().await;
    scene.finds_alice(&scene.eve, &scene.prefix).await;
}

/// Suite: TestRoomSpecificUsernameChange/Eve cannot find Alice by room-specific name that Eve is not privy to
#[tokio::test]
async fn a_stranger_finds_nobody_by_the_name_in_a_private_room() {
    let scene = scene().await;
    assert_eq!(search(&scene.eve, &scene.private_name).await, json!([]));
}

/// Suite: TestRoomSpecificUsernameChange/Bob can find Alice by profile display name
#[tokio::test]
async fn a_room_mate_finds_a_member_by_the_public_name() {
    let scene = scene().await;
    scene.finds_alice(&scene.bob, &scene.public_name).await;
}

/// Suite: TestRoomSpecificUsernameChange/Bob can find Alice by mxid
#[tokio::test]
async fn a_room_mate_finds_a_member_by_the_start_of_the_user_id() {
    let scene = scene().await;
    scene.finds_alice(&scene.bob, &scene.prefix).await;
}

/// The public suite means to set the name with the join, and does it by the same later event.
///
/// Suite: TestRoomSpecificUsernameAtJoin/Eve can find Alice by profile display name
/// Suite: TestRoomSpecificUsernameAtJoin/Eve can find Alice by mxid
/// Suite: TestRoomSpecificUsernameAtJoin/Eve cannot find Alice by room-specific name that Eve is not privy to
/// Suite: TestRoomSpecificUsernameAtJoin/Bob can find Alice by profile display name
/// Suite: TestRoomSpecificUsernameAtJoin/Bob can find Alice by mxid
#[tokio::test]
async fn a_name_given_at_the_join_changes_nothing_of_that() {
    let scene = scene().await;
    for user in [&scene.eve, &scene.bob] {
        scene.finds_alice(user, &scene.public_name).await;
        scene.finds_alice(user, &scene.prefix).await;
    }
    assert_eq!(search(&scene.eve, &scene.private_name).await, json!([]));
}
