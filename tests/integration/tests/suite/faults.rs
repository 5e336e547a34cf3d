//! What goes wrong inside: a panic, a half-failed write, an object that loses its memory.

use std::time::Duration;

use hubbub_integration::{Reply, Room, Server, bodies, eventually};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn the_storage_suite_passes_inside_workerd() {
    let server = Server::alone().await;

    let report = server.post("storage-probe", &json!({})).await.ok();

    let cases = report["cases"].as_array().expect("cases");
    let failed: Vec<&Value> = cases.iter().filter(|case| !case["failure"].is_null()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(report["passed"], true);
    assert!(cases.len() > 20, "only {} cases ran", cases.len());
}

#[tokio::test]
async fn a_panic_in_one_request_is_survived_by_the_next() {
    let server = Server::alone().await;
    let user = server.user("survivor").await;
    let room = user.create_room(json!({})).await;
    let before = user.send_text(&room, "before").await;

    // Its own sender is told to try again, instead of waiting for nothing.
    let lost = tokio::time::timeout(Duration::from_secs(5), server.admin(Method::POST, "panic", "")).await;
    let lost = lost.expect("an answer in time");
    assert!(lost.status >= 500 && lost.json()["errcode"].is_string(), "{} {}", lost.status, lost.body);

    let after = user.send_text(&room, "after").await;
    let messages = Room { user: &user, id: &room }.messages().await;
    assert_eq!(bodies(&messages), ["before", "after"]);
    assert_ne!(before, after);
}

/// Each place after a commit at which the process may die during a send.
const SEND_WINDOWS: [&str; 2] = ["room.after_append", "room.after_delivery"];

#[tokio::test]
async fn a_send_that_dies_after_its_commit_is_found_by_its_repetition() {
    let server = Server::alone().await;
    for failpoint in SEND_WINDOWS {
        for action in ["panic", "abort"] {
            let user = server.user("repeater").await;
            let room = user.create_room(json!({})).await;
            user.send_text_and_wait(&room, "something").await;
            server.arm(json!({failpoint: {"action": action}})).await;
            let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/txn-1");
            let send = || {
                let request = server.http.put(server.address(&path)).bearer_auth(&user.token);
                Reply::try_to(request.body(json!({"msgtype": "m.text", "body": "once"}).to_string()))
            };

            // It may be answered, or lost with everything else.
            let _lost = send().await;
            let event = eventually("the repeated send", async || {
                let answer = send().await.ok()?;
                (answer.status == 200).then(|| answer.json()["event_id"].clone())
            })
            .await;

            let found = Room { user: &user, id: &room }.saying("once").await;
            assert_eq!(found.len(), 1, "{failpoint}, {action}: the room has the message {} times", found.len());
            assert_eq!(found[0]["event_id"], event);
            let event_id = event.as_str().expect("an event id").to_owned();
            user.wait_for_event(&room, &event_id).await;
            server.disarm().await;
        }
    }
}

#[tokio::test]
async fn an_object_that_loses_its_memory_goes_on_where_it_was() {
    let server = Server::alone().await;
    let (user, other) = (server.user("forgetful").await, server.user("other").await);
    let room = user.create_room(json!({"preset": "public_chat"})).await;
    other.join(&room).await;
    let first = user.send_text(&room, "first").await;
    let since = other.wait_for_event(&room, &first).await;

    for (class, name) in [("Room", room.as_str()), ("User", user.id.as_str()), ("User", other.id.as_str())] {
        server.abort(class, name).await;
    }

    let second = user.send_text(&room, "second").await;
    let answer = other.sync().since(&since).until("the second message", |sync| sync.has_event(&room, &second)).await;
    assert!(!answer.has_event(&room, &first), "the first message came again");
}

#[tokio::test]
async fn a_send_that_is_refused_leaves_nothing() {
    let server = Server::alone().await;
    let (user, outsider) = (server.user("insider").await, server.user("outsider").await);
    let room = user.create_room(json!({})).await;
    let content = json!({"msgtype": "m.text", "body": "x"});

    let before = server.settled().await;
    let refused = outsider.put(["rooms", &room, "send", "m.room.message", "t"], content).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cost = server.counts().await - before;

    refused.refused(403, "M_FORBIDDEN");
    assert_eq!(cost.written(), 0, "{cost:?}");
}

#[tokio::test]
async fn requests_for_what_does_not_exist_write_nothing() {
    let server = Server::alone().await;
    let user = server.user("guesser").await;
    let name = &server.name;
    let nowhere = [
        (Method::GET, "/_matrix/client/v3/rooms/!nowhere/state".to_owned()),
        (Method::GET, format!("/_matrix/client/v3/rooms/!nowhere:{name}/messages?dir=b")),
        (Method::POST, format!("/_matrix/client/v3/join/!nowhere:{name}")),
        (Method::GET, format!("/_matrix/client/v3/profile/@nobody:{name}")),
        (Method::POST, "/_hubbub/slack/nologin/nomac".to_owned()),
        (Method::GET, "/_hubbub/slack/login/a.1.b.c".to_owned()),
        (Method::GET, "/_hubbub/owner/nolink".to_owned()),
    ];

    let before = server.settled().await;
    for (method, path) in nowhere {
        let request = server.http.request(method, server.address(&path)).bearer_auth(&user.token);
        let answer = Reply::to(request.body("{}")).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cost = server.counts().await - before;
    assert_eq!(cost.written(), 0, "something was conjured: {cost:?}");
}
