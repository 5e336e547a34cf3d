//! What is done to a message later, on either side: edits, deletions, reactions, threads.

use hubbub_integration::{Workspace, eventually};
use serde_json::{Value, json};

/// The event with what is bundled with it, once that is as wanted.
async fn bundled(slack: &Workspace, room: &str, event: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let event_id = event["event_id"].as_str().expect("an event id");
    eventually("the change of an event", async || {
        let event = slack.owner.get(["rooms", room, "event", event_id]).await.ok();
        wanted(&event).then_some(event)
    })
    .await
}

async fn message_at(slack: &Workspace, ts: &str) -> Option<Value> {
    let found = slack.look("messages?channel=general").await;
    let messages = found["messages"].as_array().cloned().unwrap_or_default();
    messages.into_iter().find(|message| message["ts"] == ts)
}

#[tokio::test]
async fn edits_deletions_reactions_and_threads_of_slack_reach_the_room() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let room = &portal.room_id;
    let ts = slack.say("general", "ana", "frist").await;
    let message = portal.message("frist").await;
    let at = json!({"channel": "general", "ts": ts});
    let with = |more: Value| {
        let mut body = at.clone();
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };

    slack.tell("unfurl", &at).await;
    slack.tell("edit", &with(json!({"text": "first"}))).await;
    let edited =
        bundled(&slack, room, &message, |event| event["unsigned"]["m.relations"]["m.replace"].is_object()).await;
    let edit = &edited["unsigned"]["m.relations"]["m.replace"];
    // With the page's preview below it.
    let body = edit["content"]["m.new_content"]["body"].as_str().expect("a body");
    assert_eq!(body.lines().next(), Some("first"));
    assert_eq!(edit["sender"], portal.ghost("U0ANA"));

    slack.tell("reaction", &with(json!({"user": "bjorn", "name": "tada"}))).await;
    slack.tell("messages", &json!({"channel": "general", "user": "bjorn", "text": "in it", "thread_ts": ts})).await;
    let reply = portal.message("in it").await;
    assert_eq!(reply["content"]["m.relates_to"]["event_id"], message["event_id"]);
    let event_id = message["event_id"].as_str().expect("an event id");
    let reactions = eventually("a reaction", async || {
        let found = slack.owner.get(["rooms", room, "relations", event_id, "m.annotation"]).version("v1").await.ok();
        (found["chunk"][0]["content"]["m.relates_to"]["key"] == "🎉").then_some(found)
    })
    .await;
    assert_eq!(reactions["chunk"][0]["sender"], portal.ghost("U0BJORN"));

    slack.tell("delete", &at).await;
    bundled(&slack, room, &message, |event| event["content"] == json!({})).await;
}

#[tokio::test]
async fn edits_deletions_reactions_and_replies_of_the_owner_reach_slack() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let room = &portal.room_id;
    let send = async |kind: &str, content: Value| {
        let transaction = format!("t{}", content.to_string().len());
        let sent = slack.owner.put(["rooms", room, "send", kind, &transaction], content).await.ok();
        sent["event_id"].as_str().expect("an event id").to_owned()
    };
    let ts = slack.say("general", "ana", "like me").await;
    let theirs = portal.message("like me").await;
    let theirs = theirs["event_id"].as_str().expect("an event id");
    let mine = portal.answer("mien").await;
    let post = slack.post("C0GENERAL", "mien").await;
    let my_ts = post["ts"].as_str().expect("a ts").to_owned();

    let edit = json!({
        "msgtype": "m.text", "body": "* mine", "m.new_content": {"msgtype": "m.text", "body": "mine"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": mine},
    });
    send("m.room.message", edit).await;
    let reaction = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": theirs, "key": "👍️"}});
    let reaction = send("m.reaction", reaction).await;
    eventually("the edit and the reaction at Slack", async || {
        let edited = message_at(&slack, &my_ts).await?["text"] == "mine";
        let liked = message_at(&slack, &ts).await?["reactions"][0]["name"] == "+1";
        (edited && liked).then_some(())
    })
    .await;

    let reply = json!({
        "msgtype": "m.text", "body": "answered", "m.relates_to": {"m.in_reply_to": {"event_id": theirs}},
    });
    send("m.room.message", reply).await;
    assert_eq!(slack.post("C0GENERAL", "answered").await["thread_ts"], ts.as_str());
    slack.owner.put(["rooms", room, "redact", &reaction, "r1"], json!({})).await.ok();
    slack.owner.put(["rooms", room, "redact", &mine, "r2"], json!({})).await.ok();
    eventually("the ends of both at Slack", async || {
        let gone = message_at(&slack, &my_ts).await.is_none();
        let liked = message_at(&slack, &ts).await?["reactions"].is_array();
        (gone && !liked).then_some(())
    })
    .await;
    portal.nothing_more().await;
}
