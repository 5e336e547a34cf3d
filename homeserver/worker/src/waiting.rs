//! A `/sync` that waits: the Worker waits on a WebSocket, the user's object sleeps.
//!
//! [`poll`] is the Worker's end, [`crate::objects::user_sync`] the object's. One request asks and
//! waits: the object answers 200 with the outcome when there is something to say, and 101 when the
//! poll is to wait; later it sends the outcome over the socket and closes it. A socket that closes
//! without an outcome was replaced by a newer poll, or its object was moved: the poll ends empty, and
//! the client asks again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use hubbub_api::SyncCall;
use hubbub_core::{
    contract::user::{SyncAnswer, SyncRequest},
    error::{MatrixError, Result},
};
use serde_json::value::RawValue;
use worker::{Delay, Headers, Method, Request, RequestInit, WebSocket, WebsocketEvent};

use crate::{
    operations::BILL_HEADER,
    ports::objects::{OBJECT_URL, PlatformObjects, take_bill},
    scope,
};

/// The request header with the [`SyncRequest`], as base64url of its JSON: an upgrade has no body.
pub const SYNC_HEADER: &str = "x-hubbub-sync";
/// The header of a 101: the body with which the poll ends when nothing comes, encoded likewise.
pub const EMPTY_HEADER: &str = "x-hubbub-empty";

/// How long a poll whose object does not answer is held back, so that its client does not spin.
const FAILED_POLL_DELAY: Duration = Duration::from_millis(1_000);
/// The longest that a poll waits, whatever the client asks.
const LONGEST_WAIT_MS: u32 = 120_000;

type Outcome = Result<SyncAnswer>;

/// Asks the user's object, and waits while it has nothing to say. Platform errors end the poll
/// empty; the only errors are the core's own.
pub async fn poll(objects: &PlatformObjects, call: SyncCall) -> Outcome {
    let since = call.request.since.clone();
    let may_wait = call.timeout_ms > 0;
    match ask(objects, &call).await {
        Ok(Asked::Answered(outcome)) => outcome,
        Ok(Asked::Parked(socket, empty)) => {
            let wait = Duration::from_millis(call.timeout_ms.min(LONGEST_WAIT_MS).into());
            let outcome = wait_for(&socket, wait).await;
            // On every path: an open socket would wake the object for nothing later.
            let _closed = socket.close(Some(1000), Some("done"));
            outcome.unwrap_or(Ok(empty))
        }
        Err(error) => {
            tracing::warn!("A user's object did not answer a sync: {error}");
            let Some(since) = since else {
                return Err(MatrixError::internal("an initial sync failed"));
            };
            if may_wait {
                Delay::from(FAILED_POLL_DELAY).await;
            }
            Ok(nothing_since(&since)?)
        }
    }
}

enum Asked {
    Answered(Outcome),
    /// Parked, with the answer for when nothing comes.
    Parked(WebSocket, SyncAnswer),
}

async fn ask(objects: &PlatformObjects, call: &SyncCall) -> worker::Result<Asked> {
    let headers = Headers::new();
    headers.set(SYNC_HEADER, &encode(&call.request)?)?;
    if call.timeout_ms > 0 {
        headers.set("upgrade", "websocket")?;
    }
    if scope::current().bill.is_some() {
        headers.set(BILL_HEADER, "object")?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_headers(headers);
    let request = Request::new_with_init(OBJECT_URL, &init)?;
    let mut response = objects.stub(&call.address)?.fetch_with_request(request).await?;
    take_bill(&response);
    match response.status_code() {
        200 => Ok(Asked::Answered(decode_outcome(&response.bytes().await?))),
        101 => {
            let empty = response.headers().get(EMPTY_HEADER)?.unwrap_or_default();
            let empty = parked_answer(&empty)?;
            let socket = response.websocket().ok_or("a 101 without a socket")?;
            Ok(Asked::Parked(socket, empty))
        }
        status => Err(format!("status {status}").into()),
    }
}

/// The outcome that the object sends; `None` when the time is over or the socket closes first.
async fn wait_for(socket: &WebSocket, wait: Duration) -> Option<Outcome> {
    // Before `accept`: what arrives right after it must find its listener.
    let mut events = socket.events().ok()?;
    socket.accept().ok()?;
    let first = Box::pin(async {
        match events.next().await? {
            Ok(WebsocketEvent::Message(message)) => message.text(),
            Ok(WebsocketEvent::Close(_)) | Err(_) => None,
        }
    });
    match select(first, Delay::from(wait)).await {
        Either::Left((text, _)) => text.map(|text| decode_outcome(text.as_bytes())),
        Either::Right(_) => None,
    }
}

fn decode_outcome(bytes: &[u8]) -> Outcome {
    serde_json::from_slice::<Outcome>(bytes)?
}

fn nothing_since(since: &str) -> Result<SyncAnswer> {
    let body = serde_json::value::to_raw_value(&serde_json::json!({ "next_batch": since }))?;
    Ok(empty_answer(body))
}

fn empty_answer(body: Box<RawValue>) -> SyncAnswer {
    SyncAnswer { body, empty: true, waiter: String::new() }
}

fn parked_answer(header: &str) -> worker::Result<SyncAnswer> {
    let body = URL_SAFE_NO_PAD.decode(header).map_err(|error| error.to_string())?;
    Ok(empty_answer(serde_json::from_slice(&body)?))
}

fn encode(request: &SyncRequest) -> worker::Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(request)?))
}

/// Decodes [`SYNC_HEADER`].
pub fn decode(header: &str) -> Result<SyncRequest> {
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(MatrixError::internal)?;
    Ok(serde_json::from_slice(&bytes)?)
}
