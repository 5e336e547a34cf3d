//! The server: ports, objects and API wired together.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::LocalBoxFuture;
use hubbub_api::{BridgeRoutes, Front, Peer, RateLimiter, SyncCall, handle_and_wait};
use hubbub_appservice::{builtin::Builtin, registry::Registry};
use hubbub_core::{
    context::{CallError, Config, Context, Homeserver, Objects, Registration},
    contract::{
        self, Address, Class,
        user::{SyncAnswer, UserCommand},
    },
    error::Result,
    keys::UserKeysObject,
    room::RoomObject,
    secrets::Secrets,
    user::UserSyncObject,
};
use hubbub_storage::native::NativeDirectory;
use ruma::{OwnedServerName, RoomVersionId, server_name};
use serde_json::Value as Json;

use crate::{
    Reply,
    host::{Factory, Host, factory},
    ports::{Crashing, FakeHttp, ManualClock, SeededRandom, WaitingClock, YieldingBlobs, YieldingDirectory},
    scheduler::{Scheduler, Started, yield_now},
};

/// The operator's token of every test server.
pub const ADMIN_TOKEN: &str = "the admin token of the tests";

/// The registration token of servers that want one.
pub const REGISTRATION_TOKEN: &str = "swordfish";

/// The largest upload that test servers take.
pub const MAX_UPLOAD_BYTES: u64 = 2_000_000;

/// What differs between test servers.
pub struct Options {
    /// Decides every random choice, the order of concurrent steps included.
    pub seed: u64,
    /// Who may register.
    pub registration: Registration,
    /// Whether limits are enforced.
    pub rate_limits: bool,
    /// The version of rooms whose creator names none.
    pub default_room_version: RoomVersionId,
    /// The limiter by address.
    pub limiter: Option<Rc<dyn RateLimiter>>,
    /// The bridges' own pages and webhooks.
    pub bridges: Option<Rc<dyn BridgeRoutes>>,
    /// The bundled bridges' registrations.
    pub builtins: Vec<Builtin>,
    /// How further classes of objects are made, or the usual ones otherwise.
    pub factories: Vec<(Class, Factory)>,
    /// Whom the server names for support.
    pub support: hubbub_core::context::Support,
    /// D1 as an earlier server left it.
    pub directory: Option<NativeDirectory>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            registration: Registration::Open,
            rate_limits: false,
            default_room_version: RoomVersionId::V12,
            limiter: None,
            bridges: None,
            builtins: Vec::new(),
            factories: Vec::new(),
            support: hubbub_core::context::Support::default(),
            directory: None,
        }
    }
}

/// A whole server in this process. Cloning gives another handle on the same server.
#[derive(Clone)]
pub struct TestServer(Rc<Inner>);

struct Inner {
    scheduler: Rc<Scheduler>,
    clock: Rc<ManualClock>,
    host: Rc<Host>,
    counted: Rc<Counted>,
    front: Rc<Front>,
    context: Rc<Context>,
    directory: Rc<YieldingDirectory>,
    search: Rc<YieldingDirectory>,
    blobs: Rc<YieldingBlobs>,
    http: Rc<FakeHttp>,
    failpoints: Rc<Crashing>,
    settles: Cell<bool>,
}

impl Default for TestServer {
    fn default() -> Self {
        Self::new()
    }
}

