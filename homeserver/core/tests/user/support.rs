//! A UserSyncObject over an in-memory database, with other objects played by closures.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use hubbub_core::{
    context::{
        Appservice, Appservices, CallError, Clock, Config, Context, Egress, Failpoints, Homeserver, Http, HttpError,
        Objects, Random, Registration,
    },
    contract::{
        Address,
        user::{Caller, NewDevice, NewSession, SessionProof, SyncRequest, UserCommand},
    },
    error::{MatrixError, Result},
    object::Object as _,
    secrets::Secrets,
    user::{UserSyncObject, token},
};
use hubbub_storage::{
    database::{Database, DatabaseError, Row},
    directory::{Directory as _, Statement},
    native::{NativeDatabase, NativeDirectory},
};
use ruma::{RoomVersionId, server_name};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

pub const ALICE: &str = "@alice:hub";
pub const BOB: &str = "@bob:hub";

/// Answers a call to another object: the decoded command, to the encoded outcome.
pub type Answer = Box<dyn Fn(&Address, &Json) -> std::result::Result<Result<Json>, CallError>>;

/// The other objects: every call is recorded.
pub struct FakeObjects {
    pub calls: RefCell<Vec<(Address, Json)>>,
    pub answer: RefCell<Answer>,
}

impl Objects for FakeObjects {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, std::result::Result<Vec<u8>, CallError>> {
        let envelope: Json = serde_json::from_slice(&command).unwrap();
        let command = envelope["command"].clone();
        let answer = (self.answer.borrow())(&address, &command);
        self.calls.borrow_mut().push((address, command));
        let answer = answer.map(|outcome| serde_json::to_vec(&outcome).unwrap());
        Box::pin(async move { answer })
    }
}

pub struct FakeClock(pub Cell<i64>);

impl Clock for FakeClock {
    fn now(&self) -> i64 {
        self.0.get()
    }
}

/// A small deterministic generator (splitmix64).
pub struct Seeded(pub Cell<u64>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.next().to_be_bytes()[0];
        }
    }
}

struct Nothing;

impl Http for Nothing {
    fn send(
        &self,
        _: http::Request<Vec<u8>>,
        _: Egress,
        _: u32,
    ) -> LocalBoxFuture<'_, std::result::Result<http::Response<Vec<u8>>, HttpError>> {
        Box::pin(async { Err(HttpError::NotSent("no network in tests".to_owned())) })
    }
}

impl Homeserver for Nothing {
    fn request(&self, _: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        Box::pin(async { http::Response::new(Vec::new()) })
    }
}

impl Failpoints for Nothing {
    fn pass(&self, _: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Appservices for Nothing {
    fn list(&self) -> LocalBoxFuture<'_, std::result::Result<Rc<Vec<Rc<dyn Appservice>>>, DatabaseError>> {
        Box::pin(async { Ok(Rc::default()) })
    }

    fn forget(&self) {}
}

/// The world around one object.
pub struct World {
    pub objects: Rc<FakeObjects>,
    pub directory: Rc<NativeDirectory>,
    pub clock: Rc<FakeClock>,
    pub context: Rc<Context>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let objects = Rc::new(FakeObjects {
            calls: RefCell::default(),
            answer: RefCell::new(Box::new(|_, _| Ok(Ok(Json::Null)))),
        });
        let directory = Rc::new(NativeDirectory::server().unwrap());
        let clock = Rc::new(FakeClock(Cell::new(1_000_000)));
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let context = Context {
            config: Config {
                server_name: server_name!("hub").to_owned(),
                public_url: "http://hub".to_owned(),
                registration: Registration::Open,
                registration_token: None,
                default_room_version: RoomVersionId::V12,
                rate_limits: true,
                max_upload_bytes: 1_000_000,
                support: hubbub_core::context::Support::default(),
                insecure_gateways: false,
                slack_api_url: String::new(),
                discord_api_url: String::new(),
                secrets: Secrets::parse(&format!("ed25519 a {zeros}"), zeros, "admin token of tests").unwrap(),
            },
            clock: clock.clone(),
            random: Rc::new(Seeded::new(seed)),
            objects: objects.clone(),
            directory: directory.clone(),
            search: directory.clone(),
            blobs: Rc::new(hubbub_storage::native_blobs::NativeBlobs::default()),
            http: Rc::new(Nothing),
            homeserver: Rc::new(Nothing),
            failpoints: Rc::new(Nothing),
            appservices: Rc::new(Nothing),
        };
        Self { objects, directory, clock, context: Rc::new(context) }
    }

