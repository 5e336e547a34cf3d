//! The management room: a chat with the bridge's bot, and the one-time page that takes the secrets.

use hubbub_conformance::User;
use hubbub_integration::{Reply, Room, Server, Workspace, eventually};
use serde_json::{Value, json};

/// The chat of somebody with the bot.
struct Chat<'a> {
    server: &'a Server,
    user: &'a User,
    room_id: String,
}

impl<'a> Chat<'a> {
    /// Invites the bot into a new room and waits for its greeting.
    async fn with_bot(server: &'a Server, user: &'a User) -> Chat<'a> {
        let bot = format!("@slackbot:{}", server.name);
        let room_id = user.create_room(json!({"preset": "private_chat", "is_direct": true, "invite": [bot]})).await;
        let chat = Chat { server, user, room_id };
        chat.reply_after("").await;
        chat
    }

    fn room(&self) -> Room<'_> {
        Room { user: self.user, id: &self.room_id }
    }

    /// What the bot said after the event with this id (all that it said, when empty).
    async fn reply_after(&self, event_id: &str) -> String {
        let bot = format!("@slackbot:{}", self.server.name);
        eventually("an answer of the bot", async || {
            let mut messages = self.room().messages().await;
            if let Some(at) = messages.iter().position(|message| message["event_id"] == event_id) {
                messages.drain(..=at);
            }
            // What came in from a history is told by itself.
            let of_history = |body: &Value| body.as_str().is_some_and(|body| body.contains("Older history"));
            messages.retain(|message| message["content"].get("m.new_content").is_none());
            messages.retain(|message| !of_history(&message["content"]["body"]));
            let reply = messages.iter().find(|message| message["sender"] == bot.as_str())?;
            reply["content"]["body"].as_str().map(str::to_owned)
        })
        .await
    }

    async fn say(&self, command: &str) -> String {
        let event_id = self.user.send_text(&self.room_id, command).await;
        self.reply_after(&event_id).await
    }
}

/// The first address in a text.
fn link_in(text: &str, server: &Server) -> String {
    let start = text.find(&format!("{}/_hubbub/slack/login/", server.url)).unwrap_or_else(|| panic!("no link: {text}"));
    text[start..].split_whitespace().next().expect("a link").to_owned()
}

async fn submit(server: &Server, link: &str, secret: &str, token: &str) -> Reply {
    let form = format!("signing_secret={secret}&token={token}");
    let request = server.http.post(link).header("content-type", "application/x-www-form-urlencoded");
    Reply::to(request.body(form)).await
}

