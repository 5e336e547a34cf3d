//! A login outlives its token, and belongs to one person.

use std::time::Duration;

use hubbub_integration::{Room, Workspace, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn a_revoked_token_is_told_once_and_a_new_one_resumes_the_same_rooms() {
    let mut slack = Workspace::shared().await;
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
            let messages = Room { user: &slack.owner, id: room }.messages().await;
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
    let management = Room { user: &slack.owner, id: &told.0 };
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
    let slack = Workspace::shared().await;
    let other = slack.server.user("other").await;
    let started = slack.server.slack("connect/start", &json!({"owner": other.id})).await.ok();

    let body = json!({"login_id": started["login_id"], "signing_secret": slack.signing_secret, "token": slack.token});
    let refused = slack.server.slack("connect/finish", &body).await;

    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(!refused.body.contains(&slack.token), "the refusal shows the token");
    assert_eq!(slack.status().await["state"], "connected");
}

#[tokio::test]
async fn two_people_of_one_workspace_get_a_room_each_and_share_nothing() {
    let slack = Workspace::shared().await;
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
    let theirs = Room { user: &other, id: &their_room };
    eventually("the message in the other room", async || theirs.saying("for both").await.into_iter().next()).await;
    assert_eq!(slack.owner.get(["rooms", &their_room, "messages"]).query("dir", "b").await.status(), 403);
    let members = slack.owner.get(["rooms", &mine.room_id, "joined_members"]).await.ok();
    assert!(members["joined"][&other.id].is_null(), "{members}");
}
