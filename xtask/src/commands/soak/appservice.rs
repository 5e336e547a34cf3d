//! An appservice over HTTP that takes every transaction, now and then without saying so, and notes what comes twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::load::random::Random;

/// The largest transaction.
const BODY_LIMIT: usize = 4 << 20;
/// The chance, of 100, that a transaction is taken and its answer lost.
const LOST_ANSWERS: u64 = 20;

/// What it has got.
#[derive(Default)]
pub(super) struct Inbox {
    transactions: BTreeSet<String>,
    /// Each event with the transactions that had it.
    events: BTreeMap<String, BTreeSet<String>>,
}

/// The appservice.
pub(super) struct Appservice {
    /// Its registration.
    pub registration: Value,
    inbox: Arc<Mutex<Inbox>>,
}

impl Appservice {
    /// The id of its registration.
    pub const ID: &'static str = "soak-appservice";

    /// Listens; interested in one user.
    pub fn start(localpart: &str, random: Random) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let (first, second) = (random.clone().draw(), random.clone().fork().draw());
        let (third, fourth) = (random.clone().fork().fork().draw(), first.rotate_left(17));
        let registration = json!({
            "id": Self::ID,
            "url": format!("http://127.0.0.1:{port}"),
            "as_token": format!("as_{first:016x}{second:016x}"),
            "hs_token": format!("hs_{third:016x}{fourth:016x}"),
            "sender_localpart": "soak_bot",
            "rate_limited": false,
            "namespaces": {
                "users": [{"exclusive": false, "regex": format!("@{localpart}:.*")}],
                "aliases": [],
                "rooms": [],
            },
        });
        let inbox: Arc<Mutex<Inbox>> = Arc::default();
        let shared = Arc::clone(&inbox);
        thread::spawn(move || {
            let mut random = random;
            for stream in listener.incoming().map_while(Result::ok) {
                // One at a time, as the transactions are; the server asks again after an error.
                let _served = serve(stream, &shared, &mut random);
            }
        });
        Ok(Self { registration, inbox })
    }

    /// Whether an event came.
    pub fn has(&self, event_id: &str) -> bool {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).events.contains_key(event_id)
    }

    /// Events that came under several transaction ids, and how many events came in all.
    pub fn doubled(&self) -> (Vec<String>, usize) {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let doubled = inbox.events.iter().filter(|(_, transactions)| transactions.len() > 1);
        (doubled.map(|(event, _)| event.clone()).collect(), inbox.events.len())
    }
}

fn serve(stream: TcpStream, inbox: &Mutex<Inbox>, random: &mut Random) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).context("no path")?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    anyhow::ensure!(length <= BODY_LIMIT, "a transaction of {length} bytes");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if let Some(transaction) = path.split("/transactions/").nth(1) {
        take(transaction, &body, inbox)?;
        if random.percent(LOST_ANSWERS) {
            return Ok(());
        }
    }
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    reader.get_mut().write_all(answer.as_bytes())?;
    Ok(())
}

fn take(transaction: &str, body: &[u8], inbox: &Mutex<Inbox>) -> Result<()> {
    let body: Value = serde_json::from_slice(body)?;
    let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
    inbox.transactions.insert(transaction.to_owned());
    for event in body.get("events").and_then(Value::as_array).into_iter().flatten() {
        let id = event.get("event_id").and_then(Value::as_str).unwrap_or_default();
        inbox.events.entry(id.to_owned()).or_default().insert(transaction.to_owned());
    }
    Ok(())
}
