//! Pushes to a gateway on another port, through whatever happens to the object that owes them.

use std::time::Duration;

use hubbub_conformance::User;
use hubbub_integration::{Alone, Receiver, Server, eventually};
use serde_json::{Value, json};

/// What the gateway took, in order.
fn told(gateway: &Receiver) -> Vec<Value> {
    let mut received = gateway.received();
    received.retain(|request| request.line == "POST /_matrix/push/v1/notify" && request.status == 200);
    received.into_iter().map(|request| request.body["notification"].clone()).collect()
}

fn bodies(gateway: &Receiver) -> Vec<String> {
    told(gateway).iter().filter_map(|told| told["content"]["body"].as_str().map(str::to_owned)).collect()
}

/// Two people in a room, of whom the first is pushed to.
async fn two(server: &Alone) -> (User, User, String, Receiver) {
    let gateway = Receiver::registered(server).await;
    let (alice, bob) = (server.user("pushed").await, server.user("pusher").await);
    let room = alice.create_room(json!({"preset": "public_chat", "name": "Den"})).await;
    bob.join(&room).await;
    let pusher = json!({
        "kind": "http",
        "app_id": "im.app",
        "pushkey": "key",
        "app_display_name": "App",
        "device_display_name": "Phone",
        "lang": "en",
        "data": {"url": format!("{}/_matrix/push/v1/notify", gateway.url)},
    });
    alice.post(["pushers", "set"]).json(pusher).await.ok();
    (alice, bob, room, gateway)
}

#[tokio::test]
async fn a_message_is_told_and_reading_it_elsewhere_takes_the_badge_away() {
    let server = Server::alone().await;
    let (alice, bob, room, gateway) = two(&server).await;

    let event_id = bob.send_text(&room, "hello").await;

    let first = eventually("the push", async || told(&gateway).into_iter().next()).await;
    assert_eq!((&first["event_id"], &first["room_name"]), (&json!(event_id), &json!("Den")));
    assert_eq!((&first["counts"]["unread"], &first["content"]["body"]), (&json!(1), &json!("hello")));
    assert_eq!(first["devices"][0]["pushkey"], "key");

    alice.post(["rooms", &room, "receipt", "m.read", &event_id]).json(json!({})).await.ok();
    let second = eventually("the badge", async || told(&gateway).into_iter().nth(1)).await;
    assert_eq!(second["counts"]["unread"], 0);
    assert!(second.get("event_id").is_none());
}

#[tokio::test]
async fn nothing_is_lost_when_the_object_dies_and_the_gateway_fails() {
    let server = Server::alone().await;
    let (alice, bob, room, gateway) = two(&server).await;
    gateway.answer_next(&[502, 500]);

    for number in 0..20 {
        bob.send_text(&room, &number.to_string()).await;
        if number % 4 == 0 {
            server.abort("User", &alice.id).await;
        }
    }
    let expected: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    eventually("all pushes", async || (bodies(&gateway).last() == expected.last()).then_some(())).await;

    let mut bodies = bodies(&gateway);
    // One that died between the gateway's answer and its note is told again.
    bodies.dedup();
    assert_eq!(bodies, expected);
    assert_eq!(gateway.most_in_flight(), 1);
}

#[tokio::test]
async fn an_object_that_dies_after_the_gateway_took_a_push_goes_on() {
    let server = Server::alone().await;
    for action in ["panic", "abort"] {
        let (_alice, bob, room, gateway) = two(&server).await;
        server.arm(json!({"user.after_push": {"action": action}})).await;
        bob.send_text(&room, "first").await;
        eventually("the first push", async || (!bodies(&gateway).is_empty()).then_some(())).await;
        server.disarm().await;
        bob.send_text(&room, "second").await;
        eventually("the second push", async || {
            (bodies(&gateway).last().map(String::as_str) == Some("second")).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut bodies = bodies(&gateway);
        bodies.dedup();
        assert_eq!(bodies, ["first", "second"], "{action}");
    }
}