impl TestServer {
    /// A server where everybody may register.
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    /// A server with these options.
    pub fn with(mut options: Options) -> Self {
        let clock = ManualClock::at(1_700_000_000_000);
        let scheduler = Scheduler::new(options.seed, Rc::clone(&clock));
        let host = Host::new(Rc::clone(&scheduler));
        host.register(Class::Room, factory::<RoomObject>());
        host.register(Class::User, factory::<UserSyncObject>());
        host.register(Class::UserKeys, factory::<UserKeysObject>());
        host.register(Class::Appservice, factory::<hubbub_appservice::object::AppserviceObject>());
        let directory =
            options.directory.take().unwrap_or_else(|| NativeDirectory::server().expect("the migrations apply"));
        let directory = Rc::new(YieldingDirectory { directory, hangs: Cell::default() });
        let search = NativeDirectory::search().expect("the migrations apply");
        let search = Rc::new(YieldingDirectory { directory: search, hangs: Cell::default() });
        let http = Rc::new(FakeHttp::default());
        let failpoints = Rc::new(Crashing::default());
        failpoints.set_host(&scheduler, &host);
        let blobs = Rc::new(YieldingBlobs::default());
        let homeserver = Rc::new(InProcess::default());
        let registry = Registry::new(
            &config(&options),
            Rc::clone(&directory) as _,
            Rc::clone(&clock) as _,
            options.builtins.clone(),
        )
        .expect("the bundled registrations are right");
        let registry = Rc::new(registry);
        let counted = Rc::new(Counted { host: Rc::clone(&host), calls: RefCell::default() });
        let context = |objects: Rc<dyn Objects>, seed| {
            Rc::new(Context {
                config: config(&options),
                clock: Rc::new(WaitingClock { clock: Rc::clone(&clock), scheduler: Rc::clone(&scheduler) }),
                random: Rc::new(SeededRandom::new(seed)),
                objects,
                directory: Rc::clone(&directory) as _,
                search: Rc::clone(&search) as _,
                blobs: Rc::clone(&blobs) as _,
                http: Rc::clone(&http) as _,
                homeserver: Rc::clone(&homeserver) as _,
                failpoints: Rc::clone(&failpoints) as _,
                appservices: Rc::clone(&registry) as _,
            })
        };
        host.set_context(context(Rc::clone(&host) as _, options.seed.wrapping_add(1)));
        let front_context = context(Rc::clone(&counted) as _, options.seed.wrapping_add(2));
        let mut front = Front::new(registry);
        if let Some(limiter) = &options.limiter {
            front.limiter = Rc::clone(limiter);
        }
        if let Some(bridges) = &options.bridges {
            front.bridges = Rc::clone(bridges);
        }
        let server = Self(Rc::new(Inner {
            scheduler,
            clock,
            host,
            counted,
            front: Rc::new(front),
            context: front_context,
            directory,
            search,
            blobs,
            http,
            failpoints,
            settles: Cell::new(true),
        }));
        homeserver.0.set(server.clone()).unwrap_or_else(|_| panic!("the API is set once"));
        for (class, factory) in options.factories {
            server.host().register(class, factory);
        }
        server
    }

    /// The ports of the front.
    pub fn context(&self) -> &Rc<Context> {
        &self.0.context
    }

    /// The objects.
    pub fn host(&self) -> &Rc<Host> {
        &self.0.host
    }

    /// The executor.
    pub fn scheduler(&self) -> &Rc<Scheduler> {
        &self.0.scheduler
    }

    /// The rest of the world.
    pub fn http(&self) -> &FakeHttp {
        &self.0.http
    }

    /// Where processes die.
    pub fn failpoints(&self) -> &Crashing {
        &self.0.failpoints
    }

    /// D1.
    pub fn directory(&self) -> &NativeDirectory {
        &self.0.directory.directory
    }

    /// Lets every trip to D1 hang from now on, for good; or none.
    pub fn set_directory_hanging(&self, hangs: bool) {
        self.0.directory.hangs.set(hangs);
    }

    /// The second D1, with the full-text index.
    pub fn search_index(&self) -> &NativeDirectory {
        &self.0.search.directory
    }

    /// R2.
    pub fn blobs(&self) -> &YieldingBlobs {
        &self.0.blobs
    }

    /// The time.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// Lets time pass; alarms that fall due ring.
    pub fn advance(&self, milliseconds: i64) {
        self.0.scheduler.advance(milliseconds);
    }

    /// Runs all background work that can be done now.
    pub fn settle(&self) {
        self.0.scheduler.settle();
    }

    /// Whether requests are followed by [`Self::settle`], which they are by default: off, a test
    /// sees what is there while deliveries are still under way.
    pub fn set_settling(&self, settles: bool) {
        self.0.settles.set(settles);
    }

    /// Drops an object's memory in the middle of whatever it does.
    pub fn crash(&self, address: &Address) {
        self.0.host.crash(address);
    }

    /// Crashes an object after so many turns of everything else.
    pub fn crash_after(&self, victim: Address, turns: u64) {
        let server = self.clone();
        self.scheduler().spawn(None, async move {
            for _ in 0..turns {
                yield_now().await;
            }
            server.crash(&victim);
        });
    }

    /// The calls to objects that requests made since the last time this was asked; what objects
    /// call by themselves is not counted.
    pub fn take_calls(&self) -> Vec<Address> {
        self.0.counted.calls.take()
    }

