//! A Slack workspace of one test, and its connection to a server.
//!
//! The fake and its control API are in `tests/support` (see the README there); each [`Workspace`] is a fake of its own.

use std::time::Duration;

use hubbub_conformance::User;
use serde_json::{Value, json};

use crate::{Reply, Room, Server, eventually, server::variable};

/// A fake workspace, connected to a server or not.
pub struct Workspace {
    /// The server that it talks to.
    pub server: Server,
    /// Whose login it is.
    pub owner: User,
    /// The app's signing secret.
    pub signing_secret: String,
    /// The owner's token.
    pub token: String,
    /// The team's id.
    pub team: String,
    /// The login; empty until `connect start`.
    pub login_id: String,
    /// Where its events go; empty until `connect start`.
    pub hook_url: String,
    control: String,
}

impl Workspace {
    /// A new workspace for `owner`, not connected yet.
    pub async fn new(server: &Server, owner: &User) -> Self {
        let request = server.http.post(format!("{}/_worlds", variable("HUBBUB_SLACK_WORLDS")));
        let made = Reply::to(request.body("{}")).await.ok();
        let mut workspace = Self {
            server: server.clone(),
            owner: owner.clone(),
            signing_secret: String::new(),
            token: String::new(),
            team: text(&made, "/team/id"),
            login_id: String::new(),
            hook_url: String::new(),
            control: text(&made, "/url"),
        };
        let seen = workspace.look("workspace").await;
        workspace.signing_secret = text(&seen, "/app/signing_secret");
        workspace.token = text(&seen, "/app/token");
        workspace
    }

    /// A new workspace, connected for `owner`, at a pace at which tests do not wait.
    pub async fn connected(server: &Server, owner: &User) -> Self {
        let mut workspace = Self::new(server, owner).await;
        workspace.start().await;
        workspace.finish().await.ok();
        workspace.subscribe().await;
        workspace.pace(100).await;
        workspace
    }

    /// A connected workspace of a new owner on the shared server.
    pub async fn shared() -> Self {
        let server = Server::shared();
        let owner = server.user("robin").await;
        Self::connected(&server, &owner).await
    }

    /// `connect start`.
    pub async fn start(&mut self) -> Value {
        let started = self.server.slack("connect/start", &json!({"owner": self.owner.id})).await.ok();
        self.login_id = text(&started, "/login_id");
        self.hook_url = text(&started, "/hook_url");
        started
    }

    /// `connect finish` with the workspace's secrets.
    pub async fn finish(&self) -> Reply {
        let body = json!({"login_id": self.login_id, "signing_secret": self.signing_secret, "token": self.token});
        self.server.slack("connect/finish", &body).await
    }

    /// Points the app's events at the login; its challenge must come back.
    pub async fn subscribe(&self) {
        let answer = self.tell("subscription", &json!({"url": self.hook_url})).await;
        assert_eq!(answer["subscription"]["verified"], true, "{answer}");
    }

    /// How many messages a second may go into a channel.
    pub async fn pace(&self, per_second: u32) {
        self.server.slack("pace", &json!({"login_id": self.login_id, "per_second": per_second})).await.ok();
    }

