//! A Matrix client for tests: a user with an access token, and what tests do with it.

use std::cell::Cell;

use http::{Method, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use crate::{
    Reply, SyncBody, TestServer,
    scheduler::Started,
    server::{ADMIN_TOKEN, bytes},
};

/// What is escaped in a path segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b':');

/// The path of an endpoint of the client-server API.
pub fn path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    segments.into_iter().fold("/_matrix/client/v3".to_owned(), |mut path, segment| {
        path.push('/');
        path.extend(utf8_percent_encode(segment, SEGMENT));
        path
    })
}

/// A request; `token` goes into the header.
pub fn request(method: Method, uri: &str, token: Option<&str>, body: Option<&Json>) -> Request<Vec<u8>> {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(body.map(bytes).unwrap_or_default()).expect("the request is right")
}

impl TestServer {
    /// A request without a token.
    pub fn get(&self, uri: &str) -> Reply {
        self.request(request(Method::GET, uri, None, None))
    }

    /// A request without a token.
    pub fn post(&self, uri: &str, body: &Json) -> Reply {
        self.request(request(Method::POST, uri, None, Some(body)))
    }

    /// A request with any token, or none.
    pub fn send(&self, method: Method, uri: &str, token: Option<&str>, body: Option<&Json>) -> Reply {
        self.request(request(method, uri, token, body))
    }

    /// A request of the operator.
    pub fn admin(&self, method: Method, what: &str, body: &Json) -> Reply {
        self.send(method, &format!("/_hubbub/admin/v1/{what}"), Some(ADMIN_TOKEN), Some(body))
    }

    /// Registers an appservice, as the operator does.
    pub fn register_appservice(&self, yaml: &str) -> Reply {
        let mut registration = request(Method::POST, "/_hubbub/admin/v1/appservices", Some(ADMIN_TOKEN), None);
        let json: Json = serde_saphyr::from_str(yaml).expect("the registration is YAML");
        *registration.body_mut() = json.to_string().into_bytes();
        self.request(registration)
    }

    /// Registers a user with the password `<name>'s password`.
    pub fn register(&self, name: &str) -> Client {
        let body = json!({
            "username": name,
            "password": format!("{name}'s password"),
            "auth": {"type": "m.login.dummy"},
        });
        self.client(self.post("/_matrix/client/v3/register", &body).ok())
    }

    /// Makes an account without a password, which is quick: no test of passwords needs it.
    pub fn account(&self, name: &str) -> Client {
        let user_id: ruma::OwnedUserId = format!("@{name}:hub.example").parse().expect("the name is right");
        let command = hubbub_core::contract::user::UserCommand::CreateAccount {
            password: None,
            device: Some(hubbub_core::contract::user::NewDevice::default()),
            owner: false,
            appservice: None,
        };
        let address = hubbub_core::contract::Address::user(&user_id);
        let session: Option<hubbub_core::contract::user::NewSession> =
            self.call(address, command).expect("the account is made");
        let session = session.expect("a device was asked for");
        self.client(json!({
            "user_id": user_id,
            "access_token": session.access_token,
            "device_id": session.device_id,
        }))
    }

    /// Logs in with the password that [`Self::register`] gave.
    pub fn login(&self, name: &str, device_id: Option<&str>) -> Client {
        let body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": name},
            "password": format!("{name}'s password"),
            "device_id": device_id,
        });
        self.client(self.post("/_matrix/client/v3/login", &body).ok())
    }

    /// A session that was there before.
    pub fn session(&self, user_id: &str, token: &str, device_id: &str) -> Client {
        self.client(json!({ "user_id": user_id, "access_token": token, "device_id": device_id }))
    }

    /// A user of an appservice, whose token acts as the user.
    pub fn appservice_user(&self, token: &str, user_id: &str) -> Client {
        Client {
            server: self.clone(),
            user_id: user_id.to_owned(),
            token: token.to_owned(),
            device_id: String::new(),
            acting: Some(user_id.to_owned()),
            transactions: Cell::new(0),
        }
    }

    fn client(&self, session: Json) -> Client {
        let text = |key: &str| session[key].as_str().expect("the session is complete").to_owned();
        Client {
            server: self.clone(),
            user_id: text("user_id"),
            token: text("access_token"),
            device_id: text("device_id"),
            acting: None,
            transactions: Cell::new(0),
        }
    }
}

/// A user who is logged in.
pub struct Client {
    /// The server.
    pub server: TestServer,
    /// The user.
    pub user_id: String,
    /// The access token.
    pub token: String,
    /// The device.
    pub device_id: String,
    /// `?user_id=` of an appservice.
    acting: Option<String>,
    transactions: Cell<u32>,
}