    /// Runs a future to its end.
    pub fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let started = self.0.scheduler.start(future);
        let result = self.0.scheduler.finish(&started);
        if self.0.settles.get() {
            self.settle();
        }
        result
    }

    /// Calls an object directly.
    pub fn call<R: serde::de::DeserializeOwned + 'static>(
        &self,
        address: Address,
        command: impl serde::Serialize + 'static,
    ) -> Result<R> {
        let host = Rc::clone(&self.0.host);
        self.run(async move { contract::call(&*host, address, &command).await })
    }

    /// Answers a request.
    pub fn request(&self, request: http::Request<Vec<u8>>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        let server = self.clone();
        let response = self.run(async move { server.answer(request).await });
        reply(asked, response)
    }

    /// Starts a request; [`Self::finish`] waits for its answer.
    pub fn start(&self, request: http::Request<Vec<u8>>) -> Started<Reply> {
        let asked = format!("{} {}", request.method(), request.uri());
        let server = self.clone();
        self.0.scheduler.start(async move { reply(asked, server.answer(request).await) })
    }

    /// Waits for a request that was started.
    pub fn finish(&self, started: &Started<Reply>) -> Reply {
        let reply = self.0.scheduler.finish(started);
        if self.0.settles.get() {
            self.settle();
        }
        reply
    }

    /// The answer to a request, waiting where a poll may.
    pub async fn answer(&self, request: http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let peer = Peer { address: "192.0.2.1".to_owned(), front: Rc::clone(&self.0.front) };
        let wait = |call| self.wait(call);
        handle_and_wait(&self.0.context, request, &peer, wait).await
    }

    /// What the Worker does with a poll: asks once, and again whenever the inbox changed.
    async fn wait(&self, call: SyncCall) -> Result<SyncAnswer> {
        let inner = &self.0;
        let deadline = inner.clock.now() + i64::from(call.timeout_ms);
        let command = UserCommand::Sync(Box::new(call.request));
        let mut objects: &dyn Objects = &*inner.counted;
        loop {
            let commits = inner.host.commits(&call.address);
            let answer: SyncAnswer = contract::call(objects, call.address.clone(), &command).await?;
            if !answer.empty || inner.clock.now() >= deadline {
                return Ok(answer);
            }
            // From here on the parked poll is looked after by the object itself.
            objects = &*inner.host;
            let changed = inner.host.committed_more_than(&call.address, commits);
            let late = inner.scheduler.sleep_until(deadline);
            futures_util::future::select(std::pin::pin!(changed), std::pin::pin!(late)).await;
        }
    }
}

fn reply(asked: String, response: http::Response<Vec<u8>>) -> Reply {
    let (parts, body) = response.into_parts();
    Reply { asked, status: parts.status.as_u16(), headers: parts.headers, body }
}

fn config(options: &Options) -> Config {
    let signing_key = format!("ed25519 a_test {}", STANDARD.encode([7; 32]));
    let secrets = Secrets::parse(&signing_key, &STANDARD.encode([9; 32]), ADMIN_TOKEN);
    let server_name: OwnedServerName = server_name!("hub.example").to_owned();
    Config {
        server_name,
        public_url: "https://hub.example".to_owned(),
        registration: options.registration,
        registration_token: (options.registration == Registration::Token).then(|| REGISTRATION_TOKEN.to_owned()),
        default_room_version: options.default_room_version.clone(),
        rate_limits: options.rate_limits,
        max_upload_bytes: MAX_UPLOAD_BYTES,
        support: options.support.clone(),
        insecure_gateways: false,
        slack_api_url: "https://slack.example/api/".to_owned(),
        discord_api_url: "https://discord.example/api/v10".to_owned(),
        secrets: secrets.expect("the test keys are right"),
    }
}

/// Objects whose calls are noted.
struct Counted {
    host: Rc<Host>,
    calls: RefCell<Vec<Address>>,
}

impl Objects for Counted {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, std::result::Result<Vec<u8>, CallError>> {
        self.calls.borrow_mut().push(address.clone());
        self.host.call(address, command)
    }
}

/// The API as bridges in the same process call it.
#[derive(Default)]
struct InProcess(OnceCell<TestServer>);

impl Homeserver for InProcess {
    fn request(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        Box::pin(async move {
            let server = self.0.get().expect("the API is set");
            server.answer(request).await
        })
    }
}

/// A JSON body as bytes.
pub(crate) fn bytes(body: &Json) -> Vec<u8> {
    serde_json::to_vec(body).expect("JSON encodes")
}
