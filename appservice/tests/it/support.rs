//! A server of fakes around an AppserviceObject.

use std::{
    cell::{Cell, RefCell},
    collections::{HashSet, VecDeque},
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use futures_util::future::LocalBoxFuture;
use hubbub_appservice::{builtin::Builtin, in_process::InProcess, object::AppserviceObject, registry::Registry};
use hubbub_core::{
    context::{
        CallError, Clock, Config, Context, Egress, Failpoints, Homeserver, Http, HttpError, Objects, Random,
        Registration,
    },
    contract::{
        self, Address,
        appservice::AppserviceCommand,
        delivery::{Cursor, DeliveredEvent, DeliveryAnswer, RoomDelivery, RoomFacts},
    },
    error::Result,
    object::Object,
    secrets::Secrets,
};
use hubbub_storage::{
    database::Database,
    directory::{Directory, run},
    native::{NativeDatabase, NativeDirectory},
};
use ruma::{OwnedServerName, RoomVersionId, server_name};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json, value::to_raw_value};

/// Runs a future that nothing outside has to wake; panics when it waits for ever.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = TaskContext::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the future waits for something that never comes");
}

/// A clock that moves only when told.
pub struct ManualClock(pub Cell<i64>);

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.get()
    }
}

/// Numbers that a seed decides (xorshift).
pub struct SeededRandom(Cell<u64>);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x >> 16
    }

    pub fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}

