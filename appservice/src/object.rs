//! The AppserviceObject: one a registration, named by its id. It takes rooms' deliveries in and hands
//! them over as transactions: in order, one in flight, for ever.
//!
//! A delivery is acknowledged in the transaction that stores it together with the room's cursor
//! (`object/accept.rs`). From there it goes over HTTP (`object/http.rs`) or to a bundled bridge
//! (`object/dispatch.rs`), by the queue that `hubbub_storage::appservice` describes. What fails stays
//! queued and is tried again (`object/backoff.rs`), and Cron is told (`object/report.rs`).
//! Names that only the appservice can know are asked for in `object/query.rs`.
//!
//! Open `object/accept.rs` next.

mod accept;
mod backoff;
mod bell;
mod dispatch;
mod encryption;
mod http;
mod ping;
mod query;
mod report;
mod sharing;

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
};

use futures_util::{
    future::{Either, LocalBoxFuture, select},
    stream::{FuturesUnordered, StreamExt as _},
};
use hubbub_core::{
    context::Context,
    contract::{
        self,
        appservice::{AppserviceCommand, QueueStatus},
    },
    error::Result,
    object::{ALARM_DELAY_MS, InFlight, Object},
};
use hubbub_storage::{
    appservice as store,
    database::{Database, DatabaseError, MAX_INTEGER, Transaction, transaction},
    schema,
};

use self::{bell::Bell, query::Questions};
use crate::{endpoint::Endpoint, in_process::InProcess};

/// How many lanes are worked on at once: an object may make only so many calls at a time.
const CONCURRENT_LANES: usize = 20;

/// How many events a transaction holds at most.
const TRANSACTION_EVENTS: i64 = 100;

/// How many bytes a transaction holds at most; a single larger event goes alone.
const TRANSACTION_BYTES: i64 = 1024 * 1024;

/// The queue of one appservice.
pub struct AppserviceObject {
    id: String,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    /// Present for a bundled bridge.
    bridge: Option<Rc<dyn InProcess>>,
    in_flight: InFlight,
    /// The highest queue id given out since this object woke. An id is never reused while a batch
    /// is in flight, even if the queue was emptied meanwhile.
    last_id: Cell<i64>,
    /// Rung when a batch was queued, so that a run that waits for one lane starts another.
    queued: Bell,
    questions: Questions,
    /// The appservice's address and when it was read.
    endpoint: RefCell<Option<(i64, Rc<Endpoint>)>>,
}

impl AppserviceObject {
    /// An object whose transactions go to `bridge`, if it [serves](InProcess::serves) this
    /// appservice, and over HTTP otherwise. Writes nothing.
    pub fn with_bridge(
        name: &str,
        database: Rc<dyn Database>,
        context: Rc<Context>,
        bridge: Rc<dyn InProcess>,
    ) -> Self {
        let bridge = bridge.serves(name).then_some(bridge);
        Self::new(name, database, context, bridge)
    }

    fn new(name: &str, database: Rc<dyn Database>, context: Rc<Context>, bridge: Option<Rc<dyn InProcess>>) -> Self {
        Self {
            id: name.to_owned(),
            database,
            context,
            bridge,
            in_flight: InFlight::default(),
            last_id: Cell::new(0),
            queued: Bell::default(),
            questions: Questions::default(),
            endpoint: RefCell::new(None),
        }
    }

    fn now(&self) -> i64 {
        self.context.clock.now()
    }

    /// Commits `work` and arms the alarm in the same transaction. The port leaves an alarm alone
    /// that rings before that anyway.
    fn commit<T>(
        &self,
        alarm_at: Option<i64>,
        mut work: impl FnMut(&dyn Transaction) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        transaction(self.database.as_ref(), |transaction| {
            if let Some(at) = alarm_at {
                transaction.set_alarm(at)?;
            }
            work(transaction)
        })
    }

    fn set_route(&self, room_id: &str, target: Option<&str>) -> Result<()> {
        schema::migrate(self.database.as_ref(), store::SCHEMA)?;
        let wanted = target.map_or(store::Route::Nowhere, |target| store::Route::To(target.to_owned()));
        if store::route(self.database.as_query(), room_id)? == wanted {
            return Ok(());
        }
        self.commit(None, |transaction| {
            if target.is_none() {
                store::finish(transaction, room_id, MAX_INTEGER)?;
            }
            store::set_route(transaction, room_id, target)
        })?;
        Ok(())
    }

