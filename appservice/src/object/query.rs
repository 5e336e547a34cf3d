//! Asking the appservice for a user or an alias that this server does not know: it may make it first
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#querying)).
//!
//! Whoever is logged in can cause such a question, so it is short, one at a time for a name, few at a time in
//! all, and its answer is kept for a moment. Nothing of it is stored.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use futures_util::lock::Mutex;
use hubbub_core::{
    context::Egress,
    contract::appservice::Query,
    error::{MatrixError, Result},
};
use ruma::api::{
    OutgoingRequestExt as _,
    appservice::query::{query_room_alias, query_user_id},
};

use super::{AppserviceObject, http::Destination};
use crate::endpoint::Endpoint;

/// How long an appservice may take to answer: a person waits for it.
const TIMEOUT_MS: u32 = 5_000;

/// How long an answer is kept, in milliseconds.
const KEPT_MS: i64 = 10_000;

/// How many answers are kept.
const MOST_ANSWERS: usize = 1_000;

/// How many names are asked for at the same time.
const MOST_AT_ONCE: usize = 16;

/// Questions under way, and the last answers.
#[derive(Default)]
pub(super) struct Questions {
    /// For each name those who wait for it.
    under_way: RefCell<HashMap<String, Queue>>,
    /// For each name the answer, and until when it holds.
    answers: RefCell<HashMap<String, (bool, i64)>>,
}

/// Those who wait for one name.
#[derive(Default)]
struct Queue {
    waiting: usize,
    turn: Arc<Mutex<()>>,
}

/// A place among those who wait for a name; given up when dropped.
struct Waiting<'a> {
    questions: &'a Questions,
    name: &'a str,
    turn: Arc<Mutex<()>>,
}

impl Questions {
    /// `None`: too many other names are asked for.
    fn wait_for<'a>(&'a self, name: &'a str) -> Option<Waiting<'a>> {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.len() >= MOST_AT_ONCE && !under_way.contains_key(name) {
            return None;
        }
        let queue = under_way.entry(name.to_owned()).or_default();
        queue.waiting += 1;
        Some(Waiting { questions: self, name, turn: Arc::clone(&queue.turn) })
    }

    fn answer(&self, name: &str, now: i64) -> Option<bool> {
        let (answer, until) = self.answers.borrow().get(name).copied()?;
        (now < until).then_some(answer)
    }

    fn keep(&self, name: &str, answer: bool, now: i64) {
        let mut answers = self.answers.borrow_mut();
        if answers.len() >= MOST_ANSWERS {
            answers.retain(|_, (_, until)| now < *until);
        }
        if answers.len() < MOST_ANSWERS {
            answers.insert(name.to_owned(), (answer, now + KEPT_MS));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut under_way = self.questions.under_way.borrow_mut();
        let Some(queue) = under_way.get_mut(self.name) else { return };
        queue.waiting -= 1;
        if queue.waiting == 0 {
            under_way.remove(self.name);
        }
    }
}

impl AppserviceObject {
    /// Whether the appservice has what is asked for. One that fails or takes too long has not.
    pub(super) async fn query(&self, query: &Query) -> Result<bool> {
        let name = query.name();
        let Some(waiting) = self.questions.wait_for(name) else {
            return Err(MatrixError::new(
                429,
                "M_LIMIT_EXCEEDED",
                "The appservice is asked for too many names at once.",
            )
            .with("retry_after_ms", TIMEOUT_MS));
        };
        let _turn = waiting.turn.lock().await;
        if let Some(answer) = self.questions.answer(name, self.now()) {
            return Ok(answer);
        }
        let answer = match &self.bridge {
            Some(bridge) => bridge.query(&self.id, query).await.map_err(|error| error.to_string()),
            None => self.query_over_http(query).await,
        };
        let answer = answer.unwrap_or_else(|reason| {
            tracing::warn!(appservice.id = %self.id, "The appservice did not answer a query: {reason}");
            false
        });
        self.questions.keep(name, answer, self.now());
        Ok(answer)
    }

    /// The error is a reason for the log.
    async fn query_over_http(&self, query: &Query) -> std::result::Result<bool, String> {
        let Destination::At(endpoint) = self.destination().await else {
            return Ok(false);
        };
        let request = request(&endpoint, query)?;
        let sent = self.context.http.send(request, Egress::Stranger, TIMEOUT_MS).await;
        match sent.map_err(|error| error.to_string())?.status() {
            status if status.is_success() => Ok(true),
            http::StatusCode::NOT_FOUND => Ok(false),
            status => Err(format!("it answered {}", status.as_u16())),
        }
    }
}

fn request(endpoint: &Endpoint, query: &Query) -> std::result::Result<http::Request<Vec<u8>>, String> {
    let (url, token) = (&endpoint.url, &endpoint.hs_token);
    let built = match query {
        Query::User(user_id) => {
            query_user_id::v1::Request::new(user_id.clone()).try_into_http_request::<Vec<u8>>(url, token, ())
        }
        Query::Alias(alias) => {
            query_room_alias::v1::Request::new(alias.clone()).try_into_http_request::<Vec<u8>>(url, token, ())
        }
    };
    built.map_err(|_| "the request could not be built".to_owned())
}
