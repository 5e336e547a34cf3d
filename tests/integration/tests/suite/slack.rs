//! The Slack bridge, both ways, with a Slack at the other end that signs, retries, limits and forgets.

use std::time::Duration;

use hubbub_integration::{Server, Workspace, bodies, eventually};
use serde_json::{Value, json};

/// A connected workspace of a new owner on the shared server.
async fn workspace() -> Workspace {
    let server = Server::shared();
    let owner = server.user("robin").await;
    Workspace::connected(&server, &owner).await
}

#[tokio::test]
async fn a_bridged_channel_starts_with_its_last_fifty_messages_and_goes_on_live() {
    let slack = workspace().await;
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
    let slack = workspace().await;
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
async fn an_answer_reaches_the_channel_once_with_its_metadata_and_does_not_come_back() {
    let slack = workspace().await;
    let portal = slack.bridge("C0GENERAL").await;

    let event_id = portal.answer("from Matrix with love").await;

    let post = slack.post("general", "from Matrix with love").await;
    assert!(post["metadata"].to_string().contains(&event_id), "the post does not name its event: {post}");
    assert_eq!(post["user"], "U0ROBIN");
    slack.tell("wait", &json!({})).await;
    portal.nothing_more().await;
    assert_eq!(slack.posts("general", "from Matrix with love").await.len(), 1);
    assert_eq!(portal.room().saying("from Matrix with love").await.len(), 1, "the answer came back");

    // The same event twice, as a client that got no answer would: one post.
    let content = json!({"msgtype": "m.text", "body": "said twice"});
    for _ in 0..2 {
        let path = ["rooms", portal.room_id.as_str(), "send", "m.room.message", "same-txn"];
        slack.owner.put(path, content.clone()).await.ok();
    }
    slack.post("general", "said twice").await;
    portal.nothing_more().await;
    assert_eq!(slack.posts("general", "said twice").await.len(), 1);
}

#[tokio::test]
async fn an_echo_without_metadata_does_not_come_back_either() {
    let slack = workspace().await;
    slack.tell("settings", &json!({"echo_metadata": false})).await;
    let portal = slack.bridge("C0GENERAL").await;

    for number in 0..5 {
        portal.answer(&format!("unmarked {number}")).await;
    }
    for number in 0..5 {
        slack.post("general", &format!("unmarked {number}")).await;
    }

    slack.tell("wait", &json!({})).await;
    portal.nothing_more().await;
    let wanted: Vec<_> = (0..5).map(|number| format!("unmarked {number}")).collect();
    assert_eq!(bodies(&portal.room().messages().await), wanted);
}

#[tokio::test]
async fn what_the_owner_writes_in_slack_appears_as_the_owner() {
    let slack = workspace().await;
    let portal = slack.bridge("C0GENERAL").await;

    slack.say("general", "owner", "from my phone").await;

    let message = portal.message("from my phone").await;
    assert_eq!(message["sender"], slack.owner.id.as_str());
    portal.nothing_more().await;
    assert!(slack.posts("general", "from my phone").await.is_empty(), "the owner's own message went back to Slack");
    assert_eq!(portal.room().saying("from my phone").await.len(), 1);
}

#[tokio::test]
async fn a_direct_message_makes_its_room_with_the_first_message() {
    let slack = workspace().await;
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
    let slack = workspace().await;
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
    let slack = workspace().await;
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
    let slack = workspace().await;
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

#[tokio::test]
async fn a_revoked_token_is_told_once_and_a_new_one_resumes_the_same_rooms() {
    let mut slack = workspace().await;
    let login_id = slack.login_id.clone();
    let room = {
        let portal = slack.bridge("C0GENERAL").await;
        portal.answer("before").await;
        slack.post("general", "before").await;
        portal.room_id
    };

    slack.tell("token/revoke", &json!({})).await;
    eventually("the login's new state", async || (slack.status().await["state"] == "bad_credentials").then_some(()))
        .await;
    let told = eventually("a word to the owner", async || {
        let rooms = slack.owner.get(["joined_rooms"]).await.ok();
        for room in rooms["joined_rooms"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let messages = hubbub_integration::Room { user: &slack.owner, id: room }.messages().await;
            let told = messages.iter().filter(|message| {
                message["content"]["body"].as_str().is_some_and(|body| body.contains("no longer accepts"))
            });
            if told.clone().next().is_some() {
                return Some((room.to_owned(), told.count()));
            }
        }
        None
    })
    .await;
    assert_eq!(told.1, 1);

    // Meanwhile nothing is lost in either direction, and the owner is not told again.
    slack.owner.send_text(&room, "while it is broken").await;
    slack.say("general", "ana", "are you there?").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let management = hubbub_integration::Room { user: &slack.owner, id: &told.0 };
    assert_eq!(management.messages().await.len(), 1, "the owner was told again");
    assert!(slack.posts("general", "while it is broken").await.is_empty());

    // A new token: the same login, the same rooms, and what waited goes on.
    let restored = slack.tell("token/restore", &json!({})).await;
    slack.token = restored["token"].as_str().expect("a token").to_owned();
    assert_eq!(slack.finish().await.ok()["login_id"], login_id.as_str());
    slack.post("general", "while it is broken").await;
    let portal = slack.bridge("C0GENERAL").await;
    assert_eq!(portal.room_id, room);
    portal.message("are you there?").await;
    slack.say("general", "ana", "welcome back").await;
    portal.message("welcome back").await;
    portal.nothing_more().await;
    assert_eq!(slack.posts("general", "while it is broken").await.len(), 1);
    assert_eq!(slack.status().await["state"], "connected");

    // A whole new connection of the same account is the same login, too.
    slack.start().await;
    assert_eq!(slack.finish().await.ok()["login_id"], login_id.as_str());
}

#[tokio::test]
async fn a_login_of_another_person_of_this_server_cannot_be_taken_over() {
    let slack = workspace().await;
    let other = slack.server.user("other").await;
    let started = slack.server.slack("connect/start", &json!({"owner": other.id})).await.ok();

    let body = json!({"login_id": started["login_id"], "signing_secret": slack.signing_secret, "token": slack.token});
    let refused = slack.server.slack("connect/finish", &body).await;

    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(!refused.body.contains(&slack.token), "the refusal shows the token");
    assert_eq!(slack.status().await["state"], "connected");
}

#[tokio::test]
async fn every_answer_arrives_once_although_slack_limits_drops_and_breaks() {
    let slack = workspace().await;
    let portal = slack.bridge("C0GENERAL").await;
    let script = ["ratelimited", "drop_answer", "ok", "close", "drop_answer", "http", "ok"];
    let script: Vec<_> = script.iter().map(|kind| json!({"kind": kind, "retry_after": 1})).collect();
    slack.tell("faults", &json!({"script": script})).await;

    for number in 0..8 {
        portal.answer(&format!("hard {number}")).await;
    }
    for number in 0..8 {
        slack.post("general", &format!("hard {number}")).await;
    }

    portal.nothing_more().await;
    let found = slack.look("messages?channel=general&from=app&text=hard").await;
    let posts: Vec<_> = found["messages"].as_array().expect("posts").iter().map(|post| post["text"].clone()).collect();
    let wanted: Vec<_> = (0..8).map(|number| json!(format!("hard {number}"))).collect();
    assert_eq!(posts, wanted, "lost, doubled or out of order");
    assert_eq!(portal.room().messages().await.len(), 8, "an echo came back");
}

#[tokio::test]
async fn a_message_that_slack_refuses_is_said_in_the_room() {
    let slack = workspace().await;
    let portal = slack.bridge("C0GENERAL").await;
    slack.tell("faults", &json!({"script": [{"kind": "error", "error": "is_archived"}]})).await;

    let event_id = portal.answer("into the archive").await;

    let notice = eventually("a notice", async || {
        portal.room().messages().await.into_iter().find(|event| event["content"]["msgtype"] == "m.notice")
    })
    .await;
    assert_eq!(notice["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], event_id.as_str());
    // The next one goes on.
    portal.answer("and on").await;
    slack.post("general", "and on").await;
    assert!(slack.posts("general", "into the archive").await.is_empty());
}

#[tokio::test]
async fn the_default_pace_is_one_message_a_second_and_channel() {
    let server = Server::shared();
    let owner = server.user("robin").await;
    let mut slack = Workspace::new(&server, &owner).await;
    slack.start().await;
    slack.finish().await.ok();
    slack.subscribe().await;
    let (general, random) = (slack.bridge("C0GENERAL").await, slack.bridge("C0RANDOM").await);

    for number in 0..5 {
        general.answer(&format!("pace {number}")).await;
        random.answer(&format!("pace {number}")).await;
    }
    slack.post("general", "pace 4").await;
    slack.post("random", "pace 4").await;

    let calls = slack.look("calls?method=chat.postMessage").await;
    for channel in ["C0GENERAL", "C0RANDOM"] {
        let calls = calls["calls"].as_array().into_iter().flatten();
        let times: Vec<i64> = calls
            .filter(|call| call["args"]["channel"] == channel)
            .map(|call| call["at"].as_i64().expect("a time"))
            .collect();
        assert_eq!(times.len(), 5, "{channel}: {times:?}");
        let span = times[4] - times[0];
        assert!((3_000..9_000).contains(&span), "{channel}: five messages took {span} ms");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{channel}: a burst: {times:?}");
    }
}

#[tokio::test]
async fn what_other_people_write_in_a_portal_does_not_go_out_in_the_owners_name() {
    let slack = workspace().await;
    let portal = slack.bridge("C0GENERAL").await;
    let guest = slack.server.user("guest").await;
    slack.owner.invite(&portal.room_id, &guest).await.ok();
    guest.join(&portal.room_id).await;

    guest.send_text(&portal.room_id, "I am Robin").await;
    portal.answer("I am Robin, really").await;

    slack.post("general", "I am Robin, really").await;
    assert!(slack.posts("general", "I am Robin").await.is_empty());
}

#[tokio::test]
async fn two_people_of_one_workspace_get_a_room_each_and_share_nothing() {
    let slack = workspace().await;
    let other = slack.server.user("ana").await;
    let app = slack.tell("apps", &json!({"owner": "ana"})).await;
    let started = slack.server.slack("connect/start", &json!({"owner": other.id})).await.ok();
    let (login, hook) = (started["login_id"].clone(), started["hook_url"].clone());
    let secrets =
        json!({"login_id": login, "signing_secret": app["app"]["signing_secret"], "token": app["app"]["token"]});
    slack.server.slack("connect/finish", &secrets).await.ok();
    let subscribed = slack.tell("subscription", &json!({"app": app["app"]["id"], "url": hook})).await;
    assert_eq!(subscribed["subscription"]["verified"], true);
    let mine = slack.bridge("C0SECRET").await;
    let theirs = slack.server.slack("bridge", &json!({"login_id": login, "channel": "secret-plans"})).await.ok();
    let their_room = theirs["room_id"].as_str().expect("a room").to_owned();
    assert_ne!(their_room, mine.room_id);

    let message = json!({"channel": "secret-plans", "user": "chidi", "text": "for both", "wait": true});
    slack.tell("messages", &message).await;

    mine.message("for both").await;
    let theirs = hubbub_integration::Room { user: &other, id: &their_room };
    eventually("the message in the other room", async || theirs.saying("for both").await.into_iter().next()).await;
    assert_eq!(slack.owner.get(["rooms", &their_room, "messages"]).query("dir", "b").await.status(), 403);
    let members = slack.owner.get(["rooms", &mine.room_id, "joined_members"]).await.ok();
    assert!(members["joined"][&other.id].is_null(), "{members}");
}
