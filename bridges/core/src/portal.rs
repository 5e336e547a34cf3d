//! The PortalObject: one channel of a login as a Matrix room.
//!
//! Two durable lanes lead through it. `inbound` always applies the smallest remote timestamp among
//! what is queued; `outbound` has at most one call in flight and reconciles what has an unknown
//! outcome. `show` puts a message into the room, `change` and `react` what is done to it later, `alter` does the same
//! at the network, `make` is the saga that makes the room, `take` what
//! both sides hand in, `mirror` D1's copy of the map.

mod alter;
mod catch_up;
mod change;
mod channel;
mod delete;
mod emoji;
mod file_content;
mod files;
mod inbound;
mod make;
mod mirror;
mod names;
mod notice;
mod outbound;
mod parked;
mod places;
mod plan;
mod progress;
mod queued;
mod react;
mod read;
mod reconcile;
mod refresh;
mod relation;
mod show;
mod take;
mod thread;
mod upload;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::Context,
    contract::{Address, Class, call, encode},
    error::{MatrixError, Result},
    object::InFlight,
};
use hubbub_storage::{
    database::{Database, Transaction, transaction},
    portal::{self as store, Place, PortalRow, care, files as file_rows},
    schema,
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::de::DeserializeOwned;

pub(crate) use self::{change::replacement, read::readers};
use self::{make::Step, names::NameCache, outbound::Outbound, parked::Parked};
use crate::{
    contract::{Access, ChannelKind, LoginCommand, PortalCommand, PortalStatus, Tended},
    lane::{Alarm, Lane, run_lanes},
    matrix::Matrix,
    network::{Network, NetworkFacts, RemoteChannel},
    pace::Buckets,
    report::Report,
};

/// A portal of a network.
pub struct PortalObject {
    portal_id: String,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    network: Rc<dyn Network>,
    matrix: Matrix,
    row: RefCell<Option<PortalRow>>,
    /// The places of the inbound lane that no run holds.
    inbound: RefCell<BTreeSet<Place>>,
    parked: Parked,
    incoming: files::Incoming,
    file_lane: Lane,
    catching: Lane,
    /// When the network is told what the owner has read.
    mark_at: Cell<Option<i64>>,
    mark_lane: Lane,
    /// The places of the outbound lane.
    outbound: RefCell<VecDeque<i64>>,
    sending: Outbound,
    joined: RefCell<HashSet<String>>,
    names: NameCache,
    progress: progress::Progress,
    /// Until when the login knows that no call may be made.
    told_hold: Cell<i64>,
    buckets: Buckets,
    alarm: Alarm,
    inbound_lane: Lane,
    outbound_lane: Lane,
    mirror_lane: Lane,
    locks: InFlight,
    has_mirror: Cell<bool>,
    report: Report,
    ignored: RefCell<HashMap<String, u64>>,
}

impl PortalObject {
    /// A portal of `network` over its database. Writes nothing: a stranger's random name conjures nothing.
    pub fn new(name: &str, database: Rc<dyn Database>, context: Rc<Context>, network: Rc<dyn Network>) -> Result<Self> {
        let object = Self {
            portal_id: name.to_owned(),
            matrix: Matrix::new(network.facts(), Rc::clone(&context)),
            network,
            database,
            context,
            row: RefCell::default(),
            inbound: RefCell::default(),
            parked: Parked::default(),
            incoming: files::Incoming::default(),
            file_lane: Lane::default(),
            catching: Lane::default(),
            mark_at: Cell::new(None),
            mark_lane: Lane::default(),
            outbound: RefCell::default(),
            sending: Outbound::default(),
            joined: RefCell::default(),
            names: NameCache::default(),
            progress: progress::Progress::default(),
            told_hold: Cell::new(0),
            buckets: Buckets::default(),
            alarm: Alarm::default(),
            inbound_lane: Lane::default(),
            outbound_lane: Lane::default(),
            mirror_lane: Lane::default(),
            locks: InFlight::default(),
            has_mirror: Cell::new(false),
            report: Report::default(),
            ignored: RefCell::default(),
        };
        if schema::version(object.database.as_query())? > 0 {
            schema::migrate(object.database.as_ref(), store::STEPS)?;
            object.load()?;
        }
        Ok(object)
    }

    /// Carries out one command and returns the encoded reply.
    pub fn handle(&self, command: PortalCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            match command {
                PortalCommand::Open(intent) => encode(&self.start(&intent).await?),
                PortalCommand::Ready => encode(&self.make_ready().await?),
                PortalCommand::Remote { events } => encode(&self.take_remote(&events).await?),
                PortalCommand::Matrix { events } => encode(&self.take_matrix(&events).await?),
                PortalCommand::Resume { channel } => encode(&self.resume(channel)?),
                PortalCommand::Tend { catch_up } => encode(&self.tend(catch_up).await?),
                PortalCommand::Hold { until } => encode(&self.hold(until)),
                PortalCommand::Delete => encode(&self.delete().await?),
                PortalCommand::Close => encode(&self.close().await?),
                PortalCommand::Status => encode(&self.status()?),
                PortalCommand::Poke => {
                    self.report.poked();
                    self.sending.resume();
                    encode(&self.wake_if_needed()?)
                }
            }
        })
    }

    /// Does what can be done now and returns when to be woken again.
    pub fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(async move {
            if self.row.borrow().is_none() {
                return None;
            }
            run_lanes(&self.alarm, || self.ready(), |duty| self.perform(duty)).await;
            self.share_limits().await;
            let lanes = [&self.inbound_lane, &self.outbound_lane];
            let failing = lanes.into_iter().filter_map(|lane| lane.failing_since()).min();
            self.report.update(&self.context, "Portal", &self.portal_id, failing).await;
            self.alarm.settle(self.next_wake(), self.now())
        })
    }
}

