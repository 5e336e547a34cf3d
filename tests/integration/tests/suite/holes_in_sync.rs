//! Holes of another homeserver's `/sync`, each as a probe: lost messages, missing state, empty wakes.

use hubbub_conformance::{User, events, shows_member};
use hubbub_integration::{Server, eventually, ids};
use serde_json::{Value, json};

async fn public_room(host: &User, guest: &User) -> String {
    let room = host.create_room(json!({"preset": "public_chat"})).await;
    guest.join(&room).await;
    room
}

/// Pages back from `from` to `stop`, and returns the ids of what lies between, oldest first.
async fn page_back(user: &User, room: &str, from: &str, stop: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut from = from.to_owned();
    loop {
        let page = user.get(["rooms", room, "messages"]).query("dir", "b").query("from", &from).query("limit", "20");
        let page = page.await.ok();
        for id in ids(page["chunk"].as_array().expect("events")) {
            if id == stop {
                found.reverse();
                return found;
            }
            found.push(id);
        }
        from = page["end"].as_str().expect("the last seen event is not on the way back").to_owned();
    }
}

#[tokio::test]
async fn a_limited_sync_of_130_messages_loses_none() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    for limit in [None, Some(10), Some(1)] {
        let seen = host.send_text(&room, "the last one seen").await;
        let since = guest.wait_for_event(&room, &seen).await;
        let mut sent = Vec::new();
        for number in 0..130 {
            sent.push(host.send_text(&room, &format!("missed {number}")).await);
        }
        let last = sent.last().expect("the last").clone();

        let answer = eventually("the newest message", async || {
            let mut sync = guest.sync().since(&since).timeout(0);
            if let Some(limit) = limit {
                sync = sync.filter(json!({"room": {"timeline": {"limit": limit}}}));
            }
            let answer = sync.await;
            (ids(answer.timeline(&room)).last() == Some(&last)).then_some(answer)
        })
        .await;

        let section = answer.joined(&room);
        assert_eq!(section["timeline"]["limited"], true);
        let timeline = ids(answer.timeline(&room));
        assert!(limit.is_none_or(|limit| timeline.len() == limit), "{} events", timeline.len());
        let prev_batch = section["timeline"]["prev_batch"].as_str().expect("a token");
        let mut all = page_back(&guest, &room, prev_batch, &seen).await;
        all.extend(timeline);
        assert_eq!(all, sent, "what was missed is lost, doubled or out of order");
        // And nothing of it comes again.
        let next = guest.sync().since(&answer.next_batch()).timeout(0).await;
        assert!(next.timeline(&room).is_empty(), "{}", *next);
    }
}

#[tokio::test]
async fn a_newly_joined_room_has_its_state() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = host.create_room(json!({"preset": "public_chat", "name": "Stateful"})).await;
    for number in 0..60 {
        host.send_text(&room, &format!("before {number}")).await;
    }
    let since = guest.sync_token().await;

    guest.join(&room).await;
    let answer = guest.sync().since(&since).until("the room", |sync| !sync.joined(&room).is_null()).await;

    let section = answer.joined(&room);
    let known =
        |kind: &str| events(&section["state"]).iter().chain(answer.timeline(&room)).any(|event| event["type"] == kind);
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.name", "m.room.member"] {
        assert!(known(kind), "the room has no {kind}: {section}");
    }
    assert!(shows_member(section, &guest.id, "join") && shows_member(section, &host.id, "join"));
    assert_eq!(section["timeline"]["limited"], true);
    assert_eq!(section["summary"]["m.joined_member_count"], 2, "{section}");
}

#[tokio::test]
async fn rooms_that_one_was_kicked_from_or_left_are_told() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let kicked = public_room(&host, &guest).await;
    let left = public_room(&host, &guest).await;
    let since = guest.sync_token().await;

    host.kick(&kicked, &guest).await.ok();
    guest.leave(&left).await;

    let answer = guest.sync().since(&since).until("both rooms", |sync| {
        let (kicked, left) = (sync.left(&kicked), sync.left(&left));
        shows_member(kicked, &guest.id, "leave") && shows_member(left, &guest.id, "leave")
    });
    let next = answer.await.next_batch();
    // What is said afterwards is not for them.
    let later = host.send_text(&kicked, "good riddance").await;
    host.wait_for_event(&kicked, &later).await;
    let answer = guest.sync().since(&next).timeout(500).await;
    assert!(!answer.to_string().contains(&later), "{}", *answer);
}

