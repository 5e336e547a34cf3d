//! From Slack to Matrix, with a Slack at the other end that signs, retries and forgets; and the rooms themselves.

use hubbub_integration::{Server, Workspace, bodies, eventually};
use serde_json::json;

#[tokio::test]
async fn a_bridged_channel_starts_with_its_last_fifty_messages_and_goes_on_live() {
    let slack = Workspace::shared().await;
    for number in 0..60 {
        let user = if number % 2 == 0 { "ana" } else { "bjorn" };
        let message = json!({"channel": "general", "user": user, "text": format!("old {number}"), "deliver": false});
        slack.tell("messages", &message).await;
    }

    let portal = slack.bridge("C0GENERAL").await;
    let old = portal.messages("old", 50).await;
    let wanted: Vec<_> = (10..60).map(|number| format!("old {number}")).collect();
    assert_eq!(bodies(&old), wanted, "the first history is not the last fifty messages in order");
    assert_eq!(old[0]["sender"], portal.ghost("U0ANA"));
    assert_eq!(old[1]["sender"], portal.ghost("U0BJORN"));

    let since = slack.owner.sync_token().await;
    let sync = slack.owner.sync().since(&since).timeout(20_000);
    let waiting = tokio::spawn(async move { sync.await });
    let ts = slack.say("general", "ana", "and <https://example.org|now> live").await;
    let answer = waiting.await.expect("the sync");
    assert!(!answer.joined(&portal.room_id).is_null(), "the sync woke for something else: {}", *answer);
    let live = portal.messages("and", 1).await.remove(0);
    let html = live["content"]["formatted_body"].as_str().unwrap_or_default();
    assert!(html.contains("<a href=\"https://example.org\">now</a>"), "{html}");
    // Told at the time at which it was said.
    let seconds: i64 = ts.split('.').next().and_then(|seconds| seconds.parse().ok()).expect("a ts");
    assert_eq!(live["origin_server_ts"].as_i64().map(|at| at / 1000), Some(seconds));
    // Bridged again: the same room.
    assert_eq!(slack.bridge("#general").await.room_id, portal.room_id);
    assert_eq!(portal.messages("and", 1).await.len(), 1);
}

#[tokio::test]
async fn a_portal_is_a_named_unfederated_room_in_the_space_of_its_workspace() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let (owner, room) = (&slack.owner, &portal.room_id);

    assert_eq!(owner.state(room, "m.room.name").await["name"], "general");
    assert!(owner.state(room, "m.room.topic").await["topic"].as_str().is_some_and(|topic| topic.contains("Company")));
    assert_eq!(owner.state(room, "m.room.create").await["m.federate"], false);
    assert_eq!(owner.member_state(room, &owner.id).await["membership"], "join");
    let power = owner.state(room, "m.room.power_levels").await;
    assert!(power["users"][&owner.id].as_i64().is_some_and(|level| level >= 50), "{power}");
    let state = owner.get(["rooms", room, "state"]).await.ok();
    let parent = state.as_array().into_iter().flatten().find(|event| event["type"] == "m.space.parent");
    let space = parent.and_then(|event| event["state_key"].as_str()).expect("a space").to_owned();
    eventually("the room in its space", async || {
        let child = owner.get(["rooms", &space, "state", "m.space.child", room]).await;
        (child.status() == 200).then_some(())
    })
    .await;
    // The ghosts have the names of their people.
    slack.say("general", "ana", "who am I").await;
    portal.message("who am I").await;
    let ghost = owner.member_state(room, &portal.ghost("U0ANA")).await;
    assert_eq!((ghost["membership"].as_str(), ghost["displayname"].as_str()), (Some("join"), Some("Ana")));
}

#[tokio::test]
async fn a_direct_message_makes_its_room_with_the_first_message() {
    let slack = Workspace::shared().await;
    let since = slack.owner.sync_token().await;

    slack.say("@ana", "ana", "psst").await;

    let rooms = eventually("a direct room", async || {
        let rooms = slack.direct_rooms().await;
        (!rooms.is_empty()).then_some(rooms)
    })
    .await;
    let portal = slack.portal("D0ANA", &rooms[0]);
    let message = portal.message("psst").await;
    assert_eq!(message["sender"], portal.ghost("U0ANA"));
    let answer = slack.owner.sync().since(&since).await;
    assert!(!answer.joined(&portal.room_id).is_null(), "the sync does not show the new room: {}", *answer);
    assert_eq!(slack.owner.state(&portal.room_id, "m.room.name").await["name"], "Ana");
    // An answer finds its way, and a second message the same room.
    portal.answer("what is it").await;
    slack.post("D0ANA", "what is it").await;
    slack.say("@ana", "ana", "nothing").await;
    portal.message("nothing").await;
    assert_eq!(slack.direct_rooms().await, rooms);

    // A chat of three, too.
    slack.say("C0GROUPDM", "bjorn", "the three of us").await;
    eventually("a second direct room", async || (slack.direct_rooms().await.len() == 2).then_some(())).await;
}

