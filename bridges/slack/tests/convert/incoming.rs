//! What the engine is told beside the text.

use crate::people::{Workspace, content, contents, message};
use hubbub_slack::convert::{EditKind, Incoming, from_slack, references};
use serde_json::{Value, json};

fn edit(now: Value, before: Value) -> Value {
    json!({ "type": "message", "subtype": "message_changed", "channel": "C1", "message": now, "previous_message": before })
}

#[test]
fn a_message_keeps_its_ids_and_its_sender() {
    let message = message(&json!({
        "type": "message", "channel": "C1", "user": "U1", "ts": "1712345678.000100", "thread_ts": "1712345000.000001",
        "client_msg_id": "abc", "text": "hi", "edited": { "user": "U1", "ts": "1712345679.000000" }
    }));

    assert_eq!(message.ts.unwrap().0, "1712345678.000100");
    assert_eq!(message.thread_ts.unwrap().0, "1712345000.000001");
    assert_eq!(message.channel.unwrap().0, "C1");
    assert_eq!(message.client_msg_id.unwrap().0, "abc");
    assert_eq!(message.sender.user.unwrap().0, "U1");
    assert_eq!(message.edited.unwrap().ts.0, "1712345679.000000");
    assert!(!message.also_in_channel);
}

#[test]
fn a_bot_message_names_its_sender() {
    let message = message(&json!({
        "type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "Deployer", "text": "done",
        "icons": { "image_48": "https://example.com/48.png" }, "ts": "1.1"
    }));

    assert_eq!(message.sender.bot.unwrap().0, "B1");
    assert_eq!(message.sender.username.as_deref(), Some("Deployer"));
    assert_eq!(message.sender.icon_url.as_deref(), Some("https://example.com/48.png"));
}

#[test]
fn a_thread_broadcast_belongs_to_thread_and_channel() {
    let message = message(&json!({ "subtype": "thread_broadcast", "text": "all", "ts": "2.1", "thread_ts": "1.1" }));

    assert!(message.also_in_channel);
    assert_eq!(message.thread_ts.unwrap().0, "1.1");
}

#[test]
fn an_edit_by_the_author_is_told_from_a_refresh_by_slack() {
    let now = json!({ "ts": "1.1", "text": "new", "edited": { "user": "U1", "ts": "3.0" } });
    let same_edit = json!({ "ts": "1.1", "text": "old", "edited": { "user": "U1", "ts": "3.0" } });
    let cases = [
        (edit(now.clone(), json!({ "ts": "1.1", "text": "old" })), EditKind::Author),
        (edit(now.clone(), same_edit), EditKind::Refresh),
        (
            edit(
                json!({ "ts": "1.1", "text": "x", "attachments": [{ "text": "y" }] }),
                json!({ "ts": "1.1", "text": "x" }),
            ),
            EditKind::Refresh,
        ),
    ];
    for (event, kind) in cases {
        let Incoming::Edit(edit) = from_slack(&event, &Workspace) else { panic!("no edit: {event}") };
        assert_eq!(edit.kind, kind);
        assert_eq!(edit.message.ts.unwrap().0, "1.1");
        assert_eq!(edit.message.channel.unwrap().0, "C1");
    }
}

#[test]
fn a_deletion_names_the_message_and_so_does_a_tombstone() {
    let deleted = json!({ "subtype": "message_deleted", "channel": "C1", "deleted_ts": "1.1", "previous_message": { "thread_ts": "0.5" } });
    let Incoming::Deletion(deletion) = from_slack(&deleted, &Workspace) else { panic!() };
    assert_eq!((deletion.ts.0.as_str(), deletion.thread_ts.unwrap().0.as_str()), ("1.1", "0.5"));

    let tombstone = edit(
        json!({ "subtype": "tombstone", "ts": "1.1", "text": "This message was deleted." }),
        json!({ "ts": "1.1" }),
    );
    let Incoming::Deletion(deletion) = from_slack(&tombstone, &Workspace) else { panic!() };
    assert_eq!(deletion.ts.0, "1.1");
}

#[test]
fn bookkeeping_is_ignored_and_a_broken_event_is_told_apart() {
    assert!(matches!(from_slack(&json!({ "subtype": "message_replied" }), &Workspace), Incoming::Ignored { .. }));
    assert!(matches!(
        from_slack(&json!({ "subtype": "message_deleted" }), &Workspace),
        Incoming::Malformed { missing: "deleted_ts" }
    ));
    assert!(matches!(
        from_slack(&json!({ "subtype": "message_changed" }), &Workspace),
        Incoming::Malformed { missing: "message" }
    ));
}

#[test]
fn fields_of_the_wrong_type_cost_no_text() {
    let odd = json!({ "ts": 7, "user": [], "text": "still here", "blocks": "none", "attachments": {}, "files": null, "edited": true });
    assert_eq!(content(&odd)["body"], "still here");
}

#[test]
fn every_content_says_explicitly_whom_it_mentions() {
    let silent = content(&json!({ "text": "@room and Alice" }));
    assert_eq!(silent["m.mentions"], json!({}));

    let loud = content(&json!({ "text": "<@U1> <@U1> <!here>" }));
    assert_eq!(loud["m.mentions"], json!({ "user_ids": ["@slack_u1:hub.example"], "room": true }));
}

#[test]
fn references_list_each_id_once() {
    let event = edit(
        json!({
            "ts": "1.1", "user": "U1", "bot_id": "B1", "text": "<@U2> <#C1> <!subteam^S1>",
            "attachments": [{ "text": "<@U3> <@U2>" }]
        }),
        json!({ "text": "<@U9>" }),
    );
    let found = references(&event);

    assert_eq!(found.users.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["U1", "U2", "U3"]);
    assert_eq!(found.channels.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["C1"]);
    assert_eq!(found.usergroups.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["S1"]);
    assert_eq!(found.bots.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["B1"]);
}

#[test]
fn a_message_larger_than_an_event_becomes_several_and_loses_nothing() {
    let words: Vec<String> = (0..12_000).map(|number| format!("<w{number}>&amp;")).collect();
    let text = words.join(" ").replace('<', "&lt;").replace('>', "&gt;");
    let contents = contents(
        &json!({ "text": format!("*{text}*"), "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": text } }] }),
    );

    assert!(contents.len() > 1);
    for content in &contents {
        let size = serde_json::to_string(content).unwrap().len();
        assert!(size < 60_000, "{size} bytes");
    }
    let said: String = contents.iter().map(|content| content["body"].as_str().unwrap()).collect::<Vec<_>>().join(" ");
    assert_eq!(said.split_whitespace().filter(|word| word.starts_with("<w")).count(), 12_000);
}
