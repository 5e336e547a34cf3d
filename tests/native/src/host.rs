//! Runs objects: what the platform does for Durable Objects.
//!
//! An object's database lives as long as the server; its memory can be dropped at any time
//! ([`Host::crash`]), and what it was doing dies with it. After each command the object's work runs
//! in the background, and again when its alarm rings.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::{CallError, Context, Objects},
    contract::{Address, Class, decode_command, encode_outcome},
    error::Result,
    object::Object,
};
use hubbub_storage::{database::Database, native::NativeDatabase};

use crate::scheduler::{Alarms, Scheduler, yield_now};

/// An object of any class.
pub trait Hosted {
    /// Carries out one encoded command and returns the encoded outcome.
    fn handle(self: Rc<Self>, command: Vec<u8>) -> LocalBoxFuture<'static, Vec<u8>>;
    /// [`Object::work`].
    fn work(self: Rc<Self>) -> LocalBoxFuture<'static, Option<i64>>;
}

/// One [`Object`] as a [`Hosted`].
pub struct Shell<O>(pub O);

impl<O: Object> Hosted for Shell<O> {
    fn handle(self: Rc<Self>, command: Vec<u8>) -> LocalBoxFuture<'static, Vec<u8>> {
        Box::pin(async move {
            let outcome = match decode_command::<O::Command>(&command) {
                Ok(command) => self.0.handle(command).await,
                Err(error) => Err(error),
            };
            encode_outcome(outcome)
        })
    }

    fn work(self: Rc<Self>) -> LocalBoxFuture<'static, Option<i64>> {
        Box::pin(async move { self.0.work().await })
    }
}

/// Makes the objects of one class.
pub type Factory = Box<dyn Fn(&str, Rc<dyn Database>, Rc<Context>) -> Result<Rc<dyn Hosted>>>;

/// The factory of an [`Object`].
pub fn factory<O: Object>() -> Factory {
    Box::new(|name, database, context| Ok(Rc::new(Shell(O::open(name, database, context)?))))
}

