//! Discord's REST API ([docs](https://docs.discord.com/developers/reference)), as far as the bridge
//! calls it.
//!
//! [`Call`]s are built without I/O (`calls.rs`, `speak.rs`), sent by [`Rest::send`] over the engine's
//! HTTP port, and their answers read (`answer.rs`). [`Limits`] holds what Discord said about its
//! limits: whoever calls asks it first, and waits by alarm. No call is ever repeated here, and no error
//! holds a token or an address.

mod answer;
mod calls;
mod limits;
mod multipart;
mod speak;
mod webhook;

pub use answer::{explain, permission_for, read_answer};
pub use calls::Call;
pub use limits::{Limits, Route};
pub use multipart::Upload;
pub use speak::{Mark, Speech, nonce};
pub use webhook::{Found, OwnWebhook, Step, Webhook, find_sent, find_webhook};

use std::{cell::RefCell, rc::Rc};

use hubbub_bridge::network::RemoteError;
use hubbub_core::context::{Context, Egress, HttpError};
use hubbub_storage::blobs::Body;
use serde::de::DeserializeOwned;

/// How long a call may take.
const TIMEOUT_MS: u32 = 20_000;

/// The most of an answer that is read.
const MOST_ANSWER_BYTES: u64 = 1 << 20;

/// The API with a bot's token.
pub struct Rest<'a> {
    /// The ports.
    pub context: &'a Rc<Context>,
    /// The address of the API.
    pub base: &'a str,
    /// The token.
    pub token: &'a str,
}

impl Rest<'_> {
    /// Sends a call, unless the limits say to wait, and learns from the answer.
    ///
    /// # Errors
    /// [`RemoteError::RateLimited`] without a call when it is too early; otherwise what the answer says.
    pub async fn send<T: DeserializeOwned>(&self, call: Call, limits: &RefCell<Limits>) -> Result<T, RemoteError> {
        limits.borrow_mut().ask(&call.route, self.context.clock.now()).map_err(RemoteError::RateLimited)?;
        let request = self.request(&call)?;
        let name = call.route.name;
        let sent = self.context.http.send(request, Egress::Configured, TIMEOUT_MS).await;
        let answer = sent.map_err(|error| failed(name, &error))?;
        limits.borrow_mut().learn(&call.route, &answer, self.context.clock.now());
        read_answer(name, &answer)
    }

    /// Sends a call whose body goes around that of a file, in at most `timeout_ms`.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_file<T: DeserializeOwned>(
        &self,
        call: Call,
        file: Body,
        after: Vec<u8>,
        timeout_ms: u32,
        limits: &RefCell<Limits>,
    ) -> Result<T, RemoteError> {
        limits.borrow_mut().ask(&call.route, self.context.clock.now()).map_err(RemoteError::RateLimited)?;
        let name = call.route.name;
        let request = self.request(&call)?.map(|before| file.framed(before, after));
        let sent = self.context.http.stream(request, Egress::Configured, timeout_ms).await;
        let (parts, body) = sent.map_err(|error| failed(name, &error))?.into_parts();
        let body = body.read(MOST_ANSWER_BYTES).await;
        let body = body.map_err(|_| RemoteError::Unknown(format!("{name}: half an answer")))?;
        let answer = http::Response::from_parts(parts, body);
        limits.borrow_mut().learn(&call.route, &answer, self.context.clock.now());
        read_answer(name, &answer)
    }

    /// The HTTP request of a call.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn request(&self, call: &Call) -> Result<http::Request<Vec<u8>>, RemoteError> {
        // Without it Discord's front refuses everything: https://docs.discord.com/developers/reference#user-agent
        let agent = format!("DiscordBot ({}, {})", self.context.config.public_url, env!("CARGO_PKG_VERSION"));
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(format!("{}/{}", self.base.trim_end_matches('/'), call.path))
            .header(http::header::USER_AGENT, agent);
        if call.authorized {
            request = request.header(http::header::AUTHORIZATION, format!("Bot {}", self.token));
        }
        if let Some(kind) = &call.content_type {
            request = request.header(http::header::CONTENT_TYPE, kind);
        }
        request
            .body(call.body.clone())
            .map_err(|_| RemoteError::NotDone(format!("{} could not be built", call.route.name)))
    }
}

fn failed(name: &str, error: &HttpError) -> RemoteError {
    match error {
        HttpError::NotSent(_) => RemoteError::NotDone(format!("{name} was not sent")),
        HttpError::Unknown(_) => RemoteError::Unknown(format!("{name} got no answer")),
    }
}

#[cfg(test)]
mod tests;