/// What the fake appservice answers next.
pub enum Answer {
    Status(u16, &'static str),
    Error(HttpError),
    /// As `Error`, after so many milliseconds.
    After(i64, HttpError),
}

/// An appservice that answers what the test says, and 200 when nothing is left to say.
#[derive(Default)]
pub struct FakeHttp {
    pub answers: RefCell<VecDeque<Answer>>,
    /// Answered while `answers` is empty, if set.
    pub always: Cell<Option<u16>>,
    /// Answers nothing for ever.
    pub stalls: Cell<bool>,
    pub requests: RefCell<Vec<http::Request<Vec<u8>>>>,
    pub egress: RefCell<Vec<Egress>>,
    clock: RefCell<Option<Rc<ManualClock>>>,
}

impl FakeHttp {
    /// The bodies of all transactions, with their ids.
    pub fn transactions(&self) -> Vec<(String, Json)> {
        let requests = self.requests.borrow();
        requests
            .iter()
            .filter_map(|request| {
                let id = request.uri().path().strip_prefix("/as/_matrix/app/v1/transactions/")?;
                Some((id.to_owned(), serde_json::from_slice(request.body()).unwrap()))
            })
            .collect()
    }
}

impl Http for FakeHttp {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        egress: Egress,
        _timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>> {
        self.requests.borrow_mut().push(request);
        self.egress.borrow_mut().push(egress);
        if self.stalls.get() {
            return Box::pin(std::future::pending());
        }
        let respond = |status: u16, body: &str| {
            Ok(http::Response::builder().status(status).body(body.as_bytes().to_vec()).unwrap())
        };
        let answer = match self.answers.borrow_mut().pop_front() {
            Some(Answer::Status(status, body)) => respond(status, body),
            Some(Answer::Error(error)) => Err(error),
            Some(Answer::After(milliseconds, error)) => {
                if let Some(clock) = self.clock.borrow().as_ref() {
                    clock.0.set(clock.0.get() + milliseconds);
                }
                Err(error)
            }
            None => respond(self.always.get().unwrap_or(200), "{}"),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Other objects: remembers who was called, and answers `Ok(null)`.
#[derive(Default)]
pub struct FakeObjects {
    pub called: RefCell<Vec<(Address, Json)>>,
}

impl Objects for FakeObjects {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        let command: Json = serde_json::from_slice(&command).unwrap();
        self.called.borrow_mut().push((address, command["command"].clone()));
        Box::pin(std::future::ready(Ok(b"{\"Ok\":null}".to_vec())))
    }
}

/// Our own API: remembers the requests and answers what the test says, else `{}`.
#[derive(Default)]
pub struct FakeHomeserver {
    pub answers: RefCell<VecDeque<(u16, Json)>>,
    pub requests: RefCell<Vec<http::Request<Vec<u8>>>>,
}

impl Homeserver for FakeHomeserver {
    fn request(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        self.requests.borrow_mut().push(request);
        let (status, body) = self.answers.borrow_mut().pop_front().unwrap_or((200, json!({})));
        let response = http::Response::builder().status(status).body(serde_json::to_vec(&body).unwrap()).unwrap();
        Box::pin(std::future::ready(response))
    }
}

/// Failpoints at which a run stops for ever, as when the process is killed.
#[derive(Default)]
pub struct Kills {
    pub at: RefCell<HashSet<&'static str>>,
}

impl Failpoints for Kills {
    fn pass(&self, name: &'static str) -> LocalBoxFuture<'_, ()> {
        if self.at.borrow_mut().remove(name) {
            Box::pin(std::future::pending())
        } else {
            Box::pin(std::future::ready(()))
        }
    }
}

/// Everything around one AppserviceObject.
pub struct World {
    pub context: Rc<Context>,
    pub clock: Rc<ManualClock>,
    pub http: Rc<FakeHttp>,
    pub objects: Rc<FakeObjects>,
    pub homeserver: Rc<FakeHomeserver>,
    pub kills: Rc<Kills>,
    pub registry: Rc<Registry>,
    pub directory: Rc<NativeDirectory>,
    pub database: Rc<NativeDatabase>,
}

pub const START: i64 = 1_700_000_000_000;

pub fn server() -> OwnedServerName {
    server_name!("hub.example").to_owned()
}

pub fn secrets() -> Secrets {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let seed = STANDARD.encode([7; 32]);
    Secrets::parse(&format!("ed25519 a {seed}"), &STANDARD.encode([9; 32]), "0123456789abcdef").unwrap()
}

fn config() -> Config {
    Config {
        server_name: server(),
        public_url: "https://hub.example/base".to_owned(),
        registration: Registration::Closed,
        registration_token: None,
        default_room_version: RoomVersionId::V12,
        rate_limits: false,
        max_upload_bytes: 1_000_000,
        support: hubbub_core::context::Support::default(),
        insecure_gateways: false,
        slack_api_url: String::new(),
        discord_api_url: String::new(),
        secrets: secrets(),
    }
}

pub fn slack() -> Builtin {
    Builtin::with_prefix("slack", "slackbot", "_slack_", &server())
}

impl World {
    pub fn new() -> Self {
        Self::with_builtins(vec![slack()])
    }

    pub fn with_builtins(builtins: Vec<Builtin>) -> Self {
        let clock = Rc::new(ManualClock(Cell::new(START)));
        let http = Rc::new(FakeHttp::default());
        *http.clock.borrow_mut() = Some(clock.clone());
        let objects = Rc::new(FakeObjects::default());
        let homeserver = Rc::new(FakeHomeserver::default());
        let kills = Rc::new(Kills::default());
        let directory = Rc::new(NativeDirectory::server().unwrap());
        let registry = Rc::new(Registry::new(&config(), directory.clone(), clock.clone(), builtins).unwrap());
        let context = Rc::new(Context {
            config: config(),
            clock: clock.clone(),
            random: Rc::new(SeededRandom::new(1)),
            objects: objects.clone(),
            directory: directory.clone(),
            search: directory.clone(),
            blobs: Rc::new(hubbub_storage::native_blobs::NativeBlobs::default()),
            http: http.clone(),
            homeserver: homeserver.clone(),
            failpoints: kills.clone(),
            appservices: registry.clone(),
        });
        Self {
            context,
            clock,
            http,
            objects,
            homeserver,
            kills,
            registry,
            directory,
            database: Rc::new(NativeDatabase::in_memory().unwrap()),
        }
    }

    /// A world with an IRC bridge that is reached over HTTP.
    pub fn with_irc() -> Self {
        let world = Self::new();
        world.register(&irc_yaml("https://irc.example/as")).unwrap();
        world
    }

    pub fn register(&self, yaml: &str) -> Result<hubbub_appservice::registry::admin::AppserviceSummary> {
        ready(self.registry.register(&self.context, &json_of(yaml)))
    }

    /// The object of the IRC bridge. Opening it again stands for a restart.
    pub fn open(&self) -> AppserviceObject {
        AppserviceObject::open("irc", self.database(), self.context.clone()).unwrap()
    }

    /// The object of a bundled bridge.
    pub fn open_slack(&self, bridge: Rc<dyn InProcess>) -> AppserviceObject {
        AppserviceObject::with_bridge("slack", self.database(), self.context.clone(), bridge)
    }

    fn database(&self) -> Rc<dyn Database> {
        self.database.clone()
    }

    pub fn pass(&self, milliseconds: i64) {
        self.clock.0.set(self.clock.0.get() + milliseconds);
    }

    /// Works as the shell does: moves the clock to the wake-up and goes on, at most `times` times.
    pub fn work_until_idle(&self, object: &AppserviceObject, times: usize) {
        for _ in 0..times {
            let Some(at) = ready(object.work()) else { return };
            self.clock.0.set(self.clock.0.get().max(at));
        }
    }

    /// Text of a D1 query's first column.
    pub fn d1(&self, sql: &'static str) -> Vec<String> {
        let rows = ready(run(self.directory.as_ref() as &dyn Directory, sql, Vec::new())).unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }

    pub fn d1_write(&self, sql: &'static str) {
        ready(run(self.directory.as_ref() as &dyn Directory, sql, Vec::new())).unwrap();
    }
}

/// A registration file as it is sent to the server.
pub fn json_of(yaml: &str) -> String {
    serde_saphyr::from_str::<serde_json::Value>(yaml).unwrap().to_string()
}

pub fn irc_yaml(url: &str) -> String {
    format!(
        r##"
id: irc
url: "{url}"
as_token: as_0123456789abcdef
hs_token: hs_0123456789abcdef
sender_localpart: ircbot
namespaces:
  users:
    - exclusive: true
      regex: "@irc_.*:hub\\.example"
  aliases:
    - exclusive: true
      regex: "#irc_.*:hub\\.example"
  rooms: []
rate_limited: false
protocols: [irc]
receive_ephemeral: true
"##
    )
}

/// Sends a command and decodes its reply.
pub fn command<R: DeserializeOwned>(object: &AppserviceObject, command: AppserviceCommand) -> Result<R> {
    // Through JSON and back, as between objects.
    let command = contract::decode_command(&contract::encode_command(&command).unwrap()).unwrap();
    ready(object.handle(command)).map(|reply| serde_json::from_slice(&reply).unwrap())
}

pub fn deliver(object: &AppserviceObject, delivery: RoomDelivery) -> DeliveryAnswer {
    command(object, AppserviceCommand::Deliver(Box::new(delivery))).unwrap()
}

/// An event whose body is its position.
pub fn event(room: &str, position: i64) -> DeliveredEvent {
    event_with(room, position, &position.to_string())
}

pub fn event_with(room: &str, position: i64, body: &str) -> DeliveredEvent {
    let event_id = format!("${}_{position}", room.trim_start_matches('!').replace(':', "_"));
    let event = json!({
        "type": "m.room.message", "event_id": event_id, "sender": "@alice:hub.example",
        "origin_server_ts": START, "content": { "body": body },
    });
    DeliveredEvent {
        event_id: event_id.try_into().unwrap(),
        position: Some(position),
        order_key: position,
        event: to_raw_value(&event).unwrap(),
        is_state: false,
        event_type: "m.room.message".to_owned(),
        state_key: None,
        sender: "@alice:hub.example".try_into().unwrap(),
        membership: None,
        transaction: None,
        sender_member: None,
        redacted: None,
    }
}

/// The delivery of `(previous, through]` under an epoch, with one event a position.
pub fn delivery(room: &str, epoch: i64, previous: (i64, i64), through: i64) -> RoomDelivery {
    RoomDelivery {
        room_id: room.try_into().unwrap(),
        epoch,
        previous: Cursor { epoch: previous.0, position: previous.1 },
        through,
        snapshot: None,
        events: (previous.1 + 1..=through).map(|position| event(room, position)).collect(),
        receipts: Vec::new(),
        typing: None,
        room: RoomFacts::default(),
    }
}

/// The bodies of a transaction's events.
pub fn bodies(transaction: &Json) -> Vec<String> {
    let events = transaction["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["body"].as_str().unwrap().to_owned()).collect()
}
