//! A single-threaded executor that polls its tasks in a seeded random order, with virtual time.
//!
//! When nothing can go on but by waiting, the clock jumps to the next timer or alarm: a poll of
//! 30 seconds takes no time, and a test that can never end panics instead of hanging.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::contract::Address;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::ports::ManualClock;

/// How often time may jump in one run before the run counts as endless.
const MAX_JUMPS: u32 = 100_000;

struct Task {
    /// The object that runs it; it dies with the object.
    owner: Option<Address>,
    future: LocalBoxFuture<'static, ()>,
    ready: Arc<Ready>,
}

struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What happens by itself as time goes on, besides timers: the objects' alarms.
pub trait Alarms {
    /// When the next one rings.
    fn next(&self) -> Option<i64>;
    /// Rings all that are due.
    fn ring(&self, now: i64);
    /// After a task of this object ran.
    fn ran(&self, owner: &Address);
}

/// The executor.
pub struct Scheduler {
    tasks: RefCell<Vec<Task>>,
    timers: RefCell<Vec<(i64, Waker)>>,
    random: RefCell<StdRng>,
    clock: Rc<ManualClock>,
    alarms: RefCell<Option<Rc<dyn Alarms>>>,
    /// The owner of the task that runs now.
    running: RefCell<Option<Address>>,
    killed: Cell<bool>,
}

impl Scheduler {
    /// An executor without tasks.
    pub fn new(seed: u64, clock: Rc<ManualClock>) -> Rc<Self> {
        Rc::new(Self {
            tasks: RefCell::default(),
            timers: RefCell::default(),
            random: RefCell::new(StdRng::seed_from_u64(seed)),
            clock,
            alarms: RefCell::default(),
            running: RefCell::default(),
            killed: Cell::new(false),
        })
    }

    /// Says who has alarms.
    pub fn set_alarms(&self, alarms: Rc<dyn Alarms>) {
        *self.alarms.borrow_mut() = Some(alarms);
    }

    /// Starts the order of polling anew from this seed.
    pub fn reseed(&self, seed: u64) {
        *self.random.borrow_mut() = StdRng::seed_from_u64(seed);
    }

    /// Runs a task in the background; with an owner, until [`Self::kill`].
    pub fn spawn(&self, owner: Option<Address>, future: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push(Task {
            owner,
            future: Box::pin(future),
            ready: Arc::new(Ready(AtomicBool::new(true))),
        });
    }

    /// Runs a task whose result is awaited later.
    pub fn start<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Started<T> {
        let cell = Rc::new(RefCell::new(None));
        let result = Rc::clone(&cell);
        self.spawn(None, async move {
            let value = future.await;
            *cell.borrow_mut() = Some(value);
        });
        Started(result)
    }

    /// The object whose task runs now; `None` for a request's.
    pub fn running(&self) -> Option<Address> {
        self.running.borrow().clone()
    }

    /// Drops all tasks of an object.
    pub fn kill(&self, owner: &Address) {
        if self.running.borrow().as_ref() == Some(owner) {
            self.killed.set(true);
        }
        let dead: Vec<Task> = {
            let mut tasks = self.tasks.borrow_mut();
            tasks.extract_if(.., |task| task.owner.as_ref() == Some(owner)).collect()
        };
        // Dropped outside the borrow: a drop may wake others.
        drop(dead);
    }

    /// Drops the task that runs now, at its next `await`.
    pub fn kill_running(&self) {
        self.killed.set(true);
    }

    /// [`Self::finish`]; `None` when the task was killed.
    pub fn finish_or_die<T>(&self, started: &Started<T>) -> Option<T> {
        self.settle();
        let is_dead = !started.is_finished() && Rc::strong_count(&started.0) == 1;
        if is_dead { None } else { Some(self.finish(started)) }
    }

    /// Runs until the task has its result; time jumps where nothing else can happen.
    pub fn finish<T>(&self, started: &Started<T>) -> T {
        let mut jumps = 0;
        loop {
            if let Some(value) = started.0.borrow_mut().take() {
                return value;
            }
            if self.step() {
                continue;
            }
            jumps += 1;
            let next = self.next_event().filter(|_| jumps < MAX_JUMPS);
            let next = next.expect("a task waits for something that never happens");
            self.move_to(next);
        }
    }

    /// Runs until nothing can go on without time passing.
    pub fn settle(&self) {
        while self.step() {}
    }

    /// Lets time pass: timers and alarms fire in their order, with what they cause in between.
    pub fn advance(&self, milliseconds: i64) {
        let end = self.clock.now() + milliseconds;
        self.settle();
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.move_to(next);
            self.settle();
        }
        self.clock.set(end.max(self.clock.now()));
        self.settle();
    }

    /// Waits until a time.
    pub fn sleep_until(self: &Rc<Self>, at: i64) -> impl Future<Output = ()> + use<> {
        Sleep { scheduler: Rc::clone(self), at }
    }

    fn next_event(&self) -> Option<i64> {
        let timer = self.timers.borrow().iter().map(|(at, _)| *at).min();
        let alarm = self.alarms.borrow().as_ref().and_then(|alarms| alarms.next());
        timer.into_iter().chain(alarm).min()
    }

    fn move_to(&self, at: i64) {
        self.clock.set(at.max(self.clock.now()));
        let now = self.clock.now();
        let due: Vec<_> = self.timers.borrow_mut().extract_if(.., |(at, _)| *at <= now).collect();
        for (_, waker) in due {
            waker.wake();
        }
        let alarms = self.alarms.borrow().clone();
        if let Some(alarms) = alarms {
            alarms.ring(now);
        }
    }

    /// Polls one ready task, chosen at random; false when none is ready.
    fn step(&self) -> bool {
        let task = {
            let mut tasks = self.tasks.borrow_mut();
            let ready: Vec<usize> = tasks
                .iter()
                .enumerate()
                .filter(|(_, task)| task.ready.0.load(Ordering::Relaxed))
                .map(|(index, _)| index)
                .collect();
            if ready.is_empty() {
                return false;
            }
            let chosen = self.random.borrow_mut().random_range(0..ready.len());
            tasks.remove(ready[chosen])
        };
        self.poll(task);
        true
    }

    fn poll(&self, mut task: Task) {
        task.ready.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.ready));
        self.killed.set(false);
        *self.running.borrow_mut() = task.owner.clone();
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        *self.running.borrow_mut() = None;
        let owner = task.owner.clone();
        if polled.is_pending() && !self.killed.get() {
            self.tasks.borrow_mut().push(task);
        }
        let alarms = self.alarms.borrow().clone();
        if let (Some(owner), Some(alarms)) = (owner, alarms) {
            alarms.ran(&owner);
        }
    }
}

/// A task that was started and its result.
pub struct Started<T>(Rc<RefCell<Option<T>>>);

impl<T> Started<T> {
    /// Whether the result is there.
    pub fn is_finished(&self) -> bool {
        self.0.borrow().is_some()
    }
}

struct Sleep {
    scheduler: Rc<Scheduler>,
    at: i64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.scheduler.clock.now() >= self.at {
            return Poll::Ready(());
        }
        self.scheduler.timers.borrow_mut().push((self.at, context.waker().clone()));
        Poll::Pending
    }
}

/// Lets every other task run first, perhaps: what each call across a boundary does.
pub async fn yield_now() {
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
