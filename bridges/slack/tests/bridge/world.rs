//! Everything around the bridge: time that jumps to the next alarm, objects that can die at any
//! failpoint and wake again on the same database, and the two other sides.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
    future::{Future, pending},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};

use futures_util::future::{LocalBoxFuture, join_all};
use hubbub_appservice::{
    builtin::{builtin_token, double_puppet_id},
    in_process::InProcess,
};
use hubbub_bridge::contract::{
    Bridged, Finished, LoginCommand, LoginStatus, PortalCommand, PortalStatus, Secret, Started,
};
use hubbub_core::{
    context::{
        Appservice, Appservices, CallError, Clock, Config, Context, Egress, Failpoints, Homeserver, Http, HttpError,
        Objects, Random, Registration,
    },
    contract::{Address, Class, appservice::AppserviceCommand, call, decode_command, encode_outcome},
    error::MatrixError,
    object::Object,
    secrets::Secrets,
};
use hubbub_slack::{LoginObject, PortalObject};
use hubbub_storage::{
    database::{Database as _, DatabaseError, Query as _, Value},
    directory::{Directory, run},
    native::{NativeDatabase, NativeDirectory},
};
use ruma::{OwnedServerName, RoomId, RoomVersionId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::{
    homeserver::FakeHomeserver,
    slack::{FakeSlack, SIGNING_SECRET, TEAM, TOKEN},
};

pub const ALICE: &str = "@alice:hub.test";
pub const ADMIN_TOKEN: &str = "admin-token-of-the-test";
pub const START: i64 = 1_760_000_000_000;

enum Live {
    Login(Box<LoginObject>),
    Portal(Box<PortalObject>),
}

/// The bridge died at a failpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Crashed;

pub struct World {
    pub now: Cell<i64>,
    pub slack: FakeSlack,
    pub homeserver: FakeHomeserver,
    pub directory: NativeDirectory,
    pub routes: RefCell<BTreeMap<String, Option<String>>>,
    context: RefCell<Option<Rc<Context>>>,
    objects: RefCell<HashMap<Address, Rc<Live>>>,
    databases: RefCell<BTreeMap<(String, String), Rc<NativeDatabase>>>,
    dirty: RefCell<Vec<Address>>,
    random: Cell<u64>,
    event_sequence: Cell<u32>,
    /// Die when this failpoint is passed for the n-th time.
    fatal: Cell<Option<(&'static str, u32)>>,
    crashed: Cell<bool>,
    /// The failpoints where the bridge died.
    pub died: RefCell<Vec<&'static str>>,
}

struct Ports(Rc<World>);

impl Clock for Ports {
    fn now(&self) -> i64 {
        self.0.now.get()
    }
}

impl Random for Ports {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let state =
                self.0.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0.random.set(state);
            *byte = (state >> 56) as u8;
        }
    }
}

impl Objects for Ports {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(async move { Ok(self.0.handle(address, command).await) })
    }
}

impl Http for Ports {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        egress: Egress,
        _timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>> {
        let host = request.uri().host().unwrap_or_default();
        assert_eq!(egress == Egress::Stranger, host != "slack.test", "{host}");
        Box::pin(async move {
            yield_once().await;
            self.0.slack.set_clock(self.0.now.get());
            let answer = self.0.slack.answer(&request);
            while self.0.slack.hangs.get() && request.uri().path().ends_with("/chat.postMessage") {
                yield_once().await;
            }
            yield_once().await;
            answer
        })
    }
}

impl Homeserver for Ports {
    fn request(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        Box::pin(async move {
            yield_once().await;
            let context = self.0.context();
            let secrets = &context.config.secrets;
            let (bot, puppet) = (builtin_token(secrets, "slack"), builtin_token(secrets, &double_puppet_id("slack")));
            self.0.refresh_puppets().await;
            self.0.homeserver.answer(&request, (&bot, &puppet))
        })
    }
}