impl Client {
    /// The request of this user for a path with an optional query.
    pub fn request(&self, method: Method, uri: &str, body: Option<&Json>) -> Request<Vec<u8>> {
        let mut uri = uri.to_owned();
        if let Some(acting) = &self.acting {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.push_str(&format!("user_id={}", utf8_percent_encode(acting, SEGMENT)));
        }
        request(method, &uri, Some(&self.token), body)
    }

    /// Sends a request of this user.
    pub fn ask(&self, method: Method, uri: &str, body: Option<&Json>) -> Reply {
        self.server.request(self.request(method, uri, body))
    }

    /// `GET` of a path.
    pub fn get<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Reply {
        self.ask(Method::GET, &path(segments), None)
    }

    /// `GET` of a path with a query.
    pub fn query<'a>(&self, segments: impl IntoIterator<Item = &'a str>, query: &[(&str, &str)]) -> Reply {
        self.ask(Method::GET, &with_query(path(segments), query), None)
    }

    /// `GET` of a path below `/v1/` with a query.
    pub fn query_v1<'a>(&self, segments: impl IntoIterator<Item = &'a str>, query: &[(&str, &str)]) -> Reply {
        self.ask(Method::GET, &with_query(path(segments).replacen("/v3/", "/v1/", 1), query), None)
    }

    /// `POST` to a path.
    pub fn post<'a>(&self, segments: impl IntoIterator<Item = &'a str>, body: &Json) -> Reply {
        self.ask(Method::POST, &path(segments), Some(body))
    }

    /// `PUT` to a path.
    pub fn put<'a>(&self, segments: impl IntoIterator<Item = &'a str>, body: &Json) -> Reply {
        self.ask(Method::PUT, &path(segments), Some(body))
    }

    /// `DELETE` of a path.
    pub fn delete<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Reply {
        self.ask(Method::DELETE, &path(segments), None)
    }

    /// Makes a room.
    #[track_caller]
    pub fn create_room(&self, body: &Json) -> String {
        let created = self.post(["createRoom"], body).ok();
        created["room_id"].as_str().expect("a room id").to_owned()
    }

    /// Makes a room that everybody may join.
    #[track_caller]
    pub fn public_room(&self) -> String {
        self.create_room(&json!({"preset": "public_chat"}))
    }

    /// Joins a room.
    #[track_caller]
    pub fn join(&self, room_id: &str) {
        self.post(["join", room_id], &json!({})).ok();
    }

    /// Leaves a room.
    #[track_caller]
    pub fn leave(&self, room_id: &str) {
        self.post(["rooms", room_id, "leave"], &json!({})).ok();
    }

    /// Does something to another user's membership: `invite`, `kick`, `ban` or `unban`.
    pub fn member(&self, room_id: &str, what: &str, other: &Client) -> Reply {
        self.post(["rooms", room_id, what], &json!({"user_id": other.user_id}))
    }

    /// Sends a text message and returns its event id.
    #[track_caller]
    pub fn send_text(&self, room_id: &str, text: &str) -> String {
        self.transactions.set(self.transactions.get() + 1);
        let transaction = format!("t{}", self.transactions.get());
        let sent = self.send_with(room_id, &transaction, text).ok();
        sent["event_id"].as_str().expect("an event id").to_owned()
    }

    /// Sends a text message under a transaction id.
    pub fn send_with(&self, room_id: &str, transaction: &str, text: &str) -> Reply {
        let content = json!({"msgtype": "m.text", "body": text});
        self.put(["rooms", room_id, "send", "m.room.message", transaction], &content)
    }

    /// Sets a piece of state.
    pub fn set_state(&self, room_id: &str, event_type: &str, state_key: &str, content: &Json) -> Reply {
        self.put(["rooms", room_id, "state", event_type, state_key], content)
    }

    /// The content of a piece of state.
    pub fn state(&self, room_id: &str, event_type: &str, state_key: &str) -> Reply {
        self.get(["rooms", room_id, "state", event_type, state_key])
    }

    /// A sync that does not wait.
    #[track_caller]
    pub fn sync(&self, since: Option<&str>) -> SyncBody {
        let query: Vec<(&str, &str)> = since.map(|since| ("since", since)).into_iter().collect();
        self.sync_with(&query)
    }

    /// A sync with this query.
    #[track_caller]
    pub fn sync_with(&self, query: &[(&str, &str)]) -> SyncBody {
        SyncBody(self.query(["sync"], query).ok())
    }

    /// Starts a sync that waits half a minute for something new.
    pub fn start_sync(&self, since: &str) -> Started<Reply> {
        let uri = with_query(path(["sync"]), &[("since", since), ("timeout", "30000")]);
        self.server.start(self.request(Method::GET, &uri, None))
    }
}

/// A path with a query.
pub fn with_query(mut path: String, query: &[(&str, &str)]) -> String {
    for (index, (key, value)) in query.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(key);
        path.push('=');
        path.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    path
}