    /// Rows of D1.
    pub fn d1(&self, sql: &'static str) -> Vec<Row> {
        self.directory.batch(vec![Statement::new(sql, Vec::new())]).now_or_never().unwrap().unwrap().remove(0)
    }
}

/// One user's object.
pub struct User {
    pub world: World,
    pub database: Rc<NativeDatabase>,
    pub object: UserSyncObject,
}

impl User {
    /// An object in which nothing was ever written.
    pub fn unmade() -> Self {
        Self::seeded(ALICE, 1)
    }

    pub fn seeded(user_id: &str, seed: u64) -> Self {
        let world = World::new(seed);
        let database = Rc::new(NativeDatabase::in_memory().unwrap());
        let port: Rc<dyn Database> = database.clone();
        let object = UserSyncObject::open(user_id, port, world.context.clone()).unwrap();
        Self { world, database, object }
    }

    /// An account without a password and one device.
    pub fn with_device(device_id: &str) -> (Self, Caller) {
        let user = Self::unmade();
        let caller = user.make(device_id);
        (user, caller)
    }

    pub fn make(&self, device_id: &str) -> Caller {
        let session: Option<NewSession> = self
            .ask(UserCommand::CreateAccount {
                password: None,
                device: Some(device(device_id)),
                owner: false,
                appservice: None,
            })
            .unwrap();
        self.caller(&session.unwrap())
    }

    /// A further device.
    pub fn another_device(&self, device_id: &str) -> Caller {
        let session: NewSession = self
            .ask(UserCommand::Login {
                with: hubbub_core::contract::user::LoginWith::Appservice("any".to_owned()),
                device: device(device_id),
            })
            .unwrap();
        self.caller(&session)
    }

    pub fn caller(&self, session: &NewSession) -> Caller {
        Caller::Session(self.proof(session))
    }

    pub fn proof(&self, session: &NewSession) -> SessionProof {
        let config = &self.world.context.config;
        token::parse(&config.secrets, &config.server_name, &session.access_token).unwrap().session
    }

    /// Wakes the object up again after an eviction.
    pub fn reopen(&mut self) {
        let port: Rc<dyn Database> = self.database.clone();
        self.object = UserSyncObject::open(ALICE, port, self.world.context.clone()).unwrap();
    }

    pub fn ask<R: DeserializeOwned>(&self, command: UserCommand) -> Result<R> {
        let reply = self.object.handle(command).now_or_never().expect("nothing waits in these tests")?;
        Ok(serde_json::from_slice(&reply).unwrap())
    }

    pub fn work(&self) -> Option<i64> {
        self.object.work().now_or_never().unwrap()
    }

    pub fn sync(&self, caller: &Caller, since: Option<&str>) -> Json {
        self.sync_with(caller, since, json!({}))
    }

    pub fn sync_with(&self, caller: &Caller, since: Option<&str>, filter: Json) -> Json {
        self.try_sync(caller, since, Some(&filter.to_string())).unwrap()
    }

    pub fn try_sync(&self, caller: &Caller, since: Option<&str>, filter: Option<&str>) -> Result<Json> {
        let answer: hubbub_core::contract::user::SyncAnswer =
            self.ask(UserCommand::Sync(Box::new(request(caller, since, filter))))?;
        let mut body: Json = serde_json::from_str(answer.body.get()).unwrap();
        // Said in every answer, and tested by itself.
        for counts in ["device_one_time_keys_count", "device_unused_fallback_key_types"] {
            body.as_object_mut().unwrap().remove(counts);
        }
        assert_eq!(answer.empty, body.as_object().unwrap().len() == 1, "{body}");
        Ok(body)
    }
}

pub fn request(caller: &Caller, since: Option<&str>, filter: Option<&str>) -> SyncRequest {
    SyncRequest {
        caller: caller.clone(),
        since: since.map(str::to_owned),
        filter: filter.map(str::to_owned),
        full_state: false,
        set_presence: Some("offline".to_owned()),
        state_after: hubbub_core::contract::user::StateAfter::No,
    }
}

pub fn device(device_id: &str) -> NewDevice {
    NewDevice {
        device_id: Some(device_id.to_owned()),
        display_name: Some("A device".to_owned()),
        ..NewDevice::default()
    }
}

/// The token to go on from.
pub fn next(body: &Json) -> &str {
    body["next_batch"].as_str().unwrap()
}

/// The status and errcode of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (u16, String) {
    let error: MatrixError = result.unwrap_err();
    (error.status, error.errcode)
}

/// The bodies of a list of messages.
pub fn bodies(events: &Json) -> Vec<&str> {
    let events = events.as_array().unwrap();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// The types of a list of events.
pub fn types(events: &Json) -> Vec<&str> {
    let events = events.as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}
