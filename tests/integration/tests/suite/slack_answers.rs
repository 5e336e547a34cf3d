//! From Matrix to Slack: once, in order, at Slack's pace, and nothing comes back.

use hubbub_integration::{Server, Workspace, bodies, eventually};
use serde_json::json;

#[tokio::test]
async fn an_answer_reaches_the_channel_once_with_its_metadata_and_does_not_come_back() {
    let slack = Workspace::shared().await;
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
    let slack = Workspace::shared().await;
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
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;

    slack.say("general", "owner", "from my phone").await;

    let message = portal.message("from my phone").await;
    assert_eq!(message["sender"], slack.owner.id.as_str());
    portal.nothing_more().await;
    assert!(slack.posts("general", "from my phone").await.is_empty(), "the owner's own message went back to Slack");
    assert_eq!(portal.room().saying("from my phone").await.len(), 1);
}

#[tokio::test]
async fn every_answer_arrives_once_although_slack_limits_drops_and_breaks() {
    let slack = Workspace::shared().await;
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
    let slack = Workspace::shared().await;
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
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let guest = slack.server.user("guest").await;
    slack.owner.invite(&portal.room_id, &guest).await.ok();
    guest.join(&portal.room_id).await;

    guest.send_text(&portal.room_id, "I am Robin").await;
    portal.answer("I am Robin, really").await;

    slack.post("general", "I am Robin, really").await;
    assert!(slack.posts("general", "I am Robin").await.is_empty());
}
