//! `GET /sync`: one request ([`SyncCall`]), its answer ([`SyncAnswer`]), and the polling that stands behind
//! "comes down sync".

use std::{
    future::{Future, IntoFuture},
    ops::Deref,
    pin::Pin,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{User, answer::shortened};

/// How long something may take to come down sync, in all.
const BUDGET: Duration = Duration::from_secs(5);

/// A `GET /sync` of one user; sent by `.await`, or again and again by [`SyncCall::until`].
#[derive(Debug, Clone)]
pub struct SyncCall {
    user: User,
    since: Option<String>,
    filter: Option<String>,
    full_state: bool,
    timeout: u32,
}

impl SyncCall {
    pub(crate) fn new(user: &User) -> Self {
        Self { user: user.clone(), since: None, filter: None, full_state: false, timeout: 1000 }
    }

    /// Asks for what is new since this token.
    pub fn since(mut self, token: &str) -> Self {
        self.since = Some(token.to_owned());
        self
    }

    /// Uses a filter: an id, or a filter written inline as JSON text.
    pub fn filter(mut self, filter: impl ToString) -> Self {
        self.filter = Some(filter.to_string());
        self
    }

    /// Asks for all state, even with a `since`.
    pub fn full_state(mut self) -> Self {
        self.full_state = true;
        self
    }

    /// How many milliseconds the server may wait (1000 when not said).
    pub fn timeout(mut self, milliseconds: u32) -> Self {
        self.timeout = milliseconds;
        self
    }

    async fn send(self) -> SyncAnswer {
        let mut call = self.user.get(["sync"]).query("timeout", &self.timeout.to_string());
        if let Some(since) = &self.since {
            call = call.query("since", since);
        }
        if let Some(filter) = &self.filter {
            call = call.query("filter", filter);
        }
        if self.full_state {
            call = call.query("full_state", "true");
        }
        SyncAnswer(call.await.ok())
    }

    /// Polls, each time from the last answer's token, until one answer satisfies the condition, and returns it.
    pub async fn until(self, what: &str, condition: impl FnMut(&SyncAnswer) -> bool) -> SyncAnswer {
        self.poll(what, true, condition).await
    }

    /// The same, but each time from the same token as the first.
    pub async fn until_from_same_token(self, what: &str, condition: impl FnMut(&SyncAnswer) -> bool) -> SyncAnswer {
        self.poll(what, false, condition).await
    }

    async fn poll(mut self, what: &str, advance: bool, mut condition: impl FnMut(&SyncAnswer) -> bool) -> SyncAnswer {
        let start = Instant::now();
        let mut seen: Vec<SyncAnswer> = Vec::new();
        loop {
            let asked = Instant::now();
            let answer = self.clone().send().await;
            if condition(&answer) {
                return answer;
            }
            if advance {
                self.since = Some(answer.next_batch());
            }
            seen.push(answer);
            if start.elapsed() > BUDGET {
                panic!("{}: {what} did not come down sync; {}", self.user.id, told(&seen));
            }
            if asked.elapsed() < Duration::from_millis(50) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The answers of a poll for a message: those that have rooms or account data, since the others say nothing.
fn told(answers: &[SyncAnswer]) -> String {
    let telling = |answer: &&SyncAnswer| answer.get("rooms").is_some() || answer.get("account_data").is_some();
    let mut text = format!("of {} answers these have news:", answers.len());
    for answer in answers.iter().filter(telling).take(3) {
        text.push('\n');
        text.push_str(&shortened(&answer.to_string()));
    }
    text
}

impl IntoFuture for SyncCall {
    type Output = SyncAnswer;
    type IntoFuture = Pin<Box<dyn Future<Output = SyncAnswer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// The body of an answer to `GET /sync`; it can be indexed like the JSON that it is.
#[derive(Debug, Clone)]
pub struct SyncAnswer(Value);

impl Deref for SyncAnswer {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl SyncAnswer {
    /// The token from which the next sync goes on.
    pub fn next_batch(&self) -> String {
        match self.0["next_batch"].as_str() {
            Some(token) if !token.is_empty() => token.to_owned(),
            _ => panic!("the sync answer has no next_batch: {}", shortened(&self.0.to_string())),
        }
    }

    /// `rooms.join[room]`; null when the answer does not have the room there.
    pub fn joined(&self, room: &str) -> &Value {
        &self.0["rooms"]["join"][room]
    }

    /// `rooms.leave[room]`; null when the answer does not have the room there.
    pub fn left(&self, room: &str) -> &Value {
        &self.0["rooms"]["leave"][room]
    }

    /// `rooms.invite[room]`; null when the answer does not have the room there.
    pub fn invited(&self, room: &str) -> &Value {
        &self.0["rooms"]["invite"][room]
    }

    /// The timeline of a joined room, oldest event first; empty when the answer does not have the room.
    pub fn timeline(&self, room: &str) -> &[Value] {
        events(&self.joined(room)["timeline"])
    }

    /// Whether the timeline of a joined room has the event with this id.
    pub fn has_event(&self, room: &str, event_id: &str) -> bool {
        self.timeline(room).iter().any(|event| event["event_id"] == event_id)
    }

    /// The first global account data event of this type.
    pub fn account_data(&self, event_type: &str) -> Option<&Value> {
        events(&self.0["account_data"]).iter().find(|event| event["type"] == event_type)
    }

    /// The first ephemeral event of this type in a joined room.
    pub fn ephemeral(&self, room: &str, event_type: &str) -> Option<&Value> {
        events(&self.joined(room)["ephemeral"]).iter().find(|event| event["type"] == event_type)
    }
}

/// The `events` array of a section; empty when there is none.
pub fn events(section: &Value) -> &[Value] {
    section["events"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a room section of a sync answer has this user's membership event in `state` or `timeline`.
pub fn shows_member(section: &Value, user_id: &str, membership: &str) -> bool {
    let in_either = events(&section["state"]).iter().chain(events(&section["timeline"]));
    in_either.into_iter().any(|event| is_member(event, user_id, membership))
}

/// Whether an event is this user's membership event with this membership.
pub(crate) fn is_member(event: &Value, user_id: &str, membership: &str) -> bool {
    event["type"] == "m.room.member" && event["state_key"] == user_id && event["content"]["membership"] == membership
}
