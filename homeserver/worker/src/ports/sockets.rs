//! Outgoing WebSockets: opened, queued and bounded by `platform.js`, which also closes them when this program's memory
//! is lost and nobody listens any more.

use std::rc::Rc;

use hubbub_core::{context::HttpError, egress};
use hubbub_discord::socket::{Ear, Socket, Sockets, Told};
use wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::{
    javascript::JsSocket,
    operations::{Counts, count},
    scope::{self, Scope, within},
};

/// The longest text that is taken, in UTF-16 units; a longer one is left out.
const LONGEST_TEXT: u32 = 4 * 1024 * 1024;
/// How much may wait; beyond that the socket is closed.
const MOST_WAITING: u32 = 16 * 1024 * 1024;

/// The platform's sockets.
pub struct PlatformSockets {
    /// Whether hosts may be loopback or private, for tests on one machine.
    pub private_addresses: bool,
}

impl PlatformSockets {
    fn check(&self, url: &str) -> Result<String, HttpError> {
        // A socket is opened by a request.
        let url = url.replacen("ws", "http", 1);
        if !self.private_addresses {
            let uri = url.parse().map_err(|_| HttpError::NotSent("this is no address".to_owned()))?;
            egress::check(&uri)?;
        }
        Ok(url)
    }
}

impl Sockets for PlatformSockets {
    fn open(&self, url: &str, ear: Rc<dyn Ear>) -> Rc<dyn Socket> {
        let scope = Scope { bill: None, object: scope::current().object };
        let socket = match self.check(url) {
            Ok(url) => {
                count(Counts { fetches: 1, ..Counts::default() });
                JsSocket::new(&url, LONGEST_TEXT, MOST_WAITING)
            }
            Err(error) => {
                tracing::warn!("A socket was not opened: {error}");
                JsSocket::new("", LONGEST_TEXT, MOST_WAITING)
            }
        };
        let socket = Rc::new(PlatformSocket(socket));
        spawn_local(within(scope, listen(Rc::clone(&socket), ear)));
        socket
    }
}

/// Tells what comes, one after the other, until the socket is closed.
async fn listen(socket: Rc<PlatformSocket>, ear: Rc<dyn Ear>) {
    loop {
        let told = read(JsFuture::from(socket.0.next()).await.unwrap_or(JsValue::NULL));
        let over = matches!(told, Told::Closed(_));
        ear.heard(told).await;
        if over {
            return;
        }
    }
}

/// A text, 0 for "open", or the code of the close.
fn read(told: JsValue) -> Told {
    if let Some(text) = told.as_string() {
        return Told::Text(text);
    }
    match told.as_f64() {
        Some(0.0) => Told::Opened,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "close codes have 16 bits")]
        code => Told::Closed(code.map(|code| code as u16)),
    }
}

struct PlatformSocket(JsSocket);

impl Socket for PlatformSocket {
    fn send(&self, text: &str) -> bool {
        self.0.send(text)
    }

    fn close(&self, code: u16) {
        self.0.close(code);
    }
}