impl Failpoints for Ports {
    fn pass(&self, name: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            match self.0.fatal.get() {
                Some((fatal, 0)) if fatal == name => {
                    self.0.fatal.set(None);
                    self.0.crashed.set(true);
                    self.0.died.borrow_mut().push(name);
                    pending::<()>().await;
                }
                Some((fatal, left)) if fatal == name => self.0.fatal.set(Some((fatal, left - 1))),
                _ => yield_once().await,
            }
        })
    }
}

impl Directory for Ports {
    fn batch(
        &self,
        statements: Vec<hubbub_storage::directory::Statement>,
    ) -> LocalBoxFuture<'_, Result<Vec<Vec<hubbub_storage::database::Row>>, DatabaseError>> {
        self.0.directory.batch(statements)
    }
}

impl Appservices for Ports {
    fn list(&self) -> LocalBoxFuture<'_, Result<Rc<Vec<Rc<dyn Appservice>>>, DatabaseError>> {
        Box::pin(async { Ok(Rc::default()) })
    }

    fn forget(&self) {}
}

/// Lets everything else run, as waiting for the network does.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl World {
    pub fn new() -> Rc<Self> {
        crate::log::start();
        let world = Rc::new(Self {
            now: Cell::new(START),
            slack: FakeSlack::new(),
            homeserver: FakeHomeserver::default(),
            directory: NativeDirectory::server().unwrap(),
            routes: RefCell::default(),
            context: RefCell::default(),
            objects: RefCell::default(),
            databases: RefCell::default(),
            dirty: RefCell::default(),
            random: Cell::new(7),
            event_sequence: Cell::new(0),
            fatal: Cell::new(None),
            crashed: Cell::new(false),
            died: RefCell::default(),
        });
        world.slack.set_clock(START);
        let ports = || Rc::new(Ports(Rc::clone(&world)));
        let config = Config {
            server_name: OwnedServerName::try_from("hub.test").unwrap(),
            public_url: "https://hub.test".to_owned(),
            registration: Registration::Closed,
            registration_token: None,
            default_room_version: RoomVersionId::V12,
            rate_limits: false,
            max_upload_bytes: 1_000_000,
            support: hubbub_core::context::Support::default(),
            insecure_gateways: false,
            slack_api_url: "https://slack.test/api/".to_owned(),
            discord_api_url: "https://discord.example/api/v10".to_owned(),
            secrets: Secrets::parse(
                "ed25519 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
                ADMIN_TOKEN,
            )
            .unwrap(),
        };
        let context = Context {
            config,
            clock: ports(),
            random: ports(),
            objects: ports(),
            directory: ports(),
            search: ports(),
            blobs: Rc::new(hubbub_storage::native_blobs::NativeBlobs::default()),
            http: ports(),
            homeserver: ports(),
            failpoints: ports(),
            appservices: ports(),
        };
        *world.context.borrow_mut() = Some(Rc::new(context));
        for user in [ALICE, "@bob:hub.test"] {
            world
                .block(run(
                    &world.directory,
                    "INSERT INTO accounts (user_id, owner, created_at) VALUES (?, ?, 0)",
                    vec![user.into(), (user == ALICE).into()],
                ))
                .unwrap()
                .unwrap();
        }
        world
    }

    /// A world with a connected login; returns its id.
    pub fn connected() -> (Rc<Self>, String) {
        let world = Self::new();
        let login_id = world.start(ALICE).login_id;
        world.finish(&login_id, TOKEN).unwrap();
        world.settle();
        (world, login_id)
    }

    /// A world in which `#general` is bridged; returns login, portal and room.
    pub fn bridged() -> (Rc<Self>, String, Bridged) {
        let (world, login_id) = Self::connected();
        let bridged = world.bridge(&login_id, "#general").unwrap();
        world.settle();
        (world, login_id, bridged)
    }

    pub fn context(&self) -> Rc<Context> {
        self.context.borrow().clone().unwrap()
    }

    /// Runs a future to its end, or until the bridge dies.
    pub fn block<T>(&self, future: impl Future<Output = T>) -> Result<T, Crashed> {
        let mut future = pin!(future);
        let mut task = std::task::Context::from_waker(Waker::noop());
        for _ in 0..10_000_000 {
            let polled = future.as_mut().poll(&mut task);
            if self.crashed.replace(false) {
                self.crash();
                return Err(Crashed);
            }
            if let Poll::Ready(value) = polled {
                return Ok(value);
            }
        }
        panic!("nothing moves any more");
    }

    /// The process dies: memory is gone, databases and alarms stay.
    pub fn crash(&self) {
        self.objects.borrow_mut().clear();
        self.dirty.borrow_mut().clear();
    }

    /// Dies when `failpoint` is passed after `earlier` times.
    pub fn die_at(&self, failpoint: &'static str, earlier: u32) {
        self.fatal.set(Some((failpoint, earlier)));
    }

    pub fn survive(&self) -> bool {
        self.fatal.take().is_some()
    }

    fn addresses(&self) -> Vec<(Address, Rc<NativeDatabase>)> {
        let databases = self.databases.borrow();
        databases
            .iter()
            .map(|((class, name), database)| {
                let class = if class == "login" { Class::Login } else { Class::Portal };
                (Address::new(class, name.as_str()), Rc::clone(database))
            })
            .collect()
    }

    fn object(&self, address: &Address) -> Rc<Live> {
        if let Some(object) = self.objects.borrow().get(address) {
            return Rc::clone(object);
        }
        let class = class_name(address);
        let database = {
            let mut databases = self.databases.borrow_mut();
            let key = (class.to_owned(), address.name.clone());
            Rc::clone(databases.entry(key).or_insert_with(|| Rc::new(NativeDatabase::in_memory().unwrap())))
        };
        let context = self.context();
        let object = Rc::new(match address.class {
            Class::Login => Live::Login(Box::new(LoginObject::open(&address.name, database, context).unwrap())),
            Class::Portal => Live::Portal(Box::new(PortalObject::open(&address.name, database, context).unwrap())),
            other => panic!("no {other:?} here"),
        });
        self.objects.borrow_mut().insert(address.clone(), Rc::clone(&object));
        object
    }

    pub fn database(&self, class: &str, name: &str) -> Rc<NativeDatabase> {
        Rc::clone(&self.databases.borrow()[&(class.to_owned(), name.to_owned())])
    }

    async fn handle(&self, address: Address, command: Vec<u8>) -> Vec<u8> {
        yield_once().await;
        if address.class == Class::Appservice {
            let command: AppserviceCommand = decode_command(&command).unwrap();
            match command {
                AppserviceCommand::Route { room_id, to } => self.routes.borrow_mut().insert(room_id, Some(to)),
                AppserviceCommand::Unroute { room_id } => self.routes.borrow_mut().insert(room_id, None),
                other => panic!("unexpected {other:?}"),
            };
            return encode_outcome(Ok(b"null".to_vec()));
        }
        let object = self.object(&address);
        let outcome = match &*object {
            Live::Login(login) => login.handle(decode_command(&command).unwrap()).await,
            Live::Portal(portal) => portal.handle(decode_command(&command).unwrap()).await,
        };
        self.dirty.borrow_mut().push(address);
        encode_outcome(outcome)
    }

    async fn work(&self, address: Address) {
        let object = self.object(&address);
        let next = match &*object {
            Live::Login(login) => login.work().await,
            Live::Portal(portal) => portal.work().await,
        };
        if let Some(at) = next {
            let database = self.database(class_name(&address), &address.name);
            database.transact(&mut |transaction| transaction.set_alarm(at)).unwrap();
        }
    }

    /// Lets all objects work, and time pass from alarm to alarm, until nothing is left.
    pub fn try_settle(&self) -> Result<(), Crashed> {
        for _ in 0..20_000 {
            let mut due: Vec<Address> = self.dirty.take();
            let now = self.now.get();
            let alarms = self.addresses();
            for (address, database) in &alarms {
                if database.alarm().is_some_and(|at| at <= now) {
                    database.take_alarm();
                    due.push(address.clone());
                }
            }
            if due.is_empty() {
                let next = alarms.iter().filter_map(|(_, database)| database.alarm()).min();
                let Some(next) = next else { return Ok(()) };
                self.now.set(next);
                self.slack.set_clock(next);
                continue;
            }
            due.sort_by_key(|address| (address.class as u8, address.name.clone()));
            due.dedup();
            self.block(join_all(due.into_iter().map(|address| self.work(address))))?;
        }
        panic!("never at rest");
    }

    pub fn settle(&self) {
        self.try_settle().unwrap();
    }

    /// Lets everything work that need not wait.
    pub fn try_settle_for_a_while(&self) {
        self.run_until(|_| false);
    }

    /// As [`Self::try_settle_for_a_while`], where the bridge may die.
    pub fn try_a_while(&self) -> Result<(), Crashed> {
        self.try_until(|_| false)
    }

    /// Lets objects work that have something to do now, until `enough`.
    pub fn run_until(&self, enough: impl Fn(&Self) -> bool) {
        self.try_until(enough).unwrap();
    }

    fn try_until(&self, enough: impl Fn(&Self) -> bool) -> Result<(), Crashed> {
        for _ in 0..100 {
            let mut due: Vec<Address> = self.dirty.take();
            due.sort_by_key(|address| (address.class as u8, address.name.clone()));
            due.dedup();
            if due.is_empty() || enough(self) {
                return Ok(());
            }
            self.block(join_all(due.into_iter().map(|address| self.work(address))))?;
        }
        Ok(())
    }

    /// Runs one more future beside one run of each object's work that is due, as the shells do: a
    /// second run of the same object waits for the first.
    pub async fn beside_work<T>(&self, future: impl Future<Output = T>) -> T {
        let mut due: Vec<Address> = self.dirty.take();
        due.sort_by_key(|address| (address.class as u8, address.name.clone()));
        due.dedup();
        let work = join_all(due.into_iter().map(|address| self.work(address)));
        futures_util::future::join(work, future).await.1
    }

    /// Lets everything else run until the condition holds.
    pub async fn wait_for(&self, condition: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if condition(self) {
                return;
            }
            yield_once().await;
        }
        panic!("it never happens");
    }

    /// An event of Slack's as a command to the login, for futures.
    pub async fn hook_beside(&self, login_id: &str, event: &Json) {
        let body = self.envelope(event);
        let timestamp = (self.now.get() / 1_000).to_string();
        let signature = sign(SIGNING_SECRET, &timestamp, &body);
        let command = LoginCommand::Hook(hubbub_bridge::contract::Hook { signature, timestamp, body });
        let context = self.context();
        let login = Address::new(Class::Login, login_id);
        let answer: hubbub_bridge::contract::HookAnswer =
            call(context.objects.as_ref(), login, &command).await.unwrap();
        assert_eq!(answer, hubbub_bridge::contract::HookAnswer::Accepted);
    }

    /// One run of a login's work.
    pub async fn hand_over_beside(&self, login_id: &str) {
        self.work(Address::new(Class::Login, login_id)).await;
    }

    pub fn hook_path(&self, login_id: &str) -> String {
        let owner = UserId::parse(ALICE).unwrap();
        let started: Started = self.login(login_id, LoginCommand::Start { owner }).unwrap();
        started.hook_url.strip_prefix("https://hub.test").unwrap().to_owned()
    }

    pub fn databases_made(&self) -> usize {
        self.databases.borrow().len()
    }

    pub fn inbound_rows(&self, login_id: &str) -> i64 {
        let database = self.database("login", login_id);
        database.query_one("SELECT count(*) FROM inbound", &[]).unwrap().unwrap().integer(0).unwrap()
    }

    /// How many events a login remembers as handed over.
    pub fn known_events(&self, login_id: &str) -> i64 {
        let database = self.database("login", login_id);
        let sql = "SELECT coalesce(sum(json_array_length(ids)), 0) FROM handed";
        database.query_one(sql, &[]).unwrap().unwrap().integer(0).unwrap()
    }

    /// Rows that an object has inserted, changed and deleted; index entries not counted.
    pub fn rows_written(&self, database: &NativeDatabase) -> i64 {
        database.query_one("SELECT total_changes()", &[]).unwrap().unwrap().integer(0).unwrap()
    }

    /// An object's storage is gone, as after a mistake of the operator or the platform.
    pub fn lose_storage(&self, class: &str, name: &str) {
        self.databases.borrow_mut().remove(&(class.to_owned(), name.to_owned()));
        self.crash();
    }

    /// Every value that a database holds, as one text.
    pub fn everything_in(&self, database: &NativeDatabase) -> String {
        let mut text = String::new();
        for sql in ["SELECT * FROM login", "SELECT * FROM inbound", "SELECT * FROM portals", "SELECT * FROM ghosts"] {
            for row in database.query(sql, &[]).unwrap_or_default() {
                text.push_str(&format!("{:?}\n", row.0));
            }
        }
        text
    }

    /// Time passes, and Cron pokes every login.
    pub fn cron(&self, milliseconds: i64) {
        self.now.set(self.now.get() + milliseconds);
        self.slack.set_clock(self.now.get());
        let logins: Vec<Address> =
            self.addresses().into_iter().map(|(address, _)| address).filter(|one| one.class == Class::Login).collect();
        for login in logins {
            self.login::<()>(&login.name, LoginCommand::Poke).unwrap();
        }
        self.settle();
    }

    /// Dies, wakes up again and comes to rest, however often it takes.
    pub fn settle_through_crashes(&self) {
        while self.try_settle() == Err(Crashed) {}
        self.survive();
        self.crash();
        self.settle();
    }

    pub fn try_ask<R: DeserializeOwned>(
        &self,
        class: Class,
        name: &str,
        command: &impl serde::Serialize,
    ) -> Result<Result<R, MatrixError>, Crashed> {
        let context = self.context();
        self.block(call(context.objects.as_ref(), Address::new(class, name), command))
    }

    pub fn login<R: DeserializeOwned>(&self, login_id: &str, command: LoginCommand) -> Result<R, MatrixError> {
        self.try_ask(Class::Login, login_id, &command).unwrap()
    }

    pub fn start(&self, owner: &str) -> Started {
        let login_id = self.context().random_id();
        let owner = UserId::parse(owner).unwrap();
        self.login(&login_id, LoginCommand::Start { owner }).unwrap()
    }

    pub fn finish(&self, login_id: &str, token: &str) -> Result<Finished, MatrixError> {
        let command = LoginCommand::Finish {
            signing_secret: Secret(SIGNING_SECRET.to_owned()),
            token: Secret(token.to_owned()),
            link: None,
        };
        self.login(login_id, command)
    }

    pub fn bridge(&self, login_id: &str, channel: &str) -> Result<Bridged, MatrixError> {
        self.login(login_id, LoginCommand::Bridge { channel: channel.to_owned() })
    }

    pub fn status(&self, login_id: &str) -> LoginStatus {
        self.login(login_id, LoginCommand::Status).unwrap()
    }

    pub fn portal_status(&self, portal_id: &str) -> PortalStatus {
        self.try_ask(Class::Portal, portal_id, &PortalCommand::Status).unwrap().unwrap()
    }

    /// Any request to the bridge's addresses.
    pub fn request(&self, request: http::Request<Vec<u8>>) -> Result<Option<http::Response<Vec<u8>>>, Crashed> {
        self.block(hubbub_slack::bridge(self.context()).handle_http(request))
    }

    pub fn post(&self, path: &str, body: &str) -> http::Response<Vec<u8>> {
        let request = http::Request::post(path).body(body.as_bytes().to_vec()).unwrap();
        self.request(request).unwrap().unwrap()
    }

    /// An event in Slack's envelope.
    pub fn envelope(&self, event: &Json) -> String {
        self.event_sequence.set(self.event_sequence.get() + 1);
        json!({
            "type": "event_callback", "team_id": TEAM, "event": event, "api_app_id": "A1",
            "event_id": format!("Ev{:06}", self.event_sequence.get()), "event_time": self.now.get() / 1_000,
            "authorizations": [{ "team_id": TEAM, "user_id": "U0OWNER", "is_bot": false }],
        })
        .to_string()
    }

    /// Slack calls the login's hook with a signed body.
    pub fn try_hook(&self, login_id: &str, body: &str) -> Result<http::Response<Vec<u8>>, Crashed> {
        let timestamp = (self.now.get() / 1_000).to_string();
        let started: Result<Started, _> =
            self.try_ask(Class::Login, login_id, &LoginCommand::Start { owner: UserId::parse(ALICE).unwrap() })?;
        let path = started.unwrap().hook_url.strip_prefix("https://hub.test").unwrap().to_owned();
        let request = http::Request::post(path)
            .header("x-slack-request-timestamp", &timestamp)
            .header("x-slack-signature", sign(SIGNING_SECRET, &timestamp, body))
            .body(body.as_bytes().to_vec())
            .unwrap();
        Ok(self.request(request)?.unwrap())
    }

    pub fn hook(&self, login_id: &str, body: &str) -> u16 {
        self.try_hook(login_id, body).unwrap().status().as_u16()
    }

    /// Slack sends an event until it is acknowledged.
    pub fn deliver(&self, login_id: &str, event: &Json) {
        let body = self.envelope(event);
        for _ in 0..4 {
            if self.try_hook(login_id, &body).is_ok_and(|answer| answer.status() == 200) {
                return;
            }
        }
        panic!("Slack gave up");
    }

    /// Slack sends what our own posts caused.
    pub fn deliver_echoes(&self, login_id: &str) {
        for echo in self.slack.echoes.take() {
            self.deliver(login_id, &echo);
        }
    }

    /// Somebody says something at Slack.
    pub fn slack_says(&self, login_id: &str, channel: &str, user: &str, text: &str) {
        let event = self.slack.says(channel, user, text);
        self.deliver(login_id, &event);
    }

    /// The appservice's queue hands events of a room to the bridge until it takes them.
    pub fn hand_over(&self, room_id: &str, events: Vec<Json>) {
        let bridge = hubbub_slack::bridge(self.context());
        let room = RoomId::parse(room_id).unwrap();
        for _ in 0..10 {
            let route = self.routes.borrow().get(room_id).cloned();
            if route == Some(None) {
                return;
            }
            let taken = self.block(bridge.transaction("slack", &room, events.clone(), route.flatten()));
            if matches!(taken, Ok(Ok(()))) {
                return;
            }
        }
        panic!("the bridge does not take what is in {room_id}");
    }

    /// A human says something in a room.
    pub fn matrix_says(&self, room_id: &str, sender: &str, body: &str) -> String {
        let event = self.homeserver.human_sends(
            room_id,
            sender,
            "m.room.message",
            json!({ "msgtype": "m.text", "body": body }),
        );
        let event_id = event["event_id"].as_str().unwrap().to_owned();
        self.hand_over(room_id, vec![event]);
        event_id
    }

    /// A human sends any event in a room.
    pub fn matrix_sends(&self, room_id: &str, sender: &str, kind: &str, content: Json) -> String {
        let event = self.homeserver.human_sends(room_id, sender, kind, content);
        let event_id = event["event_id"].as_str().unwrap().to_owned();
        self.hand_over(room_id, vec![event]);
        event_id
    }

    async fn refresh_puppets(&self) {
        let rows = run(
            &self.directory,
            "SELECT DISTINCT owner FROM bridge_logins WHERE remote_user IS NOT NULL AND state IN ('connected', 'bad_credentials')",
            vec![],
        );
        let Ok(rows) = rows.await else { return };
        let owners = rows.iter().map(|row| row.text(0).unwrap()).collect::<BTreeSet<_>>();
        *self.homeserver.puppets.borrow_mut() = owners;
    }

    /// Rows of D1.
    pub fn d1(&self, sql: &'static str, params: Vec<Value>) -> Vec<Vec<Value>> {
        let rows = self.block(run(&self.directory, sql, params)).unwrap().unwrap();
        rows.into_iter().map(|row| row.0).collect()
    }
}

fn class_name(address: &Address) -> &'static str {
    if address.class == Class::Login { "login" } else { "portal" }
}

pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let signed = format!("v0:{timestamp}:{body}");
    let mac = hubbub_core::secrets::hmac_sha256(secret.as_bytes(), signed.as_bytes());
    format!("v0={}", mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