#[tokio::test]
async fn channels_that_nobody_chose_are_acknowledged_counted_and_dropped() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let rooms = slack.owner.get(["joined_rooms"]).await.ok();

    for number in 0..3 {
        slack.say("random", "ana", &format!("off topic {number}")).await;
    }
    slack.say("general", "ana", "on topic").await;

    portal.message("on topic").await;
    assert_eq!(slack.counter("dropped").await, 3);
    assert_eq!(slack.counter("accepted").await, 1);
    assert_eq!(slack.owner.get(["joined_rooms"]).await.ok(), rooms);

    // Unbridged: dropped from then on; the room stays and takes no answers.
    slack.server.slack("unbridge", &json!({"login_id": slack.login_id, "channel": "general"})).await.ok();
    slack.say("general", "ana", "nobody listens").await;
    assert_eq!(slack.counter("dropped").await, 4);
    portal.answer("to nobody").await;
    portal.nothing_more().await;
    assert!(portal.room().saying("nobody listens").await.is_empty());
    assert!(slack.posts("general", "to nobody").await.is_empty());
    // Bridged again: the same room goes on.
    assert_eq!(slack.bridge("general").await.room_id, portal.room_id);
    slack.say("general", "ana", "back again").await;
    portal.message("back again").await;
}

#[tokio::test]
async fn an_event_that_comes_again_is_shown_once() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let messages: Vec<_> =
        (0..20).map(|number| json!({"channel": "general", "user": "ana", "text": format!("twice {number}")})).collect();

    slack.tell("messages", &json!({"messages": messages, "twice": true, "wait": true})).await;
    portal.messages("twice", 20).await;
    // And long after they were handed over.
    slack
        .tell(
            "deliver",
            &json!({"channel": "general", "ts": slack.look("messages?channel=general&text=twice").await
        ["messages"].as_array().expect("messages").iter().map(|message| message["ts"].clone()).collect::<Vec<_>>()}),
        )
        .await;
    slack.tell("wait", &json!({})).await;

    portal.nothing_more().await;
    assert_eq!(portal.messages("twice", 20).await.len(), 20);
    assert_eq!((slack.counter("accepted").await, slack.counter("duplicates").await), (20, 40));
}

#[tokio::test]
async fn a_shuffled_group_stands_in_the_order_of_its_timestamps() {
    let server = Server::alone().await;
    let owner = server.user("robin").await;
    let slack = Workspace::connected(&server, &owner).await;
    let portal = slack.bridge("C0GENERAL").await;
    slack.say("general", "ana", "the first").await;
    portal.message("the first").await;
    for group in 0..3 {
        let messages: Vec<_> = (0..20)
            .map(|number| json!({"channel": "general", "user": "ana", "text": format!("group {group} {number:02}")}))
            .collect();
        // Holds the portal while the group comes in.
        server.arm(json!({"portal.before_apply": {"action": {"delay": 2_000}}})).await;

        let shuffled = json!({"messages": messages, "shuffle": true, "twice": true, "parallel": 1, "wait": true});
        slack.tell("messages", &shuffled).await;

        let start = format!("group {group}");
        let wanted: Vec<_> = (0..20).map(|number| format!("{start} {number:02}")).collect();
        assert_eq!(bodies(&portal.messages(&start, 20).await), wanted);
        server.disarm().await;
    }
}

#[tokio::test]
async fn what_would_make_a_portal_deaf_is_refused_and_the_refusal_says_why() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});

    let refused = slack.owner.put_state(&portal.room_id, "m.room.encryption", "", encryption).await;

    let refused = refused.refused(403, "M_FORBIDDEN");
    let reason = refused["error"].as_str().unwrap_or_default().to_lowercase();
    assert!(reason.contains("bridge"), "the refusal does not say why: {reason}");
    let tombstone = json!({"body": "moved", "replacement_room": "!elsewhere:example.org"});
    slack.owner.put_state(&portal.room_id, "m.room.tombstone", "", tombstone).await.refused(403, "M_FORBIDDEN");
    let acl = json!({"allow": []});
    slack.owner.put_state(&portal.room_id, "m.room.server_acl", "", acl).await.refused(403, "M_FORBIDDEN");
    // And nobody raises the level to allow it.
    let mut power = slack.owner.state(&portal.room_id, "m.room.power_levels").await;
    power["events"]["m.room.encryption"] = json!(0);
    slack.owner.put_state(&portal.room_id, "m.room.power_levels", "", power).await.refused(403, "M_FORBIDDEN");
    // What an owner may do goes through.
    slack.owner.set_state(&portal.room_id, "m.room.name", json!({"name": "My general"})).await;
}
