//! The ports of [`hubbub_core::context`] for tests.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::context::{Clock, Egress, Failpoints, Http, HttpError, Random};
use hubbub_storage::{
    database::{DatabaseError, Row},
    directory::{Directory, Statement},
    native::NativeDirectory,
};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};

use crate::scheduler::yield_now;

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

/// Outgoing HTTP that a closure answers; at first nothing is reachable.
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
    fn send(&self, request: http::Request<Vec<u8>>, _: Egress, _: u32) -> LocalBoxFuture<'_, Answer> {
        Box::pin(async move {
            yield_now().await;
            let answer = (self.0.borrow_mut())(request);
            answer.await
        })
    }
}

/// Failpoints that only let others run.
pub struct Yielding;

impl Failpoints for Yielding {
    fn pass(&self, _: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(yield_now())
    }
}

/// D1, with every trip a chance for others to run.
pub struct YieldingDirectory(pub NativeDirectory);

impl Directory for YieldingDirectory {
    fn batch(&self, statements: Vec<Statement>) -> LocalBoxFuture<'_, Result<Vec<Vec<Row>>, DatabaseError>> {
        Box::pin(async move {
            yield_now().await;
            self.0.batch(statements).await
        })
    }
}