#[tokio::test]
async fn the_limit_of_a_filter_keeps_the_newest() {
    let server = Server::shared();
    let user = server.user("filtering").await;
    let room = user.create_room(json!({})).await;
    let mut sent = Vec::new();
    for number in 0..8 {
        sent.push(user.send_text_and_wait(&room, &format!("message {number}")).await);
    }

    let answer = user.sync().filter(json!({"room": {"timeline": {"limit": 3}}})).await;

    assert_eq!(ids(answer.timeline(&room)), sent.split_off(5));
}

#[tokio::test]
async fn unread_messages_are_counted_until_they_are_read() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    guest.sync_token().await;
    let first = host.send_text(&room, "one").await;
    let mention = json!({"msgtype": "m.text", "body": "you", "m.mentions": {"user_ids": [guest.id]}});
    let second = host.send(&room, "m.room.message", mention).await;
    guest.wait_for_event(&room, &second).await;

    let counts = async || guest.sync().await.joined(&room)["unread_notifications"].clone();
    assert_eq!(counts().await, json!({"notification_count": 2, "highlight_count": 1}));
    guest.post(["rooms", &room, "receipt", "m.read", &first]).json(json!({})).await.ok();
    eventually("one unread message", async || {
        (counts().await == json!({"notification_count": 1, "highlight_count": 1})).then_some(())
    })
    .await;
    guest.post(["rooms", &room, "receipt", "m.read", &second]).json(json!({})).await.ok();
    eventually("no unread message", async || {
        (counts().await == json!({"notification_count": 0, "highlight_count": 0})).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_invitation_shows_no_more_than_the_stripped_state() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let secret = json!([{"type": "com.hubbub.secret", "state_key": "", "content": {"secret": "treasure"}}]);
    let room = host.create_room(json!({"preset": "private_chat", "name": "Come in", "initial_state": secret})).await;
    host.send_text(&room, "treasure").await;

    host.invite(&room, &guest).await.ok();

    let answer = guest.sync().until("the invitation", |sync| !sync.invited(&room).is_null()).await;
    let stripped = answer.invited(&room).to_string();
    assert!(stripped.contains("Come in") && stripped.contains("m.room.join_rules"), "{stripped}");
    assert!(!answer.to_string().contains("treasure"), "{}", *answer);
    for event in events(&answer.invited(&room)["invite_state"]) {
        assert!(event["event_id"].is_null() && event["unsigned"].is_null(), "more than stripped: {event}");
    }
    for part in ["state", "messages", "members"] {
        let peek = guest.get(["rooms", &room, part]).query("dir", "b").await;
        assert_eq!(peek.status(), 403, "{part}: {peek}");
    }
}

#[tokio::test]
async fn tokens_of_others_and_of_nowhere_reveal_nothing_and_break_nothing() {
    let server = Server::shared();
    let (user, other) = (server.user("one").await, server.user("other").await);
    let room = user.create_room(json!({})).await;
    let event = user.send_text_and_wait(&room, "mine").await;
    let token = user.sync_token().await;

    let answer = other.sync().since(&token).timeout(0).await;
    assert!(!answer.to_string().contains(&event), "{}", *answer);
    for malformed in ["", "nonsense", "%00", "s1_2_3", "-1"] {
        let answer = user.get(["sync"]).query("since", malformed).query("timeout", "0").await;
        assert!([200, 400].contains(&answer.status()), "{malformed:?}: {answer}");
        if answer.status() == 400 {
            answer.refused(400, "M_INVALID_PARAM");
        }
    }
    for malformed in ["nonsense", "1.2", "%3Cscript%3E"] {
        let page = user.get(["rooms", &room, "messages"]).query("dir", "b").query("from", malformed).await;
        page.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test]
async fn an_old_token_still_gets_everything_since() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let since = guest.sync_token().await;
    let mut rooms = Vec::new();
    for number in 0..5 {
        let room = public_room(&host, &guest).await;
        host.set_state(&room, "m.room.topic", json!({"topic": format!("number {number}")})).await;
        let last = host.send_text(&room, "the end").await;
        guest.put(["user", &guest.id, "rooms", &room, "account_data", "com.hubbub.n"], json!({"n": number})).await.ok();
        rooms.push((room, last));
    }
    guest.put(["user", &guest.id, "account_data", "com.hubbub.global"], json!({"a": 1})).await.ok();
    for (room, last) in &rooms {
        guest.wait_for_event(room, last).await;
    }

    for _ in 0..2 {
        // The same token twice: nothing is taken for delivered.
        let answer = guest.sync().since(&since).timeout(0).await;
        for (number, (room, last)) in rooms.iter().enumerate() {
            let section = answer.joined(room);
            assert!(answer.has_event(room, last), "{section}");
            let data: Vec<&Value> = events(&section["account_data"]).iter().collect();
            assert!(data.iter().any(|event| event["content"]["n"] == number), "{section}");
        }
        assert!(answer.account_data("com.hubbub.global").is_some());
    }
}
