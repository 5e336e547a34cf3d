//! Two devices of the owner that follow the room through everything: one waits in `/sync` all the time, the other looks in now
//! and then with a short timeline, so that it has gaps to fill.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use anyhow::{Result, anyhow};
use serde_json::json;

use crate::load::{device::Device, random::Random, user::User};

/// A device on its own thread.
pub(super) struct Follower {
    name: &'static str,
    thread: JoinHandle<Followed>,
    seen: Arc<AtomicUsize>,
}

/// A device at the end.
pub(super) struct Followed {
    /// What it is called.
    pub name: &'static str,
    /// The device.
    pub device: Device,
    /// How many polls failed.
    pub errors: u64,
    /// The last error.
    pub last_error: Option<String>,
}

/// How a device polls.
#[derive(Clone, Copy)]
struct Manner {
    timeline: u32,
    timeout_ms: u32,
    /// The range of its pauses, in milliseconds.
    pause: (u64, u64),
}

impl Follower {
    /// A device that waits all the time.
    pub fn waiting(user: User, room: &str, random: Random, stop: &Arc<AtomicBool>) -> Result<Self> {
        Self::start(
            "the waiting device",
            user,
            room,
            Manner { timeline: 20, timeout_ms: 3_000, pause: (0, 0) },
            random,
            stop,
        )
    }

    /// A device that looks in now and then.
    pub fn occasional(user: User, room: &str, random: Random, stop: &Arc<AtomicBool>) -> Result<Self> {
        let manner = Manner { timeline: 5, timeout_ms: 0, pause: (500, 4_000) };
        Self::start("the occasional device", user, room, manner, random, stop)
    }

    fn start(
        name: &'static str,
        mut user: User,
        room: &str,
        manner: Manner,
        mut random: Random,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        user.connection = user.connection.impatient(Duration::from_secs(20));
        let filter = json!({"room": {"timeline": {"limit": manner.timeline}}}).to_string();
        let mut device = Device::new(user, room, Some(filter));
        // Where it starts from is known before anything happens.
        device.poll(0)?;
        let (stop, seen) = (Arc::clone(stop), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&seen);
        let thread = thread::spawn(move || {
            let mut followed = Followed { name, device, errors: 0, last_error: None };
            while !stop.load(Ordering::Relaxed) {
                followed.poll(manner.timeout_ms);
                counted.store(followed.device.timeline.len(), Ordering::Relaxed);
                sleep(Duration::from_millis(random.between(manner.pause.0, manner.pause.1)));
            }
            followed
        });
        Ok(Self { name, thread, seen })
    }

    /// How many events it has seen.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// Its end, after the flag was set.
    pub fn finish(self) -> Result<Followed> {
        let name = self.name;
        self.thread.join().map_err(|_| anyhow!("{name} panicked"))
    }
}

impl Followed {
    fn poll(&mut self, timeout_ms: u32) {
        if let Err(error) = self.device.poll(timeout_ms) {
            self.errors += 1;
            self.last_error = Some(format!("{error:#}"));
            sleep(Duration::from_millis(100));
        }
    }

    /// Polls until nothing comes any more.
    pub fn catch_up(&mut self) -> Result<()> {
        let mut quiet = 0;
        while quiet < 3 {
            quiet = if self.device.poll(300)? == 0 { quiet + 1 } else { 0 };
        }
        Ok(())
    }
}
