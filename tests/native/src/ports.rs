//! The ports of [`hubbub_core::context`] for tests.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::{Rc, Weak},
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::{Clock, Egress, Failpoints, Http, HttpError, Random},
    egress,
};
use hubbub_storage::{
    blobs::{BlobError, Blobs, Body, ByteRange, Stored},
    database::{DatabaseError, Row},
    directory::{Directory, Statement},
    native::NativeDirectory,
    native_blobs::NativeBlobs,
};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};

use crate::{
    host::Host,
    scheduler::{Scheduler, yield_now},
};

/// A clock that only moves when told.
pub struct ManualClock(Cell<i64>);

impl ManualClock {
    /// A clock that stands at this time.
    pub fn at(now: i64) -> Rc<Self> {
        Rc::new(Self(Cell::new(now)))
    }

    /// The time.
    pub fn now(&self) -> i64 {
        self.0.get()
    }

    /// Sets the time.
    pub fn set(&self, now: i64) {
        self.0.set(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.get()
    }
}

/// The same clock for the server, which can wait for it.
pub struct WaitingClock {
    /// The clock.
    pub clock: Rc<ManualClock>,
    /// Who wakes what waits.
    pub scheduler: Rc<Scheduler>,
}

impl Clock for WaitingClock {
    fn now(&self) -> i64 {
        self.clock.now()
    }

    fn sleep(&self, milliseconds: u32) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.scheduler.sleep_until(self.clock.now() + i64::from(milliseconds)))
    }
}

/// Randomness from a seed.
pub struct SeededRandom(RefCell<StdRng>);

impl SeededRandom {
    /// Randomness from this seed.
    pub fn new(seed: u64) -> Self {
        Self(RefCell::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(buffer);
    }
}

/// What the rest of the world answers, in its own time.
pub type Outside = dyn FnMut(http::Request<Vec<u8>>) -> LocalBoxFuture<'static, Answer>;

/// What comes of a request.
pub type Answer = Result<http::Response<Vec<u8>>, HttpError>;

/// Outgoing HTTP that a closure answers, for strangers' hosts only where they are public; at first nothing is reachable.
pub struct FakeHttp(RefCell<Box<Outside>>);

impl Default for FakeHttp {
    fn default() -> Self {
        let http = Self(RefCell::new(Box::new(|_| Box::pin(std::future::pending()))));
        http.answer_by(|_| Err(HttpError::NotSent("nothing is reachable".to_owned())));
        http
    }
}

impl FakeHttp {
    /// Answers all requests from now on by this closure.
    pub fn answer_by(&self, mut outside: impl FnMut(http::Request<Vec<u8>>) -> Answer + 'static) {
        self.answer_later_by(move |request| Box::pin(std::future::ready(outside(request))));
    }

    /// Answers all requests from now on by the closure's futures, which may themselves ask the server.
    pub fn answer_later_by(
        &self,
        outside: impl FnMut(http::Request<Vec<u8>>) -> LocalBoxFuture<'static, Answer> + 'static,
    ) {
        *self.0.borrow_mut() = Box::new(outside);
    }
}

impl Http for FakeHttp {
    fn send(&self, request: http::Request<Vec<u8>>, egress: Egress, _: u32) -> LocalBoxFuture<'_, Answer> {
        Box::pin(async move {
            yield_now().await;
            if egress == Egress::Stranger {
                egress::check(request.uri())?;
            }
            let answer = (self.0.borrow_mut())(request);
            answer.await
        })
    }
}

/// Failpoints that let others run, and where a test lets the process die.
#[derive(Default)]
pub struct Crashing {
    scheduler: OnceCell<Rc<Scheduler>>,
    host: OnceCell<Weak<Host>>,
    /// Where the next crash is.
    at: Cell<Option<&'static str>>,
    struck: RefCell<Vec<&'static str>>,
}

impl Crashing {
    /// Says whose objects die.
    pub fn set_host(&self, scheduler: &Rc<Scheduler>, host: &Rc<Host>) {
        let set = self.scheduler.set(Rc::clone(scheduler)).is_ok() && self.host.set(Rc::downgrade(host)).is_ok();
        assert!(set, "the host is set once");
    }

    /// Lets whoever passes this failpoint next die there: the object with all that it does, or the request where
    /// no object runs it.
    pub fn crash_at(&self, name: &'static str) {
        self.at.set(Some(name));
    }

    /// The failpoints where something died so far.
    pub fn struck(&self) -> Vec<&'static str> {
        self.struck.borrow().clone()
    }
}

impl Failpoints for Crashing {
    fn pass(&self, name: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            if self.at.get() == Some(name) {
                self.at.set(None);
                self.struck.borrow_mut().push(name);
                let scheduler = self.scheduler.get().expect("the host is set");
                let host = self.host.get().and_then(Weak::upgrade).expect("the host lives");
                match scheduler.running() {
                    Some(owner) => host.crash(&owner),
                    None => scheduler.kill_running(),
                }
                std::future::pending::<()>().await;
            }
            yield_now().await;
        })
    }
}

/// D1, with every trip a chance for others to run.
pub struct YieldingDirectory {
    /// The database.
    pub directory: NativeDirectory,
    /// Lets every trip hang, for good.
    pub hangs: Cell<bool>,
}

impl Directory for YieldingDirectory {
    fn batch(&self, statements: Vec<Statement>) -> LocalBoxFuture<'_, Result<Vec<Vec<Row>>, DatabaseError>> {
        Box::pin(async move {
            yield_now().await;
            if self.hangs.get() {
                std::future::pending::<()>().await;
            }
            self.directory.batch(statements).await
        })
    }
}

/// R2, with every call a chance for others to run, and calls that fail when a test wants it.
#[derive(Default)]
pub struct YieldingBlobs {
    blobs: NativeBlobs,
    fails: Cell<bool>,
    read_only: Cell<bool>,
    hangs: Cell<bool>,
}

impl YieldingBlobs {
    /// All keys that are there.
    pub fn keys(&self) -> Vec<String> {
        self.blobs.keys()
    }

    /// Lets every call fail, or none.
    pub fn set_failing(&self, fails: bool) {
        self.fails.set(fails);
    }

    /// Lets writes fail, or none.
    pub fn set_read_only(&self, read_only: bool) {
        self.read_only.set(read_only);
    }

    /// Lets reads of whole files hang, for good; those of thumbnails go on.
    pub fn set_hanging(&self, hangs: bool) {
        self.hangs.set(hangs);
    }

    async fn turn(&self) -> Result<(), BlobError> {
        yield_now().await;
        if self.fails.get() { Err(BlobError::Store("the store is down".to_owned())) } else { Ok(()) }
    }
}

impl Blobs for YieldingBlobs {
    fn put(&self, key: String, body: Body, limit: u64) -> LocalBoxFuture<'_, Result<Stored, BlobError>> {
        Box::pin(async move {
            self.turn().await?;
            if self.read_only.get() {
                return Err(BlobError::Store("the store is full".to_owned()));
            }
            self.blobs.put(key, body, limit).await
        })
    }

    fn get(&self, key: String, range: Option<ByteRange>) -> LocalBoxFuture<'_, Result<Option<Body>, BlobError>> {
        Box::pin(async move {
            self.turn().await?;
            if self.hangs.get() && key.matches('/').count() == 1 {
                std::future::pending::<()>().await;
            }
            self.blobs.get(key, range).await
        })
    }

    fn delete(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), BlobError>> {
        Box::pin(async move {
            self.turn().await?;
            self.blobs.delete(keys).await
        })
    }
}
