//! `GET /rooms/{id}/messages`, and sending with a transaction id.

use hubbub_conformance::{Homeserver, random_name};
use serde_json::{Value, json};

const LAZY: &str = r#"{"lazy_load_members":true}"#;

/// Suite: TestSendAndFetchMessage
#[tokio::test]
async fn paging_forward_from_a_token_finds_only_what_came_after() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let earlier = alice.send_text(&room, "earlier").await;
    let from = alice.wait_for_event(&room, &earlier).await;

    let event_id = alice.send_text(&room, "later").await;

    let page = alice.get(["rooms", &room, "messages"]).query("dir", "f").query("from", &from).await.with_status(200);
    let chunk = page["chunk"].as_array().expect("an array");
    let found: Vec<_> = chunk.iter().map(|event| &event["event_id"]).collect();
    assert_eq!(found, [event_id.as_str()]);
}

/// Suite: TestFetchMessagesFromNonExistentRoom
#[tokio::test]
async fn the_messages_of_an_unknown_room_are_forbidden() {
    let alice = Homeserver::from_env().register("alice").await;
    let unknown = format!("!{}:{}", random_name("unknown"), alice.server_name());

    alice.get(["rooms", &unknown, "messages"]).query("dir", "b").await.with_status(403);
}

/// Suite: TestSendMessageWithTxn
#[tokio::test]
async fn repeating_a_transaction_id_returns_the_first_event() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let path = ["rooms", &room, "send", "m.room.message", "the-same-id"];
    let content = json!({"msgtype": "m.text", "body": "once"});

    let first = alice.put(path, content.clone()).await.ok();
    let again = alice.put(path, content).await.ok();

    assert!(first["event_id"].is_string());
    assert_eq!(first["event_id"], again["event_id"]);
}

fn assert_state_is_the_join_of(page: &Value, user_id: &str) {
    let state = page["state"].as_array().expect("state is an array");
    assert_eq!(state.len(), 1, "{state:?}");
    assert_eq!(state[0]["type"], "m.room.member");
    assert_eq!(state[0]["state_key"], user_id);
    assert_eq!(state[0]["content"]["membership"], "join");
}

/// Suite: TestRoomMessagesLazyLoading
#[tokio::test]
async fn lazy_loading_gives_only_the_members_who_speak_on_the_page() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let (bob, carol) = (server.register("bob").await, server.register("carol").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    for user in [&bob, &carol] {
        user.join(&room).await;
        alice.wait_for_member(&room, user, "join").await;
    }
    let of_bob = bob.send_text(&room, "Bob speaks").await;
    let from = alice.wait_for_event(&room, &of_bob).await;
    let of_carol = carol.send_text(&room, "Carol speaks").await;
    let to = alice.wait_for_event(&room, &of_carol).await;

    let page = alice.get(["rooms", &room, "messages"]).query("dir", "f").query("from", &from).query("to", &to);
    let page = page.query("filter", LAZY).await.with_status(200);

    assert_state_is_the_join_of(&page, &carol.id);
}

/// Suite: TestRoomMessagesLazyLoadingLocalUser
#[tokio::test]
async fn lazy_loading_gives_the_member_event_even_if_the_page_holds_it() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event_id = alice.send_text(&room, "all alone").await;
    let from = alice.wait_for_event(&room, &event_id).await;

    let page = alice.get(["rooms", &room, "messages"]).query("dir", "b").query("from", &from);
    let page = page.query("filter", LAZY).await.with_status(200);

    assert_state_is_the_join_of(&page, &alice.id);
}