/// What a portal's work is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Making the room.
    Make,
    /// From the network to the room.
    Inbound,
    /// From the room to the network.
    Outbound,
    /// D1's copy of the map.
    Mirror,
    /// What the owner has read, to the network.
    Mark,
    /// The bytes of files, into this server.
    Files,
}

impl Duty {
    const ALL: [Self; 6] = [Self::Make, Self::Inbound, Self::Outbound, Self::Mirror, Self::Mark, Self::Files];
}

impl PortalObject {
    /// Whether there is something to do, were the lane free.
    fn owes(&self, duty: Duty) -> bool {
        let Ok(row) = self.row() else { return false };
        if row.closed {
            return false;
        }
        let active = Step::of(&row) == Step::Active;
        match duty {
            Duty::Make => !active,
            Duty::Inbound => {
                let parked = self.parked.next().is_some_and(|until| until <= self.now());
                active && (parked || !self.inbound.borrow().is_empty())
            }
            Duty::Outbound => active && !self.sending.is_paused() && !self.outbound.borrow().is_empty(),
            Duty::Mirror => active && self.owes_mirror(&row),
            Duty::Files => active && self.incoming.is_due(self.now()),
            Duty::Mark => active && self.mark_at.get().is_some_and(|at| at <= self.now()),
        }
    }

    fn lane(&self, duty: Duty) -> &Lane {
        match duty {
            // Nothing comes in before the room is made.
            Duty::Make | Duty::Inbound => &self.inbound_lane,
            Duty::Outbound => &self.outbound_lane,
            Duty::Mirror => &self.mirror_lane,
            Duty::Mark => &self.mark_lane,
            Duty::Files => &self.file_lane,
        }
    }

    /// What can be done now.
    fn ready(&self) -> Vec<Duty> {
        let now = self.now();
        Duty::ALL.into_iter().filter(|duty| self.owes(*duty) && self.lane(*duty).is_free(now)).collect()
    }

