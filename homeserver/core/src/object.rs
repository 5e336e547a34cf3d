//! The shape of an object: a name, a database of its own, commands, and work that remains.
//!
//! In the Worker an object is a Durable Object; in native tests it is a value over `rusqlite`. Both
//! shells do the same: decode a command, [`Object::handle`] it, answer, and then run
//! [`Object::work`] (at once in the background, and again when the alarm fires).

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use futures_util::{
    future::LocalBoxFuture,
    lock::{Mutex, OwnedMutexGuard},
};
use hubbub_storage::database::Database;
use serde::{Serialize, de::DeserializeOwned};

use crate::{context::Context, error::Result};

/// How long after a commit the safety-net alarm fires, in milliseconds. The work itself starts at
/// once; the alarm only matters when the process died in between.
pub const ALARM_DELAY_MS: i64 = 5_000;

/// One object of some class.
pub trait Object: Sized + 'static {
    /// What it is asked to do.
    type Command: Serialize + DeserializeOwned;

    /// An object over its database. Must not write: a stranger's random name conjures nothing.
    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self>;

    /// Carries out one command and returns the encoded reply ([`crate::contract::encode`]).
    ///
    /// Between reading what a decision rests on and the commit there is no `await`.
    fn handle(&self, command: Self::Command) -> LocalBoxFuture<'_, Result<Vec<u8>>>;

    /// Does the work that commands left behind (deliveries, calls to others) until none is left
    /// that can be done now, and returns when to be woken again (milliseconds since the epoch).
    ///
    /// Never fails: what goes wrong stays queued. Safe to call at any time and concurrently.
    fn work(&self) -> LocalBoxFuture<'_, Option<i64>>;
}

/// Locks by key, so that at most one delivery to a follower (or one run of a lane) is in flight.
///
/// Lives in memory only: after an eviction nothing is in flight any more.
#[derive(Default)]
pub struct InFlight(RefCell<HashMap<String, std::sync::Arc<Mutex<()>>>>);

impl InFlight {
    /// Waits for the lock of `key` and holds it until the guard is dropped.
    pub async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let mutex = {
            let mut locks = self.0.borrow_mut();
            locks.entry(key.to_owned()).or_default().clone()
        };
        mutex.lock_owned().await
    }

    /// Takes the lock of `key` if nobody holds it.
    pub fn try_lock(&self, key: &str) -> Option<OwnedMutexGuard<()>> {
        let mut locks = self.0.borrow_mut();
        locks.entry(key.to_owned()).or_default().clone().try_lock_owned()
    }
}