/// Where the caller of an object waits for the reply.
#[derive(Default)]
struct ReplySlot {
    reply: RefCell<Option<Vec<u8>>>,
    closed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl ReplySlot {
    /// The reply; `None` when the task that would have sent it is gone.
    async fn receive(&self) -> Option<Vec<u8>> {
        std::future::poll_fn(|context| {
            if self.closed.get() {
                return Poll::Ready(self.reply.take());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// The end of a [`ReplySlot`] that sends; dropping it ends the wait.
struct Sender(Rc<ReplySlot>);

impl Sender {
    fn send(self, reply: Vec<u8>) {
        *self.0.reply.borrow_mut() = Some(reply);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.closed.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }
}

struct Slot {
    database: Rc<NativeDatabase>,
    object: Option<Rc<dyn Hosted>>,
    /// When the last run of its work wants to be woken.
    wake_at: Option<i64>,
    /// Commits that waiters know of.
    seen: u64,
    waiters: Vec<Waker>,
    constructed: u32,
}

impl Slot {
    fn over(database: NativeDatabase) -> Self {
        Self { database: Rc::new(database), object: None, wake_at: None, seen: 0, waiters: Vec::new(), constructed: 0 }
    }
}

/// All objects of a server.
pub struct Host {
    scheduler: Rc<Scheduler>,
    factories: RefCell<HashMap<Class, Factory>>,
    slots: RefCell<HashMap<Address, Slot>>,
    context: OnceCell<Rc<Context>>,
    itself: Weak<Self>,
    failing: Cell<bool>,
    unreachable: RefCell<Option<Address>>,
    interrupted: Cell<u32>,
}

impl Host {
    /// A host without objects.
    pub fn new(scheduler: Rc<Scheduler>) -> Rc<Self> {
        let host = Rc::new_cyclic(|itself| Self {
            scheduler: Rc::clone(&scheduler),
            factories: RefCell::default(),
            slots: RefCell::default(),
            context: OnceCell::new(),
            itself: itself.clone(),
            failing: Cell::new(false),
            unreachable: RefCell::default(),
            interrupted: Cell::new(0),
        });
        scheduler.set_alarms(Rc::clone(&host) as Rc<dyn Alarms>);
        host
    }

    /// Sets what objects get.
    pub fn set_context(&self, context: Rc<Context>) {
        assert!(self.context.set(context).is_ok(), "the context is set once");
    }

    /// Says how objects of a class are made.
    pub fn register(&self, class: Class, factory: Factory) {
        self.factories.borrow_mut().insert(class, factory);
    }

    /// Makes every call to an object fail, as when the platform restarts them all.
    pub fn set_failing(&self, failing: bool) {
        self.failing.set(failing);
    }

    /// How many calls ended because their object died.
    pub fn interrupted(&self) -> u32 {
        self.interrupted.get()
    }

    /// Drops an object's memory and all that it is doing. Its database stays.
    pub fn crash(&self, address: &Address) {
        self.scheduler.kill(address);
        let object = self.slots.borrow_mut().get_mut(address).and_then(|slot| {
            slot.wake_at = None;
            slot.object.take()
        });
        drop(object);
    }

    /// Drops every object's memory.
    pub fn crash_all(&self) {
        let addresses: Vec<Address> = self.slots.borrow().keys().cloned().collect();
        for address in addresses {
            self.crash(&address);
        }
    }

    /// The database of an object, if the object was ever called.
    pub fn database(&self, address: &Address) -> Option<Rc<NativeDatabase>> {
        self.slots.borrow().get(address).map(|slot| Rc::clone(&slot.database))
    }

    /// Loses an object with all that it stored, as if it had never been called.
    pub fn lose(&self, address: &Address) {
        self.crash(address);
        self.slots.borrow_mut().remove(address);
    }

    /// Makes every call to this object fail, or no longer.
    pub fn set_unreachable(&self, address: Option<Address>) {
        *self.unreachable.borrow_mut() = address;
    }

    /// Gives an object the database that an earlier server left.
    pub fn keep(&self, address: Address, database: NativeDatabase) {
        self.slots.borrow_mut().insert(address, Slot::over(database));
    }

    /// The objects that ever wrote something.
    pub fn written(&self) -> Vec<Address> {
        let slots = self.slots.borrow();
        slots
            .iter()
            .filter(|(_, slot)| slot.database.counts().commits > 0)
            .map(|(address, _)| address.clone())
            .collect()
    }

    /// How often the object was made.
    pub fn constructions(&self, address: &Address) -> u32 {
        self.slots.borrow().get(address).map_or(0, |slot| slot.constructed)
    }

    /// How much the object has committed; grows with each commit.
    pub fn commits(&self, address: &Address) -> u64 {
        self.database(address).map_or(0, |database| database.counts().commits)
    }

    /// Waits until the object has committed more than this.
    pub async fn committed_more_than(&self, address: &Address, commits: u64) {
        std::future::poll_fn(|context| {
            if self.commits(address) > commits {
                return Poll::Ready(());
            }
            if let Some(slot) = self.slots.borrow_mut().get_mut(address) {
                slot.waiters.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn open(&self, address: &Address) -> Result<Rc<dyn Hosted>> {
        let context = self.context.get().expect("the context is set");
        let mut slots = self.slots.borrow_mut();
        let slot = slots
            .entry(address.clone())
            .or_insert_with(|| Slot::over(NativeDatabase::in_memory().expect("SQLite opens in memory")));
        if let Some(object) = &slot.object {
            return Ok(Rc::clone(object));
        }
        let factories = self.factories.borrow();
        let factory = factories.get(&address.class).expect("the class is registered");
        let database: Rc<dyn Database> = Rc::clone(&slot.database) as Rc<dyn Database>;
        let object = factory(&address.name, database, Rc::clone(context))?;
        slot.object = Some(Rc::clone(&object));
        slot.constructed += 1;
        Ok(object)
    }

    fn start_work(&self, address: &Address) {
        let Ok(object) = self.open(address) else { return };
        let Some(host) = self.itself.upgrade() else { return };
        let owner = address.clone();
        self.scheduler.spawn(Some(address.clone()), async move {
            let wake_at = object.work().await;
            if let Some(slot) = host.slots.borrow_mut().get_mut(&owner) {
                slot.wake_at = wake_at;
            }
        });
    }
}

impl Objects for Host {
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(async move {
            yield_now().await;
            if self.failing.get() || self.unreachable.borrow().as_ref() == Some(&address) {
                return Err(CallError("the platform restarts objects".to_owned()));
            }
            let object = match self.open(&address) {
                Ok(object) => object,
                Err(error) => return Ok(encode_outcome(Err(error))),
            };
            let slot = Rc::new(ReplySlot::default());
            let sender = Sender(Rc::clone(&slot));
            let host = self.itself.upgrade().expect("the host lives");
            let owner = address.clone();
            self.scheduler.spawn(Some(address), async move {
                let reply = object.handle(command).await;
                host.start_work(&owner);
                sender.send(reply);
            });
            let Some(reply) = slot.receive().await else {
                self.interrupted.set(self.interrupted.get() + 1);
                return Err(CallError("the object died".to_owned()));
            };
            yield_now().await;
            Ok(reply)
        })
    }
}

impl Alarms for Host {
    fn next(&self) -> Option<i64> {
        let slots = self.slots.borrow();
        slots.values().flat_map(|slot| slot.wake_at.into_iter().chain(slot.database.alarm())).min()
    }

    fn ring(&self, now: i64) {
        let mut due: Vec<Address> = Vec::new();
        for (address, slot) in self.slots.borrow_mut().iter_mut() {
            let mut rings = false;
            if slot.wake_at.is_some_and(|at| at <= now) {
                slot.wake_at = None;
                rings = true;
            }
            if slot.database.alarm().is_some_and(|at| at <= now) {
                slot.database.take_alarm();
                rings = true;
            }
            if rings {
                due.push(address.clone());
            }
        }
        // The map's order is random by process; the scheduler's is by seed.
        due.sort_by(|left, right| left.name.cmp(&right.name));
        for address in due {
            self.start_work(&address);
        }
    }

    fn ran(&self, owner: &Address) {
        let wakers = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(owner) else { return };
            let commits = slot.database.counts().commits;
            if commits == slot.seen {
                return;
            }
            slot.seen = commits;
            std::mem::take(&mut slot.waiters)
        };
        for waker in wakers {
            waker.wake();
        }
    }
}
