//! Files through the bridge on the real platform: they stream between Slack, R2 and the clients.

use hubbub_integration::{Server, Workspace, eventually};
use serde_json::{Value, json};

const TWENTY_MEGABYTES: usize = 20_000_000;

async fn memory(server: &Server) -> i64 {
    server.operations().await["memory_bytes"].as_i64().expect("a count of bytes")
}

/// The files that the workspace has, with their digests.
async fn files_of(slack: &Workspace) -> Vec<Value> {
    slack.look("files").await["files"].as_array().cloned().unwrap_or_default()
}

/// Trap: Memory.
#[tokio::test]
async fn twenty_megabytes_pass_through_the_bridge_both_ways_without_the_program_growing() {
    let server = Server::alone().await;
    let owner = server.user("files").await;
    let slack = Workspace::connected(&server, &owner).await;
    let portal = slack.bridge("C0GENERAL").await;
    slack.say("general", "ana", "warm").await;
    portal.message("warm").await;
    let before = memory(&server).await;

    let post =
        json!({"channel": "general", "user": "ana", "text": "look", "name": "film.mp4", "size": TWENTY_MEGABYTES});
    let posted = slack.tell("file", &post).await;
    let shown = portal.message("film.mp4").await;
    let content = &shown["content"];
    assert_eq!(
        (&content["msgtype"], &content["info"]["size"]),
        (&json!("m.video"), &json!(TWENTY_MEGABYTES)),
        "{shown}"
    );
    let uri = content["url"].as_str().and_then(|uri| uri.strip_prefix("mxc://")).expect("an address").to_owned();
    let address = server.address(&format!("/_matrix/client/v1/media/download/{uri}"));
    let bytes = server.http.get(address).bearer_auth(&owner.token).send().await.expect("an answer");
    let bytes = bytes.bytes().await.expect("a body");
    assert_eq!(bytes.len(), TWENTY_MEGABYTES);

    // The same file back again: what arrives at Slack is what came from there.
    let mut back = content.clone();
    back["body"] = "back.mp4".into();
    back["filename"] = "back.mp4".into();
    owner.send(&portal.room_id, "m.room.message", back).await;
    let arrived = eventually("the file at Slack", async || {
        let files = files_of(&slack).await;
        files.into_iter().find(|file| file["name"] == "back.mp4" && file["complete"] == true)
    })
    .await;
    assert_eq!(arrived["sha256"], posted["sha256"], "{arrived}");

    let grown = memory(&server).await - before;
    assert!(grown < 4_000_000, "the program grew by {grown} bytes");
}

#[tokio::test]
async fn a_file_that_is_not_ready_comes_when_it_is() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let post = json!({"channel": "general", "user": "ana", "name": "late.png", "size": 100, "not_ready": 1});
    slack.tell("file", &post).await;
    slack.say("general", "ana", "after").await;

    portal.message("after").await;
    let messages = portal.room().messages().await;
    let bodies: Vec<_> = messages.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    assert_eq!(bodies, ["late.png", "after"]);
}
