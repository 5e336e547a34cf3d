//! What all objects have in common: decode a command, let the core handle it, answer, and do the
//! work that it left.
//!
//! The core's object is opened at the first request and kept as long as the platform keeps the
//! instance. Work runs in the background, one run at a time, after every request that committed
//! something; the alarm, armed in that same commit, runs it again if the process died in between.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use hubbub_core::{
    context::Clock as _,
    contract,
    error::{MatrixError, Result},
    object::Object,
};
use hubbub_storage::database::Database;
use wasm_bindgen::JsValue;
use worker::{Env, State, js_sys::Promise, wasm_bindgen_futures::JsFuture, web_sys};

use super::{
    abort,
    reply::{bill, respond},
};
use crate::{
    http_message,
    isolate::{self, Isolate},
    javascript, lifeline, operations,
    ports::{clock::PlatformClock, database::ObjectDatabase},
    scope::{Abort, Bill, Scope, within},
};

/// How long after a failed opening the alarm tries again.
const REOPEN_MS: i64 = 60_000;

/// A core object that can live in a Durable Object.
pub trait Hosted: Object {
    /// The class, for counts and logs.
    const CLASS: &'static str;

    /// Opens the object over its database.
    fn open_in(isolate: &Isolate, name: &str, database: Rc<dyn Database>) -> Result<Self> {
        Self::open(name, database, Rc::clone(&isolate.context))
    }

    /// Something was committed, by a command or by work.
    fn committed(_opened: &Opened<Self>, _state: &State) {}
}

/// A core object with its database.
pub struct Opened<O> {
    /// The object.
    pub core: Rc<O>,
    /// Its database.
    pub database: Rc<ObjectDatabase>,
}

impl<O> Clone for Opened<O> {
    fn clone(&self) -> Self {
        Self { core: Rc::clone(&self.core), database: Rc::clone(&self.database) }
    }
}

/// An instance of a class.
pub struct Shell<O: Hosted>(Rc<Inner<O>>);

impl<O: Hosted> Clone for Shell<O> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

struct Inner<O: Hosted> {
    state: State,
    env: Env,
    opened: RefCell<Option<Opened<O>>>,
    /// Whether work ran since the object was opened.
    worked: Cell<bool>,
    /// Whether a run of work is under way, and whether it has to look once more.
    working: Cell<bool>,
    again: Cell<bool>,
    /// When the work that the last run left is due.
    due: Cell<Option<i64>>,
    /// The commits that [`Hosted::committed`] was told of.
    announced: Cell<u64>,
}

impl<O: Hosted> Shell<O> {
    /// The shell of one instance. Opens nothing yet.
    pub fn new(state: State, env: Env) -> Self {
        operations::count_opened(O::CLASS);
        Self(Rc::new(Inner {
            state,
            env,
            opened: RefCell::new(None),
            worked: Cell::new(false),
            working: Cell::new(false),
            again: Cell::new(false),
            due: Cell::new(None),
            announced: Cell::new(0),
        }))
    }

    /// Answers a request that carries a command.
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let shell = self.clone();
        lifeline::promise(async move { shell.answer(&request).await })
    }

    /// As [`Shell::fetch`], for a class that also answers other requests.
    pub async fn answer(&self, request: &web_sys::Request) -> worker::Result<web_sys::Response> {
        let headers = request.headers();
        if headers.has(abort::HEADER)? {
            return self.0.abort_if_tested();
        }
        let bill = bill(&headers)?;
        let command = javascript::bytes(&JsFuture::from(request.array_buffer()?).await?);
        let outcome = within(self.scope(bill.clone()), self.0.decode_and_handle(&command)).await;
        respond(outcome, bill.as_ref())
    }

    /// Handles a command, and starts the work that it left in the background.
    pub async fn handle(&self, command: O::Command) -> Result<Vec<u8>> {
        self.0.handle(command).await
    }

    /// Answers the alarm. Never fails: the platform gives up after a few failures.
    pub fn alarm(&self) -> Promise {
        let shell = self.clone();
        lifeline::promise(async move {
            shell.ring().await;
            Ok(JsValue::UNDEFINED)
        })
    }

    async fn ring(&self) {
        let inner = &self.0;
        match inner.opened() {
            Ok(opened) => {
                opened.database.alarm_rang();
                within(self.scope(None), inner.work_once(&opened)).await;
            }
            Err(error) => {
                tracing::error!("A {} cannot be opened: {error}", O::CLASS);
                inner.try_later();
            }
        }
    }

    /// The core's object and its database, opened now if they are not yet.
    pub fn opened(&self) -> Result<Opened<O>> {
        self.0.opened()
    }

    /// The platform's side of this instance.
    pub fn state(&self) -> &State {
        &self.0.state
    }

    /// The scope of what runs in this object.
    pub fn scope(&self, bill: Option<Bill>) -> Scope {
        Scope { bill, object: Some(Rc::clone(&self.0) as Rc<dyn Abort>) }
    }
}