    fn perform(&self, duty: Duty) -> LocalBoxFuture<'_, ()> {
        match duty {
            Duty::Make => Box::pin(self.go_on_making()),
            Duty::Inbound => Box::pin(self.run_inbound()),
            Duty::Outbound => Box::pin(self.run_outbound()),
            Duty::Mirror => Box::pin(self.run_mirror()),
            Duty::Mark => Box::pin(self.run_mark()),
            Duty::Files => Box::pin(self.run_files()),
        }
    }

    /// When to go on with what could not be done now.
    fn next_wake(&self) -> Option<i64> {
        let now = self.now();
        let duties = Duty::ALL.into_iter().filter(|duty| self.owes(*duty)).map(|duty| self.lane(duty).next(now));
        let parked = self.parked.next().filter(|until| self.is_active() && *until > now);
        let mark = self.mark_at.get().filter(|at| self.is_active() && *at > now);
        let file = self.incoming.next_try(now).filter(|_| self.is_active());
        duties.chain(parked).chain(mark).chain(file).min()
    }

    /// Arms the alarm if there is something to do: a command that commits nothing starts no work.
    fn wake_if_needed(&self) -> Result<()> {
        match self.next_wake() {
            Some(_) => self.commit(true, |_| Ok(())),
            None => Ok(()),
        }
    }

    fn load(&self) -> Result<()> {
        let query = self.database.as_query();
        let Some(row) = store::get(query)? else {
            return Ok(());
        };
        for (place, parked_until) in store::list_inbound(query)? {
            if let Some(until) = parked_until {
                self.parked.restore(place.clone(), until);
            }
            self.inbound.borrow_mut().insert(place);
        }
        self.outbound.borrow_mut().extend(store::list_outbound(query, row.sent_through)?);
        self.incoming.load(file_rows::list(query)?);
        self.mark_at.set(care::get(query)?.mark_at);
        self.joined.borrow_mut().extend(store::list_joined(query)?);
        self.has_mirror.set(!store::list_mirror(query)?.is_empty());
        // A call of an earlier life may have been made without its outcome being written down.
        self.sending.doubt_through(row.attempt_through, self.now());
        let head = self.outbound.borrow().front().copied();
        self.sending.done_through(head.map_or(row.attempt_through, |seq| seq.saturating_sub(1)));
        *self.row.borrow_mut() = Some(row);
        Ok(())
    }

    fn facts(&self) -> &'static NetworkFacts {
        self.network.facts()
    }

    fn now(&self) -> i64 {
        self.context.clock.now()
    }

    /// The portal; 404 before it was opened.
    fn row(&self) -> Result<PortalRow> {
        let row = self.row.borrow().clone();
        row.ok_or_else(|| MatrixError::not_found("There is no such portal."))
    }

    fn is_active(&self) -> bool {
        self.row().is_ok_and(|row| !row.closed && Step::of(&row) == Step::Active)
    }

    fn owner(&self) -> Result<OwnedUserId> {
        OwnedUserId::try_from(self.row()?.owner).map_err(MatrixError::internal)
    }

    fn room_id(&self) -> Result<OwnedRoomId> {
        let room = self.row()?.room_id.unwrap_or_default();
        OwnedRoomId::try_from(room).map_err(MatrixError::internal)
    }

    fn kind(&self) -> Result<ChannelKind> {
        Ok(ChannelKind::from(self.row()?.kind.as_str()))
    }

    fn details(&self) -> Result<RemoteChannel> {
        let details = self.row()?.details.unwrap_or_default();
        Ok(serde_json::from_str(&details)?)
    }

    /// Commits `work`, with the safety net's alarm when it leaves something to do.
    fn commit<T>(&self, arms: bool, mut work: impl FnMut(&dyn Transaction) -> Result<T>) -> Result<T> {
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            if arms {
                self.alarm.arm(transaction, now)?;
            }
            work(transaction)
        })
        .inspect_err(|_: &MatrixError| self.alarm.forget())
    }

    /// Changes the portal's row where that leaves nothing to do.
    fn write_quietly(&self, edit: impl FnOnce(&mut PortalRow)) -> Result<()> {
        let mut row = self.row()?;
        edit(&mut row);
        self.commit(false, |transaction| Ok(store::put(transaction, &row)?))?;
        *self.row.borrow_mut() = Some(row);
        Ok(())
    }

    /// Changes the portal's row, and what `also` writes, in one transaction.
    fn write_with<T>(
        &self,
        edit: impl FnOnce(&mut PortalRow),
        mut also: impl FnMut(&dyn Transaction) -> Result<T>,
    ) -> Result<T> {
        let mut row = self.row()?;
        edit(&mut row);
        let value = self.commit(true, |transaction| {
            store::put(transaction, &row)?;
            also(transaction)
        })?;
        *self.row.borrow_mut() = Some(row);
        Ok(value)
    }

    fn write(&self, edit: impl FnOnce(&mut PortalRow)) -> Result<()> {
        self.write_with(edit, |_| Ok(()))
    }

    /// Asks the login.
    async fn ask_login<R: DeserializeOwned>(&self, command: &LoginCommand) -> Result<R> {
        let address = Address::new(Class::Login, self.row()?.login_id);
        call(self.context.objects.as_ref(), address, command).await
    }

    /// What it takes to call the network, and for a method with a budget the right to call it now.
    async fn access(&self, method: Option<&str>) -> Result<Access> {
        let access: Access = self.ask_login(&LoginCommand::Access { method: method.map(str::to_owned) }).await?;
        self.hold(access.hold_until);
        self.network.know_owner(access.own_person.as_deref());
        Ok(access)
    }

    async fn token_refused(&self, reason: &str, access: &Access) -> Result<()> {
        self.sending.forget_access();
        self.ask_login(&LoginCommand::TokenRefused { reason: reason.to_owned(), generation: access.generation }).await
    }

    fn resume(&self, channel: String) -> Result<()> {
        if self.row()?.channel != channel {
            self.write(|row| row.channel = channel)?;
        }
        self.sending.forget_access();
        self.names.forget();
        self.sending.resume();
        self.inbound_lane.hurry();
        self.outbound_lane.hurry();
        self.wake_if_needed()
    }

    async fn tend(&self, catch_up: bool) -> Result<Tended> {
        let name = self.refresh().await?;
        let tended = if catch_up { self.catch_up().await? } else { Tended::default() };
        Ok(Tended { name, ..tended })
    }

    fn status(&self) -> Result<PortalStatus> {
        let row = self.row()?;
        let inbound = self.inbound.borrow();
        let inbound = inbound.len().saturating_add(self.parked.count_beside(&inbound));
        Ok(PortalStatus {
            step: row.step.clone(),
            room_id: row.room_id.and_then(|room| OwnedRoomId::try_from(room).ok()),
            inbound: u64::try_from(inbound).unwrap_or(u64::MAX),
            outbound: u64::try_from(self.outbound.borrow().len()).unwrap_or(u64::MAX),
            uncertain: self.is_in_doubt(),
        })
    }
}
