//! A room on a native database, with followers that remember what they were delivered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use hubbub_core::{
    context::{
        AppserviceList, Appservices, CallError, Clock, Config, Context, Egress, Failpoints, Homeserver, Http,
        HttpError, Objects, Random, Registration,
    },
    contract::{
        Address, decode_command,
        delivery::{Cursor, DeliveryAnswer, RoomDelivery},
        encode, encode_outcome,
        room::{
            Actor, ChangeMembership, CreateRoom, MembershipAction, NewState, Profile, RoomCommand, SendEvent, Sent,
        },
        user::UserCommand,
    },
    error::{MatrixError, Result},
    object::Object as _,
    room::{RoomObject, create::CreateEvent},
    secrets::Secrets,
};
use hubbub_storage::{
    database::DatabaseError,
    native::{NativeDatabase, NativeDirectory},
};
use ruma::{OwnedUserId, RoomVersionId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json, value::to_raw_value};

/// The milliseconds at which tests begin.
pub const START: i64 = 1_700_000_000_000;

#[derive(Default)]
pub struct TestClock(pub Cell<i64>);
impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.get()
    }
}

/// A counter dressed as randomness: repeatable, never the same twice.
#[derive(Default)]
struct Counter(Cell<u64>);
impl Random for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let next = self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0.set(next);
            *byte = next.to_be_bytes()[0];
        }
    }
}

/// Inboxes that take deliveries by the contiguity rule and keep them.
#[derive(Default)]
pub struct Inboxes {
    pub held: RefCell<BTreeMap<String, Cursor>>,
    pub deliveries: RefCell<BTreeMap<String, Vec<RoomDelivery>>>,
    pub down: Cell<bool>,
}
impl Objects for Inboxes {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(async move {
            if self.down.get() {
                return Err(CallError("down".to_owned()));
            }
            let UserCommand::Deliver(delivery) = decode_command(&command).unwrap() else {
                panic!("a room only delivers");
            };
            let mut held = self.held.borrow_mut();
            let held = held.entry(address.name.clone()).or_default();
            let answer = if delivery.previous == *held {
                *held = Cursor { epoch: delivery.epoch, position: delivery.through };
                let mut all = self.deliveries.borrow_mut();
                all.entry(address.name).or_default().push(*delivery);
                DeliveryAnswer::Accepted
            } else {
                DeliveryAnswer::Refused(*held)
            };
            Ok(encode_outcome(encode(&answer)))
        })
    }
}

struct Nothing;
impl Http for Nothing {
    fn send(
        &self,
        _: http::Request<Vec<u8>>,
        _: Egress,
        _: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>> {
        unreachable!("rooms make no requests")
    }
}
impl Homeserver for Nothing {
    fn request(&self, _: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        unreachable!("rooms make no requests")
    }
}
impl Failpoints for Nothing {
    fn pass(&self, _: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
impl Appservices for Nothing {
    fn list(&self) -> LocalBoxFuture<'_, Result<AppserviceList, DatabaseError>> {
        Box::pin(async { Ok(Rc::default()) })
    }
    fn forget(&self) {}
}

pub struct TestRoom {
    pub room_id: String,
    pub object: RoomObject,
    pub database: Rc<NativeDatabase>,
    pub directory: Rc<NativeDirectory>,
    pub inboxes: Rc<Inboxes>,
    pub clock: Rc<TestClock>,
    pub context: Rc<Context>,
}

pub fn user(localpart: &str) -> OwnedUserId {
    UserId::parse(format!("@{localpart}:hub.test")).unwrap()
}

pub fn actor(localpart: &str) -> Actor {
    Actor { user_id: user(localpart), device: "DEVICE".to_owned(), ignored: Vec::new() }
}

impl TestRoom {
    /// A public room of alice's in room version 12.
    pub fn new() -> Self {
        Self::with(RoomVersionId::V12, "public", "shared")
    }