impl<O: Hosted> Inner<O> {
    fn opened(&self) -> Result<Opened<O>> {
        if let Some(opened) = self.opened.borrow().as_ref() {
            return Ok(opened.clone());
        }
        let isolate = isolate::get(&self.env).map_err(MatrixError::internal)?;
        let name = self.state.id().name().ok_or_else(|| MatrixError::internal("an object without a name"))?;
        let database = Rc::new(ObjectDatabase::new(&self.state)?);
        let core = Rc::new(O::open_in(&isolate, &name, database.clone())?);
        let opened = Opened { core, database };
        *self.opened.borrow_mut() = Some(opened.clone());
        Ok(opened)
    }

    async fn decode_and_handle(self: &Rc<Self>, command: &[u8]) -> Result<Vec<u8>> {
        self.handle(contract::decode_command(command)?).await
    }

    async fn handle(self: &Rc<Self>, command: O::Command) -> Result<Vec<u8>> {
        let opened = self.opened()?;
        let before = opened.database.commits();
        let outcome = opened.core.handle(command).await;
        self.announce(&opened);
        if opened.database.commits() != before || !self.worked.replace(true) || self.is_overdue() {
            self.start_work(opened);
        }
        outcome
    }

    /// Whether work is left whose alarm should have rung: it may be lost, and Cron's poke is what
    /// this object woke for.
    fn is_overdue(&self) -> bool {
        self.due.get().is_some_and(|due| due < PlatformClock.now())
    }

    fn announce(&self, opened: &Opened<O>) {
        let commits = opened.database.commits();
        if self.announced.replace(commits) != commits {
            O::committed(opened, &self.state);
        }
    }

    fn start_work(self: &Rc<Self>, opened: Opened<O>) {
        self.again.set(true);
        if self.working.replace(true) {
            return;
        }
        let inner = Rc::clone(self);
        let object: Rc<dyn Abort> = inner.clone();
        let run = async move {
            while inner.again.take() {
                inner.work_once(&opened).await;
            }
            inner.working.set(false);
        };
        run_on(&self.state, within(Scope { bill: None, object: Some(object) }, run));
    }

    async fn work_once(&self, opened: &Opened<O>) {
        let next = opened.core.work().await;
        self.due.set(next);
        self.announce(opened);
        if let Some(at) = next
            && let Err(error) = opened.database.arm(at)
        {
            tracing::error!("The alarm of a {} cannot be set: {error}", O::CLASS);
        }
    }

    fn try_later(&self) {
        let armed = ObjectDatabase::new(&self.state).and_then(|database| database.arm(PlatformClock.now() + REOPEN_MS));
        if let Err(error) = armed {
            tracing::error!("The alarm of a {} cannot be set: {error}", O::CLASS);
        }
    }

    fn abort_if_tested(&self) -> worker::Result<web_sys::Response> {
        if isolate::get(&self.env).is_ok_and(|isolate| isolate.switches.failpoints) {
            self.abort();
        }
        http_message::respond(200, &[], &[])
    }
}

impl<O: Hosted> Abort for Inner<O> {
    fn abort(&self) {
        if let Err(error) = abort::reset(&self.state) {
            tracing::error!("A {} cannot be reset: {error}", O::CLASS);
        }
    }
}

/// Lets the object go on with something after its answer.
pub fn run_on(state: &State, future: impl Future<Output = ()> + 'static) {
    let promise = lifeline::promise(async move {
        future.await;
        Ok(JsValue::UNDEFINED)
    });
    if let Err(error) = state.as_raw().wait_until(&promise) {
        // It runs all the same while the object stays.
        tracing::warn!("The platform does not wait for work: {}", javascript::message(&error));
    }
}