    fn status(&self) -> Result<QueueStatus> {
        let database = self.database.as_query();
        if !store::exists(database)? {
            return Ok(QueueStatus { queued: 0, attempts: 0, next_attempt_at: None });
        }
        let lanes = store::waiting_lanes(database)?;
        let attempts = lanes.iter().map(|lane| lane.attempts).max().unwrap_or(0);
        Ok(QueueStatus {
            queued: store::queue_length(database)?.try_into().unwrap_or(0),
            attempts: attempts.try_into().unwrap_or(0),
            next_attempt_at: lanes.iter().filter_map(|lane| lane.next_attempt_at).min(),
        })
    }

    /// Works on all lanes whose time has come until none is left, and returns when the next one's
    /// time comes. A lane that waits for an answer holds up no other, not even one whose first batch
    /// comes meanwhile.
    async fn drive(&self) -> Result<Option<i64>, DatabaseError> {
        if !store::exists(self.database.as_query())? {
            return Ok(None);
        }
        let mut running = FuturesUnordered::new();
        let mut started = HashSet::new();
        loop {
            let queued = self.queued.next();
            for lane in self.due_lanes(&started)? {
                started.insert(lane.clone());
                running.push(async move { (self.run_lane(&lane).await, lane) });
            }
            if running.is_empty() {
                break;
            }
            match select(running.next(), queued).await {
                Either::Left((Some((outcome, lane)), _)) => {
                    started.remove(&lane);
                    outcome?;
                }
                Either::Left((None, _)) | Either::Right(_) => {}
            }
        }
        self.report().await?;
        let lanes = store::waiting_lanes(self.database.as_query())?;
        let soon = self.now() + ALARM_DELAY_MS;
        Ok(lanes.iter().map(|lane| lane.next_attempt_at.unwrap_or(soon)).min())
    }

    /// Lanes to start now, beside those that run.
    fn due_lanes(&self, started: &HashSet<String>) -> Result<Vec<String>, DatabaseError> {
        let now = self.now();
        let room = CONCURRENT_LANES.saturating_sub(started.len());
        Ok(store::waiting_lanes(self.database.as_query())?
            .into_iter()
            .filter(|lane| lane.next_attempt_at.is_none_or(|at| at <= now) && !started.contains(&lane.lane))
            .map(|lane| lane.lane)
            .take(room)
            .collect())
    }

    async fn run_lane(&self, lane: &str) -> Result<(), DatabaseError> {
        let _guard = self.in_flight.lock(lane).await;
        match &self.bridge {
            Some(bridge) => self.run_room(lane, bridge.as_ref()).await,
            None => self.run_http(lane).await,
        }
    }
}

impl Object for AppserviceObject {
    type Command = AppserviceCommand;

    /// An object that is reached over HTTP; [`AppserviceObject::with_bridge`] makes the others.
    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        Ok(Self::new(name, database, context, None))
    }

    fn handle(&self, command: AppserviceCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            match command {
                AppserviceCommand::Deliver(delivery) => contract::encode(&self.deliver(*delivery).await?),
                AppserviceCommand::Ping { transaction_id } => contract::encode(&self.ping(transaction_id).await?),
                AppserviceCommand::Query(query) => contract::encode(&self.query(&query).await?),
                AppserviceCommand::Route { room_id, to } => contract::encode(&self.set_route(&room_id, Some(&to))?),
                AppserviceCommand::Unroute { room_id } => contract::encode(&self.set_route(&room_id, None)?),
                AppserviceCommand::Encryption(news) => contract::encode(&self.take_encryption_news(*news)?),
                AppserviceCommand::Status => contract::encode(&self.status()?),
                AppserviceCommand::Poke => contract::encode(&()),
            }
        })
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(async move {
            self.drive().await.unwrap_or_else(|error| {
                tracing::error!(appservice.id = %self.id, "The queue cannot be worked on: {error}");
                Some(self.now() + ALARM_DELAY_MS)
            })
        })
    }
}
