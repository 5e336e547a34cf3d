//! The UserSyncObject's class: besides commands it parks polls ([`crate::waiting`] is the other end).
//!
//! A parked poll is a hibernatable WebSocket with its request attached. The object may be evicted
//! while it waits: the socket stays with the platform, and whatever commits next finds it again. So
//! no timer and no future of a poll outlives a handler here; either would keep the object awake, and
//! billed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::{
    contract::{
        self,
        user::{SyncAnswer, SyncRequest, UserCommand},
    },
    error::Result as CoreResult,
    secrets::hmac_sha256,
    user,
};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, ResponseBuilder, Result, State, WebSocket, WebSocketPair, js_sys::Promise, web_sys,
    worker_sys::DurableObjectState,
};

use super::{
    reply::{bill, respond},
    shell::{Hosted, Opened, Shell, run_on},
};
use crate::{
    lifeline,
    operations::OPERATIONS_HEADER,
    scope::{Bill, within},
    waiting::{self, EMPTY_HEADER, SYNC_HEADER},
};

impl Hosted for user::UserSyncObject {
    const CLASS: &'static str = "UserSyncObject";

    fn committed(opened: &Opened<Self>, state: &State) {
        for socket in state.as_raw().get_websockets().unwrap_or_default() {
            answer_if_due(opened, state, socket.into());
        }
    }
}

/// One local user.
#[wasm_bindgen]
pub struct UserSyncObject(Shell<user::UserSyncObject>);

#[wasm_bindgen]
impl UserSyncObject {
    /// An instance, when the platform wakes the object.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Shell::new(state.into(), env))
    }

    /// A request: a command, or a poll.
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let shell = self.0.clone();
        lifeline::promise(async move { answer(&shell, &request).await })
    }

    /// The alarm.
    pub fn alarm(&self) -> Promise {
        self.0.alarm()
    }

    /// The Worker never sends anything. The platform wants the handler, though.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn websocket_message(&self) {}

    /// A poll ended: there is nothing to clean up, its request was attached to the socket.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn websocket_close(&self) {}

    /// A poll's Worker is gone: as above.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn websocket_error(&self) {}
}

/// How often a poll looks again because something was committed while it looked. A client whose
/// inbox changes that fast may ask again at once.
const MOST_ATTEMPTS: u32 = 4;

type UserShell = Shell<user::UserSyncObject>;

async fn answer(shell: &UserShell, request: &web_sys::Request) -> Result<web_sys::Response> {
    let headers = request.headers();
    let Some(header) = headers.get(SYNC_HEADER)? else {
        return shell.answer(request).await;
    };
    let bill = bill(&headers)?;
    let may_wait = headers.has("upgrade")?;
    match waiting::decode(&header) {
        Ok(poll) => within(shell.scope(bill.clone()), sync(shell, poll, may_wait, bill.as_ref())).await,
        Err(error) => respond(Err(error), bill.as_ref()),
    }
}

/// Answers with what there is, or parks the poll.
async fn sync(shell: &UserShell, poll: SyncRequest, may_wait: bool, bill: Option<&Bill>) -> Result<web_sys::Response> {
    let mut attempts = 0;
    loop {
        let opened = match shell.opened() {
            Ok(opened) => opened,
            Err(error) => return respond(Err(error), bill),
        };
        let before = opened.database.commits();
        let outcome = shell.handle(UserCommand::Sync(Box::new(poll.clone()))).await;
        let parked = match &outcome {
            Ok(answer) if may_wait => serde_json::from_slice::<SyncAnswer>(answer)?,
            _ => return respond(outcome, bill),
        };
        if !parked.empty {
            return respond(outcome, bill);
        }
        // From here to the acceptance nothing is awaited: what commits later finds the socket.
        if opened.database.commits() != before {
            attempts += 1;
            if attempts < MOST_ATTEMPTS {
                continue;
            }
            return respond(outcome, bill);
        }
        return match park(shell.state(), &poll, &parked, bill) {
            Ok(response) => Ok(response),
            Err(error) => {
                tracing::warn!("A poll could not be parked and was answered: {error}");
                respond(outcome, bill)
            }
        };
    }
}

/// Accepts the socket of a poll, closing the same client's earlier one: its Worker may wait for a
/// client that went away long ago.
fn park(state: &State, poll: &SyncRequest, empty: &SyncAnswer, bill: Option<&Bill>) -> Result<web_sys::Response> {
    let tag = tag(&empty.waiter);
    let sockets = state.as_raw();
    for predecessor in sockets.get_websockets_with_tag(&tag)? {
        let predecessor = WebSocket::from(predecessor);
        // It may be gone already.
        let _detached = predecessor.serialize_attachment(());
        let _closed = predecessor.close(Some(1000), Some("replaced by a newer poll"));
    }
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    server.serialize_attachment(serde_json::to_string(poll)?)?;
    sockets.accept_websocket_with_tags(server.as_ref(), vec![tag.into()])?;
    let mut response = ResponseBuilder::new()
        .with_status(101)
        .with_websocket(client)
        .with_header(EMPTY_HEADER, &URL_SAFE_NO_PAD.encode(empty.body.get()))?;
    if let Some(bill) = bill {
        response = response.with_header(OPERATIONS_HEADER, &serde_json::to_string(&bill.get())?)?;
    }
    Ok(response.empty().into())
}

/// A waiter's name as a tag, which may have 256 characters at most.
fn tag(waiter: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac_sha256(b"waiter", waiter.as_bytes()))
}

/// Answers a parked poll if there is something to say.
fn answer_if_due(opened: &Opened<user::UserSyncObject>, state: &State, socket: WebSocket) {
    let attached = socket.deserialize_attachment::<String>().ok().flatten();
    let Some(poll) = attached.and_then(|poll| serde_json::from_str::<SyncRequest>(&poll).ok()) else {
        // Answered already, and not gone yet.
        return;
    };
    match opened.core.sync(&poll) {
        Ok(answer) if answer.empty => return,
        Ok(_) | Err(_) => {}
    }
    // From now on it is this answer's: nobody else sends another.
    if socket.serialize_attachment(()).is_err() {
        return;
    }
    let opened = opened.clone();
    // The whole answer may need a call to a room.
    run_on(state, async move {
        let outcome =
            hubbub_core::object::Object::handle(opened.core.as_ref(), UserCommand::Sync(Box::new(poll))).await;
        send(&socket, outcome);
    });
}

/// Sends the outcome and closes. A failure needs no answer: the poll ends empty, and nothing is
/// taken for delivered until the client's next token says so.
fn send(socket: &WebSocket, outcome: CoreResult<Vec<u8>>) {
    let encoded = contract::encode_outcome(outcome);
    let Ok(text) = String::from_utf8(encoded) else { return };
    let _sent = socket.send_with_str(text);
    let _closed = socket.close(Some(1000), Some("answered"));
}