#[tokio::test]
async fn a_workspace_is_connected_used_and_disconnected_from_the_management_room() {
    let server = Server::shared();
    let owner = server.user("robin").await;
    let mut slack = Workspace::new(&server, &owner).await;
    let chat = Chat::with_bot(&server, &owner).await;

    let help = chat.say("help").await;
    for command in ["connect", "list", "bridge", "unbridge", "status", "disconnect"] {
        assert!(help.contains(command), "help does not name {command}: {help}");
    }
    assert!(chat.say("make me a sandwich").await.contains("help"));
    assert!(chat.say("status").await.contains("connect"));

    // Connecting: a manifest and a link in the room, the secrets on the page.
    let connect = chat.say("connect").await;
    assert!(connect.contains("\"request_url\""), "no manifest: {connect}");
    let link = link_in(&connect, &server);
    let page = Reply::to(server.http.get(&link)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{:?}", page.headers);
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    let wrong = submit(&server, &link, &slack.signing_secret, "xoxp-1-2-3-wrong").await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert!(wrong.body.contains("<form") && !wrong.body.contains("xoxp-1-2-3-wrong"), "{}", wrong.body);
    let done = submit(&server, &link, &slack.signing_secret, &slack.token).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains("Connected as robin"), "{}", done.body);
    // Once: also a second use with good secrets is refused.
    let again = submit(&server, &link, &slack.signing_secret, &slack.token).await;
    assert!([403, 404, 410].contains(&again.status), "{} {}", again.status, again.body);

    let logins = server.slack("status", &json!({"owner": owner.id})).await.ok();
    slack.login_id = logins["logins"][0]["login_id"].as_str().expect("a login").to_owned();
    slack.hook_url = hook_in(&connect);
    slack.subscribe().await;

    let list = chat.say("list").await;
    assert!(list.contains("#general") && list.contains("#secret-plans"), "{list}");
    assert!(!list.contains("elsewhere"), "a channel without the owner is listed: {list}");
    let bridged = chat.say("bridge #general").await;
    assert!(bridged.contains("matrix.to/#/!"), "{bridged}");
    assert!(chat.say("list").await.contains("#general — bridged"));
    slack.say("general", "ana", "found you").await;
    let portal = slack.bridge("C0GENERAL").await;
    portal.message("found you").await;
    let status = chat.say("status").await;
    assert!(status.contains("connected") && status.contains("1 bridged"), "{status}");

    assert!(chat.say("bridge #nowhere").await.contains("nowhere"));
    assert!(chat.say("unbridge #general").await.contains("unbridge #general keep"));
    chat.say("unbridge #general keep").await;
    slack.say("general", "ana", "gone?").await;
    portal.nothing_more().await;
    assert!(portal.room().saying("gone?").await.is_empty());

    assert!(chat.say("disconnect").await.contains("disconnect keep"));
    chat.say("disconnect keep").await;
    assert!(chat.say("status").await.contains("disconnected"));
    let refused = slack.raw("{}", "good", 0).await;
    assert_eq!(refused["status"], 403, "{refused}");

    // No secret ever entered the room.
    let said = json!(chat.room().events().await).to_string();
    assert!(!said.contains(&slack.token) && !said.contains(&slack.signing_secret), "a secret is in the room");
}

/// The address for events, from the manifest.
fn hook_in(text: &str) -> String {
    let start = text.find("\"request_url\": \"").expect("a request_url") + "\"request_url\": \"".len();
    text[start..].split('"').next().expect("an address").to_owned()
}

#[tokio::test]
async fn links_that_were_changed_are_refused_and_typed_text_is_not_markup() {
    let server = Server::shared();
    let owner = server.user("robin").await;
    let chat = Chat::with_bot(&server, &owner).await;
    let link = link_in(&chat.say("connect").await, &server);

    let (rest, mac) = link.rsplit_once('.').expect("a link of parts");
    let flipped = format!("{rest}.{}{}", if mac.starts_with('A') { "B" } else { "A" }, &mac[1..]);
    for wrong in [flipped, format!("{link}.more"), server.address("/_hubbub/slack/login/%3Cscript%3E")] {
        let page = Reply::to(server.http.get(&wrong)).await;
        assert_eq!(page.status, 404, "{wrong}: {}", page.body);
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    let markup = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let page = submit(&server, &link, markup, markup).await;
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(!page.body.contains("<script"), "{}", page.body);

    // A newer link replaces the older one.
    let newer = link_in(&chat.say("connect").await, &server);
    assert_ne!(newer, link);
}

#[tokio::test]
async fn only_its_owner_commands_the_bot() {
    let server = Server::shared();
    let (owner, guest) = (server.user("robin").await, server.user("guest").await);
    let slack = Workspace::connected(&server, &owner).await;
    let chat = Chat::with_bot(&server, &owner).await;
    owner.invite(&chat.room_id, &guest).await.ok();
    guest.join(&chat.room_id).await;

    guest.send_text(&chat.room_id, "disconnect").await;
    guest.send_text(&chat.room_id, "bridge #general").await;
    let status = chat.say("status").await;

    assert!(status.contains("connected") && status.contains("0 bridged"), "{status}");
    assert_eq!(slack.status().await["state"], "connected");
    // In a room of their own, the guest has nothing.
    let their_chat = Chat::with_bot(&server, &guest).await;
    let status = their_chat.say("status").await;
    assert!(!status.contains("Hubbub"), "the guest sees the owner's login: {status}");
    let members: Value = guest.get(["rooms", &their_chat.room_id, "joined_members"]).await.ok();
    assert!(members["joined"][&owner.id].is_null());
}