    /// Gives a channel a room.
    pub async fn bridge(&self, channel: &str) -> Portal<'_> {
        let body = json!({"login_id": self.login_id, "channel": channel});
        let bridged = self.server.slack("bridge", &body).await.ok();
        Portal {
            workspace: self,
            channel: channel.to_owned(),
            room_id: text(&bridged, "/room_id"),
            portal_id: text(&bridged, "/portal_id"),
        }
    }

    /// The login's status.
    pub async fn status(&self) -> Value {
        self.server.slack("status", &json!({"login_id": self.login_id})).await.ok()
    }

    /// One of the login's counters.
    pub async fn counter(&self, name: &str) -> i64 {
        self.status().await["counters"][name].as_i64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// A `POST` to the fake's control API.
    pub async fn tell(&self, call: &str, body: &Value) -> Value {
        let request = self.server.http.post(format!("{}/_control/{call}", self.control));
        // A delivery that was too late is repeated after a minute, as Slack does.
        Reply::to(request.body(body.to_string()).timeout(Duration::from_secs(150))).await.ok()
    }

    /// A `GET` of the fake's control API.
    pub async fn look(&self, call: &str) -> Value {
        Reply::to(self.server.http.get(format!("{}/_control/{call}", self.control))).await.ok()
    }

    /// Somebody writes into a channel; returns the message's `ts` once its webhook is acknowledged.
    pub async fn say(&self, channel: &str, user: &str, words: &str) -> String {
        let message = json!({"channel": channel, "user": user, "text": words, "wait": true});
        let posted = self.tell("messages", &message).await;
        assert_eq!(posted["states"]["acknowledged"], 1, "{posted}");
        text(&posted, "/messages/0/ts")
    }

    /// Any bytes to the hook; `signature` is `good`, `bad` or `none`, `age` in seconds.
    pub async fn raw(&self, body: &str, signature: &str, age: i64) -> Value {
        self.tell("raw", &json!({"body": body, "signature": signature, "age": age})).await
    }

    /// What the channel got through the API, with this text.
    pub async fn posts(&self, channel: &str, words: &str) -> Vec<Value> {
        let found = self.look(&format!("messages?channel={channel}&from=app")).await;
        let posts = found["messages"].as_array().into_iter().flatten();
        posts.filter(|post| post["text"] == words).cloned().collect()
    }

    /// Waits until the channel has got this text through the API.
    pub async fn post(&self, channel: &str, words: &str) -> Value {
        eventually(&format!("{words:?} in {channel}"), async || self.posts(channel, words).await.into_iter().next())
            .await
    }

    /// Any portal of the owner's, by its room.
    pub fn portal(&self, channel: &str, room_id: &str) -> Portal<'_> {
        Portal { workspace: self, channel: channel.to_owned(), room_id: room_id.to_owned(), portal_id: String::new() }
    }

    /// The rooms that the owner's account data lists as direct chats with somebody.
    pub async fn direct_rooms(&self) -> Vec<String> {
        let answer = self.owner.get(["user", &self.owner.id, "account_data", "m.direct"]).await;
        if answer.status() != 200 {
            return Vec::new();
        }
        let direct = answer.ok();
        let rooms = direct.as_object().into_iter().flat_map(|direct| direct.values());
        rooms.flat_map(|rooms| rooms.as_array().cloned().unwrap_or_default()).map(|room| text(&room, "")).collect()
    }
}

/// A bridged channel.
pub struct Portal<'a> {
    /// Its workspace.
    pub workspace: &'a Workspace,
    /// The channel.
    pub channel: String,
    /// The room.
    pub room_id: String,
    /// The portal's id.
    pub portal_id: String,
}

impl Portal<'_> {
    /// The room as its owner sees it.
    pub fn room(&self) -> Room<'_> {
        Room { user: &self.workspace.owner, id: &self.room_id }
    }

    /// Waits until the owner sees a message with this text, and returns it.
    pub async fn message(&self, words: &str) -> Value {
        eventually(&format!("{words:?} in the room"), async || self.room().saying(words).await.into_iter().next()).await
    }

    /// Waits until the room has so many messages that start with `start`, and returns them.
    pub async fn messages(&self, start: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} messages {start}…"), async || {
            let mut messages = self.room().messages().await;
            messages.retain(|event| event["content"]["body"].as_str().is_some_and(|body| body.starts_with(start)));
            (messages.len() >= count).then_some(messages)
        })
        .await
    }

    /// The owner answers from Matrix.
    pub async fn answer(&self, words: &str) -> String {
        self.workspace.owner.send_text(&self.room_id, words).await
    }

    /// Gives what must not happen the time to happen.
    pub async fn nothing_more(&self) {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }

    /// The ghost of somebody.
    pub fn ghost(&self, user: &str) -> String {
        let workspace = self.workspace;
        format!("@_slack_{}_{}:{}", workspace.team.to_lowercase(), user.to_lowercase(), workspace.server.name)
    }
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer).and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => panic!("there is no {pointer} in {value}"),
    }
}
