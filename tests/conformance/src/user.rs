//! One logged-in session, and the requests that most tests make with it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Answer, Call, Homeserver, SyncAnswer, SyncCall,
    homeserver::random_name,
    sync::{events, is_member, shows_member},
};

/// A session of an account: its access token is sent with each request.
#[derive(Debug, Clone)]
pub struct User {
    /// The homeserver of the account.
    pub server: Homeserver,
    /// The full user id.
    pub id: String,
    /// The password with which the account was made.
    pub password: String,
    /// This session's device.
    pub device_id: String,
    /// This session's access token.
    pub token: String,
}

impl User {
    /// The session that an answer to `/register` or `/login` describes.
    pub fn from_answer(server: &Homeserver, answer: &Value, password: &str) -> Self {
        let field = |name: &str| match answer[name].as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => panic!("the answer has no {name}"),
        };
        Self {
            server: server.clone(),
            id: field("user_id"),
            password: password.to_owned(),
            device_id: field("device_id"),
            token: field("access_token"),
        }
    }

    /// Logs in once more with the same password; `extra` is merged into the request.
    pub async fn login_again(&self, extra: Value) -> User {
        let answer = self.server.login(&self.id, &self.password, extra).await.ok();
        User::from_answer(&self.server, &answer, &self.password)
    }

    /// The user id without sigil and server name.
    pub fn localpart(&self) -> &str {
        self.id.trim_start_matches('@').split(':').next().unwrap_or_default()
    }

    /// The server name of the homeserver.
    pub fn server_name(&self) -> String {
        let from_id = || self.id.split_once(':').map(|(_, name)| name.to_owned());
        match self.server.configured_name().or_else(from_id) {
            Some(name) => name,
            None => panic!("{} has no server name", self.id),
        }
    }

    /// An alias on this server that no other run has used.
    pub fn new_alias(&self, start: &str) -> String {
        format!("#{}:{}", random_name(start), self.server_name())
    }

    /// A request with this session's token to `/_matrix/client/v3/…`.
    pub fn call<const N: usize>(&self, method: Method, parts: [&str; N]) -> Call {
        self.server.call(method, parts).token(&self.token)
    }

    /// A request with this session's token to a path that is written whole.
    pub fn path(&self, method: Method, path: &str) -> Call {
        self.server.path(method, path).token(&self.token)
    }

    /// `GET` with this session's token.
    pub fn get<const N: usize>(&self, parts: [&str; N]) -> Call {
        self.call(Method::GET, parts)
    }

    /// `PUT` with this session's token.
    pub fn put<const N: usize>(&self, parts: [&str; N], body: Value) -> Call {
        self.call(Method::PUT, parts).json(body)
    }

    /// `POST` with this session's token and no body.
    pub fn post<const N: usize>(&self, parts: [&str; N]) -> Call {
        self.call(Method::POST, parts)
    }

    /// `DELETE` with this session's token and no body.
    pub fn delete<const N: usize>(&self, parts: [&str; N]) -> Call {
        self.call(Method::DELETE, parts)
    }

    /// Makes a room and returns its id.
    pub async fn create_room(&self, body: Value) -> String {
        text(&self.post(["createRoom"]).json(body).await.ok(), "room_id")
    }

    /// `POST /join/{room}` with an empty object; also takes an alias.
    pub async fn join(&self, room: &str) {
        self.post(["join", room]).json(json!({})).await.ok();
    }

    /// `POST /rooms/{room}/leave` with an empty object.
    pub async fn leave(&self, room: &str) {
        self.post(["rooms", room, "leave"]).json(json!({})).await.ok();
    }

    /// `POST /rooms/{room}/forget` with an empty object; the caller judges the answer.
    pub fn forget(&self, room: &str) -> Call {
        self.post(["rooms", room, "forget"]).json(json!({}))
    }

    /// Invites another user; the caller judges the answer.
    pub fn invite(&self, room: &str, other: &User) -> Call {
        self.post(["rooms", room, "invite"]).json(json!({"user_id": other.id}))
    }

    /// Kicks another user; the caller judges the answer.
    pub fn kick(&self, room: &str, other: &User) -> Call {
        self.post(["rooms", room, "kick"]).json(json!({"user_id": other.id}))
    }

    /// Bans another user; the caller judges the answer.
    pub fn ban(&self, room: &str, other: &User) -> Call {
        self.post(["rooms", room, "ban"]).json(json!({"user_id": other.id}))
    }

    /// Sends a message event with a fresh transaction id and returns its event id.
    pub async fn send(&self, room: &str, event_type: &str, content: Value) -> String {
        let sent = self.put(["rooms", room, "send", event_type, &random_name("txn")], content).await;
        text(&sent.ok(), "event_id")
    }

    /// Sends an `m.room.message` with this text and returns its event id.
    pub async fn send_text(&self, room: &str, body: &str) -> String {
        self.send(room, "m.room.message", json!({"msgtype": "m.text", "body": body})).await
    }

    /// Sends a text and waits until an initial sync has it in the timeline.
    pub async fn send_text_and_wait(&self, room: &str, body: &str) -> String {
        let event_id = self.send_text(room, body).await;
        self.wait_for_event(room, &event_id).await;
        event_id
    }

    /// Sets state; an empty key gives a path with a trailing slash. The caller judges the answer.
    pub fn put_state(&self, room: &str, event_type: &str, key: &str, content: Value) -> Call {
        self.put(["rooms", room, "state", event_type, key], content)
    }

    /// Sets state under the empty key and returns the event id.
    pub async fn set_state(&self, room: &str, event_type: &str, content: Value) -> String {
        text(&self.put_state(room, event_type, "", content).await.ok(), "event_id")
    }

    /// The content of a state event under the empty key, read by a path with a trailing slash.
    pub async fn state(&self, room: &str, event_type: &str) -> Value {
        self.get(["rooms", room, "state", event_type, ""]).await.ok()
    }

    /// The membership event's content of another user, as the room's state has it.
    pub async fn member_state(&self, room: &str, user_id: &str) -> Value {
        self.get(["rooms", room, "state", "m.room.member", user_id]).await.ok()
    }

    /// `GET /rooms/{room}/event/{event}`; the caller judges the answer.
    pub fn event(&self, room: &str, event_id: &str) -> Call {
        self.get(["rooms", room, "event", event_id])
    }

    /// `PUT /directory/room/{alias}`; the caller judges the answer.
    pub fn put_alias(&self, alias: &str, room: &str) -> Call {
        self.put(["directory", "room", alias], json!({"room_id": room}))
    }

    /// Uploads a filter and returns its id.
    pub async fn upload_filter(&self, filter: Value) -> String {
        text(&self.post(["user", &self.id, "filter"]).json(filter).await.ok(), "filter_id")
    }

    /// A `GET /sync`, initial unless `since` is added.
    pub fn sync(&self) -> SyncCall {
        SyncCall::new(self)
    }

    /// The token of an initial sync, from which later ones go on.
    pub async fn sync_token(&self) -> String {
        self.sync().await.next_batch()
    }

    /// Waits until an initial sync (and what follows it) has the event in the room's timeline; returns the next token.
    pub async fn wait_for_event(&self, room: &str, event_id: &str) -> String {
        let what = format!("event {event_id}");
        self.sync().until(&what, |sync| sync.has_event(room, event_id)).await.next_batch()
    }

    /// Waits until a membership shows in this user's syncs from an initial one on; returns the next token.
    pub async fn wait_for_member(&self, room: &str, other: &User, membership: &str) -> String {
        let what = format!("{membership} of {}", other.id);
        self.sync().until(&what, |sync| self.sees_member(sync, room, other, membership)).await.next_batch()
    }

    /// The same, from a token on.
    pub async fn wait_for_member_since(&self, since: &str, room: &str, other: &User, membership: &str) -> String {
        let what = format!("{membership} of {}", other.id);
        let seen = self.sync().since(since).until(&what, |sync| self.sees_member(sync, room, other, membership));
        seen.await.next_batch()
    }

    /// Whether a sync answer of this user shows a membership, in the section where it belongs: one's own leave and
    /// ban in `rooms.leave`, one's own invite in `rooms.invite`, all else in `rooms.join`.
    pub fn sees_member(&self, sync: &SyncAnswer, room: &str, other: &User, membership: &str) -> bool {
        match membership {
            "leave" | "ban" if other.id == self.id => shows_member(sync.left(room), &other.id, membership),
            "invite" if other.id == self.id => {
                let stripped = events(&sync.invited(room)["invite_state"]);
                stripped.iter().any(|event| is_member(event, &other.id, membership))
            }
            _ => shows_member(sync.joined(room), &other.id, membership),
        }
    }

    /// `PUT /rooms/{room}/redact/{event}`; the caller judges the answer.
    pub async fn redact(&self, room: &str, event_id: &str, reason: &str) -> Answer {
        self.put(["rooms", room, "redact", event_id, &random_name("txn")], json!({"reason": reason})).await
    }
}

fn text(answer: &Value, field: &str) -> String {
    match answer[field].as_str() {
        Some(text) => text.to_owned(),
        None => panic!("the answer has no string {field}: {answer}"),
    }
}
