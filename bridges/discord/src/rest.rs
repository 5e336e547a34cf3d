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
use serde::de::DeserializeOwned;

/// Discord's own address; a test has another.
pub const API_URL: &str = "https://discord.com/api/v10/";

/// Without it Discord's front refuses everything
/// ([docs](https://docs.discord.com/developers/reference#user-agent)).
const USER_AGENT: &str = concat!("DiscordBot (https://hubbub.invalid, ", env!("CARGO_PKG_VERSION"), ")");

/// How long a call may take.
const TIMEOUT_MS: u32 = 20_000;

/// The API with a bot's token.
pub struct Rest<'a> {
    /// The ports.
    pub context: &'a Rc<Context>,
    /// The address of the API, with a trailing slash.
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
        let answer =
            self.context.http.send(request, Egress::Configured, TIMEOUT_MS).await.map_err(|error| match error {
                HttpError::NotSent(_) => RemoteError::NotDone(format!("{name} was not sent")),
                HttpError::Unknown(_) => RemoteError::Unknown(format!("{name} got no answer")),
            })?;
        limits.borrow_mut().learn(&call.route, &answer, self.context.clock.now());
        read_answer(name, &answer)
    }

    /// The HTTP request of a call.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn request(&self, call: &Call) -> Result<http::Request<Vec<u8>>, RemoteError> {
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header(http::header::USER_AGENT, USER_AGENT);
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

#[cfg(test)]
mod tests;
