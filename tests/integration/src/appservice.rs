//! A third party's appservice: a few lines of HTTP that take transactions, and refuse some on demand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use hubbub_conformance::random_name;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Server, eventually};

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The body.
    pub body: Value,
    /// The status that was answered.
    pub status: u16,
}

impl Received {
    /// The transaction's id; empty for anything else.
    pub fn transaction(&self) -> &str {
        self.line.strip_prefix("PUT /_matrix/app/v1/transactions/").unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    connections: usize,
    received: Vec<Received>,
    /// The next statuses; 200 once they are used up.
    statuses: VecDeque<u16>,
    delay: Duration,
    in_flight: usize,
    most_in_flight: usize,
}

/// An appservice, registered at a server.
pub struct Receiver {
    /// Its id, which is also the start of the names of its users.
    pub id: String,
    /// With which it calls the server.
    pub as_token: String,
    /// With which the server calls it.
    pub hs_token: String,
    /// Its bot's full user id.
    pub bot: String,
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts it and registers it, with an exclusive namespace `@{id}_.*` of users and `#{id}_.*` of aliases.
    pub async fn registered(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::<Mutex<State>>::default();
        tokio::spawn(serve(listener, Arc::clone(&state)));
        let id = random_name("third");
        let receiver = Self {
            as_token: random_name("as-token"),
            hs_token: random_name("hs-token"),
            bot: format!("@{id}bot:{}", server.name),
            id,
            url,
            state,
        };
        server.admin(reqwest::Method::POST, "appservices", receiver.registration()).await.ok();
        receiver
    }

    /// Its registration.
    pub fn registration(&self) -> String {
        let registration = json!({
            "id": self.id,
            "url": self.url,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            "sender_localpart": format!("{}bot", self.id),
            "rate_limited": false,
            "receive_ephemeral": true,
            "namespaces": {
                "users": [{"exclusive": true, "regex": format!("@{}_.*", self.id)}],
                "aliases": [{"exclusive": true, "regex": format!("#{}_.*", self.id)}],
                "rooms": [],
            },
        });
        registration.to_string()
    }

    /// Everything that came in.
    pub fn received(&self) -> Vec<Received> {
        self.lock(|state| state.received.clone())
    }

    /// The transactions that came in.
    pub fn transactions(&self) -> Vec<Received> {
        let mut received = self.received();
        received.retain(|request| !request.transaction().is_empty());
        received
    }

    /// The events of all transactions that were accepted, in order.
    pub fn events(&self) -> Vec<Value> {
        let accepted = self.transactions().into_iter().filter(|request| request.status == 200);
        accepted.flat_map(|request| request.body["events"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Answers the next requests with these statuses.
    pub fn answer_next(&self, statuses: &[u16]) {
        self.lock(|state| state.statuses.extend(statuses));
    }

    /// Takes so long for each answer.
    pub fn delay(&self, delay: Duration) {
        self.lock(|state| state.delay = delay);
    }

    /// How many requests were under way at once, at most.
    pub fn most_in_flight(&self) -> usize {
        self.lock(|state| state.most_in_flight)
    }

    /// Waits until a message with this text was accepted.
    pub async fn hears(&self, body: &str) -> Value {
        eventually(&format!("{body:?} at the appservice"), async || {
            self.events().into_iter().find(|event| event["content"]["body"] == body)
        })
        .await
    }

    /// How often somebody connected, whatever came of it.
    pub fn connections(&self) -> usize {
        self.lock(|state| state.connections)
    }

    fn lock<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("the state of the appservice"))
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        if let Ok(mut state) = state.lock() {
            state.connections += 1;
        }
        tokio::spawn(async move { answer(stream, &state).await });
    }
}

/// Answers one request and closes the connection.
async fn answer(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let (head, body) = read(&mut stream).await?;
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let authorization = lines.filter_map(|line| line.split_once(':'));
    let authorization = authorization
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .map(|(_, value)| value.trim().to_owned())
        .next();
    let (status, delay) = {
        let mut state = state.lock().ok()?;
        let status = state.statuses.pop_front().unwrap_or(200);
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        let authorization = authorization.unwrap_or_default();
        state.received.push(Received { line, authorization, body, status });
        (status, state.delay)
    };
    tokio::time::sleep(delay).await;
    state.lock().ok()?.in_flight -= 1;
    let answer = json!({}).to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()
}

/// Reads head and JSON body of a request.
async fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let header = |wanted: &str| {
        let headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned()).next()
    };
    let mut body = bytes.split_off(end);
    if let Some(length) = header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        while body.len() < length {
            more(stream, &mut body).await?;
        }
    } else if header("transfer-encoding").is_some() {
        while !body.ends_with(b"0\r\n\r\n") {
            more(stream, &mut body).await?;
        }
        body = unchunked(&body);
    }
    Some((head, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16_384];
    let read = stream.read(&mut buffer).await.ok()?;
    bytes.extend_from_slice(buffer.get(..read)?);
    (read > 0).then_some(())
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = rest.get(..end).map(String::from_utf8_lossy).unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        let start = end + 2;
        body.extend_from_slice(rest.get(start..start + size).unwrap_or_default());
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    body
}