    pub fn with(version: RoomVersionId, join_rule: &str, visibility: &str) -> Self {
        let directory = Rc::new(NativeDirectory::server().unwrap());
        let search = Rc::new(NativeDirectory::search().unwrap());
        let inboxes = Rc::new(Inboxes::default());
        let clock = Rc::new(TestClock(Cell::new(START)));
        let context = Rc::new(Context {
            config: Config {
                server_name: "hub.test".try_into().unwrap(),
                public_url: "http://hub.test".to_owned(),
                registration: Registration::Open,
                registration_token: None,
                default_room_version: RoomVersionId::V12,
                rate_limits: true,
                max_upload_bytes: 1_000_000,
                support: hubbub_core::context::Support::default(),
                insecure_gateways: false,
                slack_api_url: String::new(),
                discord_api_url: String::new(),
                secrets: Secrets::parse(
                    "ed25519 a_test YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1",
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                    "an admin token for tests",
                )
                .unwrap(),
            },
            clock: clock.clone(),
            random: Rc::new(Counter::default()),
            objects: inboxes.clone(),
            directory: directory.clone(),
            search: search.clone(),
            blobs: Rc::new(hubbub_storage::native_blobs::NativeBlobs::default()),
            http: Rc::new(Nothing),
            homeserver: Rc::new(Nothing),
            failpoints: Rc::new(Nothing),
            appservices: Rc::new(Nothing),
        });
        let creator = user("alice");
        let create = CreateEvent::build(&context, &version, &creator, Default::default(), START).unwrap();
        let state = |event_type: &str, content: Json| NewState {
            event_type: event_type.to_owned(),
            state_key: String::new(),
            content: to_raw_value(&content).unwrap(),
        };
        let mut users = json!({"@alice:hub.test": 100});
        if version == RoomVersionId::V12 {
            users = json!({});
        }
        let database = Rc::new(NativeDatabase::in_memory().unwrap());
        let object = RoomObject::open(create.room_id.as_str(), database.clone(), context.clone()).unwrap();
        let room = Self { room_id: create.room_id.to_string(), object, database, directory, inboxes, clock, context };
        room.ask::<Json>(RoomCommand::Create(Box::new(CreateRoom {
            room_id: create.room_id,
            room_version: version.to_string(),
            create_event: create.json,
            creator: actor("alice"),
            profile: Profile::default(),
            events: vec![
                state("m.room.power_levels", json!({"users": users})),
                state("m.room.join_rules", json!({"join_rule": join_rule})),
                state("m.room.history_visibility", json!({"history_visibility": visibility})),
            ],
            listed: false,
            canonical_alias: None,
        })))
        .unwrap();
        room
    }

    /// Loses what the object held in memory.
    pub fn crash(&mut self) {
        self.object = RoomObject::open(&self.room_id, self.database.clone(), self.context.clone()).unwrap();
    }

    pub fn ask<R: DeserializeOwned>(&self, command: RoomCommand) -> Result<R> {
        let reply = self.object.handle(command).now_or_never().expect("tests never wait")?;
        Ok(serde_json::from_slice(&reply).unwrap())
    }

    pub fn work(&self) {
        self.object.work().now_or_never().expect("tests never wait");
    }

    pub fn send(&self, sender: &str, event_type: &str, content: Json) -> Result<Sent> {
        self.ask(RoomCommand::Send(Box::new(send(sender, event_type, None, content))))
    }

    pub fn text(&self, sender: &str, body: &str) -> Result<Sent> {
        let content = json!({"msgtype": "m.text", "body": body});
        self.send(sender, "m.room.message", content)
    }

    pub fn set_state(&self, sender: &str, event_type: &str, content: Json) -> Result<Sent> {
        self.ask(RoomCommand::Send(Box::new(send(sender, event_type, Some(""), content))))
    }

    pub fn member(&self, actor_: &str, action: MembershipAction, target: &str) -> Result<Sent> {
        self.ask(RoomCommand::ChangeMembership(Box::new(ChangeMembership {
            actor: actor(actor_),
            target: user(target),
            action,
            reason: None,
            extra: Default::default(),
            profile: Profile::default(),
            timestamp: None,
            read_your_writes: false,
        })))
    }

    /// The bodies or types of what a follower was delivered, in order.
    pub fn delivered(&self, localpart: &str) -> Vec<String> {
        let all = self.inboxes.deliveries.borrow();
        all.get(user(localpart).as_str())
            .into_iter()
            .flatten()
            .flat_map(|delivery| &delivery.events)
            .map(|event| {
                let json: Json = serde_json::from_str(event.event.get()).unwrap();
                match json["content"]["body"].as_str() {
                    Some(body) => body.to_owned(),
                    None => event.event_type.clone(),
                }
            })
            .collect()
    }
}

pub fn send(sender: &str, event_type: &str, state_key: Option<&str>, content: Json) -> SendEvent {
    SendEvent {
        actor: actor(sender),
        event_type: event_type.to_owned(),
        state_key: state_key.map(ToOwned::to_owned),
        content: to_raw_value(&content).unwrap(),
        redacts: None,
        transaction_id: None,
        timestamp: None,
        read_your_writes: false,
    }
}

pub fn status(result: Result<impl std::fmt::Debug>) -> (u16, String) {
    let error: MatrixError = result.unwrap_err();
    (error.status, error.errcode)
}
