//! A Matrix user as a client: the requests that are measured, over one connection.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::connection::{Call, Connection, Reply};

/// A session with its connection.
pub struct User {
    /// The Matrix id.
    pub id: String,
    /// The access token.
    pub token: String,
    /// Where its requests go.
    pub connection: Connection,
}

impl User {
    /// Registers an account where registration is open.
    pub fn register(url: &str, name: &str) -> Result<Self> {
        let mut connection = Connection::new(url);
        let auth = json!({"type": "m.login.dummy"});
        let body = json!({"username": name, "password": format!("{name} only here"), "auth": auth}).to_string();
        let call = Call::new("POST", "/_matrix/client/v3/register", &body);
        let answer = connection.send(&call)?.success("register")?;
        Ok(Self { id: text(&answer, "/user_id")?, token: text(&answer, "/access_token")?, connection })
    }

    /// A new session (so a new device) of an account.
    pub fn log_in(url: &str, id: &str, password: &str) -> Result<Self> {
        let mut connection = Connection::new(url);
        let identifier = json!({"type": "m.id.user", "user": id});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password}).to_string();
        let call = Call::new("POST", "/_matrix/client/v3/login", &body);
        let answer = connection.send(&call)?.success("login")?;
        Ok(Self { id: text(&answer, "/user_id")?, token: text(&answer, "/access_token")?, connection })
    }

    /// The same session over another connection.
    pub fn again(&self) -> Self {
        Self { id: self.id.clone(), token: self.token.clone(), connection: self.connection.again() }
    }

    /// Any request under `/_matrix/client/v3`.
    pub fn request(&mut self, method: &str, path: &str, body: &str) -> Result<Reply> {
        let path = format!("/_matrix/client/v3{path}");
        self.connection.send(&Call::new(method, &path, body).with_token(&self.token))
    }

    /// The same, and what it cost; `admin_token` pays.
    pub fn billed(&mut self, method: &str, path: &str, body: &str, admin_token: &str) -> Result<Reply> {
        let path = format!("/_matrix/client/v3{path}");
        let call = Call { bill: Some(admin_token), ..Call::new(method, &path, body).with_token(&self.token) };
        self.connection.send(&call)
    }

    /// Makes a room and returns its id.
    pub fn create_room(&mut self, body: &Value) -> Result<String> {
        text(&self.request("POST", "/createRoom", &body.to_string())?.success("createRoom")?, "/room_id")
    }

    /// Joins a public room.
    pub fn join(&mut self, room: &str) -> Result<()> {
        self.request("POST", &format!("/rooms/{room}/join"), "{}")?.success("join")?;
        Ok(())
    }

    /// Sends a text and returns the event's id.
    pub fn send_text(&mut self, room: &str, transaction: &str, body: &str) -> Result<String> {
        let (path, content) = text_message(room, transaction, body);
        text(&self.request("PUT", &path, &content)?.success("send")?, "/event_id")
    }

    /// `/sync`, as it comes. `filter` stands in the query as it is.
    pub fn sync(&mut self, since: Option<&str>, filter: Option<&str>, timeout_ms: u32) -> Result<Reply> {
        self.request("GET", &sync_path(since, filter, timeout_ms), "")
    }

    /// A position from which nothing has happened yet.
    pub fn position(&mut self) -> Result<String> {
        let answer = self.sync(None, Some(&quiet_filter()), 0)?.success("sync")?;
        let mut since = text(&answer, "/next_batch")?;
        // Until what is on its way has arrived.
        for _ in 0..50 {
            let answer = self.sync(Some(&since), Some(&quiet_filter()), 50)?.success("sync")?;
            let next = text(&answer, "/next_batch")?;
            if next == since {
                break;
            }
            since = next;
        }
        Ok(since)
    }

    /// A page of `/messages`.
    pub fn messages(&mut self, room: &str, from: Option<&str>, limit: u32) -> Result<Value> {
        self.request("GET", &messages_path(room, from, limit), "")?.success("messages")
    }
}

/// The path under `/_matrix/client/v3` and the body of a text message.
pub fn text_message(room: &str, transaction: &str, body: &str) -> (String, String) {
    let content = json!({"msgtype": "m.text", "body": body}).to_string();
    (format!("/rooms/{room}/send/m.room.message/{transaction}"), content)
}

/// The path of a `/sync`.
pub fn sync_path(since: Option<&str>, filter: Option<&str>, timeout_ms: u32) -> String {
    let mut path = format!("/sync?timeout={timeout_ms}");
    for (name, value) in [("since", since), ("filter", filter)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    path
}

/// The path of a page of `/messages`, newest first.
pub fn messages_path(room: &str, from: Option<&str>, limit: u32) -> String {
    let from = from.map(|from| format!("&from={}", encoded(from))).unwrap_or_default();
    format!("/rooms/{room}/messages?dir=b&limit={limit}{from}")
}

/// A filter that lets almost nothing through.
pub fn quiet_filter() -> String {
    json!({"room": {"timeline": {"limit": 1}, "state": {"types": []}}}).to_string()
}

/// A string somewhere in an answer.
pub fn text(value: &Value, pointer: &str) -> Result<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{pointer} is missing"))
}

/// Percent-encoded for a path or a query.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~!:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
