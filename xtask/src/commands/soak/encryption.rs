//! People who encrypt while everything dies: one whose keys are claimed and change, one who sends to a device, one whose device
//! must get each message once and hear of each change.
//!
//! A claim is not repeated, as clients do not: the key of a lost answer is lost. All else is repeated until it is acknowledged.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value, json};

use crate::load::{
    random::Random,
    user::{User, text},
};

/// How long a request is repeated.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many keys are uploaded together.
const KEYS: usize = 20;
/// The range of the pauses between two deeds, in milliseconds.
const PAUSE: (u64, u64) = (40, 160);

/// The people at work.
pub(super) struct Encryption {
    thread: JoinHandle<Result<Story>>,
    /// The objects that may be reset meanwhile: (class, name).
    pub objects: Vec<(&'static str, String)>,
}

/// What came of it.
pub(super) struct Story {
    /// Keys that were given.
    pub given: BTreeSet<String>,
    /// Messages that were acknowledged.
    pub sent: usize,
    /// Changes of keys that were acknowledged.
    pub changes: usize,
    /// Requests that failed.
    pub failed: usize,
    /// What is wrong.
    pub violations: Vec<String>,
}

struct People {
    keeper: User,
    sender: User,
    listener: User,
    keeper_device: String,
    listener_device: String,
    since: String,
    uploaded: usize,
    /// The numbers of the messages, as they came.
    arrived: Vec<usize>,
    /// The change of keys that the listener knows.
    known: usize,
    /// The listener heard of a change and has not asked yet.
    stale: bool,
    story: Story,
}

impl Encryption {
    /// Registers the people and sets them to work until the flag is set.
    pub fn start(url: &str, random: Random, stop: &Arc<AtomicBool>) -> Result<Self> {
        let mut people = People::register(url)?;
        let objects = [
            ("User", &people.keeper),
            ("UserKeys", &people.keeper),
            ("User", &people.sender),
            ("User", &people.listener),
        ]
        .map(|(class, user)| (class, user.id.clone()))
        .to_vec();
        let (mut random, stop) = (random, Arc::clone(stop));
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                people.deed(&mut random)?;
                people.follow(0);
                sleep(Duration::from_millis(random.between(PAUSE.0, PAUSE.1)));
            }
            people.judge()
        });
        Ok(Self { thread, objects })
    }

    /// The end, after the flag was set.
    pub fn finish(self) -> Result<Story> {
        self.thread.join().map_err(|_| anyhow!("the people who encrypt panicked"))?.context("people who encrypt")
    }
}

impl People {
    fn register(url: &str) -> Result<Self> {
        let impatient = |name: &str| -> Result<User> {
            let mut user = User::register(url, name)?;
            user.connection = user.connection.impatient(Duration::from_secs(15));
            Ok(user)
        };
        let (mut keeper, sender) = (impatient("soak_keeper")?, impatient("soak_sender")?);
        let mut listener = impatient("soak_listener")?;
        let room = keeper.create_room(&json!({"preset": "public_chat", "name": "keys"}))?;
        listener.join(&room)?;
        let device =
            |user: &mut User| text(&user.request("GET", "/account/whoami", "")?.success("whoami")?, "/device_id");
        let (keeper_device, listener_device) = (device(&mut keeper)?, device(&mut listener)?);
        let since = listener.position()?;
        let story = Story { given: BTreeSet::new(), sent: 0, changes: 0, failed: 0, violations: Vec::new() };
        let mut people = Self {
            keeper,
            sender,
            listener,
            keeper_device,
            listener_device,
            since,
            uploaded: 0,
            arrived: Vec::new(),
            known: 0,
            stale: false,
            story,
        };
        people.change()?;
        people.upload()?;
        Ok(people)
    }

    fn deed(&mut self, random: &mut Random) -> Result<()> {
        match random.below(10) {
            0..=3 => self.claim(),
            4..=7 => self.send(),
            8 => self.change(),
            _ => self.upload(),
        }
    }

    /// One of the keeper's keys, if there is one left.
    fn claim(&mut self) -> Result<()> {
        let wanted =
            json!({"one_time_keys": {&self.keeper.id: {&self.keeper_device: "signed_curve25519"}}}).to_string();
        let Ok(answer) = self.sender.request("POST", "/keys/claim", &wanted).and_then(|reply| reply.success("claim"))
        else {
            self.story.failed += 1;
            return Ok(());
        };
        let device = answer.get("one_time_keys").and_then(|users| users.get(&self.keeper.id)?.get(&self.keeper_device));
        for id in device.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            if !self.story.given.insert(id.clone()) {
                self.story.violations.push(format!("the key {id} was handed out twice"));
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let number = self.story.sent;
        let path = format!("/sendToDevice/m.test/t{number}");
        let messages = json!({"messages": {&self.listener.id: {&self.listener_device: {"n": number}}}}).to_string();
        persist(&mut self.sender, &mut self.story.failed, "PUT", &path, &messages)?;
        self.story.sent += 1;
        Ok(())
    }

    /// The keeper's device is set up anew: its keys say how often it was.
    fn change(&mut self) -> Result<()> {
        let (number, device) = (self.story.changes + 1, &self.keeper_device);
        let keys = json!({"device_keys": {
            "user_id": self.keeper.id, "device_id": device, "algorithms": [], "signatures": {},
            "keys": { format!("ed25519:{device}"): format!("{number:A<43}") },
        }});
        persist(&mut self.keeper, &mut self.story.failed, "POST", "/keys/upload", &keys.to_string())?;
        self.story.changes = number;
        Ok(())
    }

    fn upload(&mut self) -> Result<()> {
        let numbers = self.uploaded..self.uploaded + KEYS;
        let keys: Map<String, Value> = numbers
            .map(|number| {
                (format!("signed_curve25519:{number:06}"), json!({"key": format!("{number:A<43}"), "signatures": {}}))
            })
            .collect();
        let keys = json!({"one_time_keys": keys}).to_string();
        persist(&mut self.keeper, &mut self.story.failed, "POST", "/keys/upload", &keys)?;
        self.uploaded += KEYS;
        Ok(())
    }

    /// The listener looks what came; returns whether anything did. A lost answer leaves the token where it was.
    fn follow(&mut self, timeout_ms: u32) -> bool {
        let asked = self.listener.sync(Some(&self.since), None, timeout_ms).and_then(|reply| reply.success("sync"));
        let Ok((next, answer)) = asked.and_then(|answer| Ok((text(&answer, "/next_batch")?, answer))) else {
            self.story.failed += 1;
            return true;
        };
        let list = |pointer: &str| answer.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let numbers = list("/to_device/events");
        let numbers = numbers.iter().filter_map(|event| event.pointer("/content/n")?.as_u64());
        let before = self.arrived.len();
        self.arrived.extend(numbers.filter_map(|number| usize::try_from(number).ok()));
        self.stale |= list("/device_lists/changed").contains(&json!(self.keeper.id));
        self.since = next;
        let came = self.arrived.len() > before || self.stale;
        if self.stale {
            self.ask();
        }
        came
    }

    /// The listener asks for the keys of which it heard that they changed.
    fn ask(&mut self) {
        let wanted = json!({"device_keys": {&self.keeper.id: []}}).to_string();
        let answer = self.listener.request("POST", "/keys/query", &wanted).and_then(|reply| reply.success("query"));
        let shown = answer.ok().and_then(|answer| {
            let device = answer.get("device_keys")?.get(&self.keeper.id)?.get(&self.keeper_device)?;
            let key = device.get("keys")?.get(format!("ed25519:{}", self.keeper_device))?.as_str()?.to_owned();
            key.trim_end_matches('A').parse().ok()
        });
        match shown {
            Some(known) => (self.known, self.stale) = (known, false),
            None => self.story.failed += 1,
        }
    }

    fn judge(mut self) -> Result<Story> {
        let (started, mut quiet) = (Instant::now(), 0);
        while quiet < 5 && started.elapsed() < PATIENCE {
            quiet = if self.follow(300) { 0 } else { quiet + 1 };
        }
        let Story { sent, changes, violations, .. } = &mut self.story;
        for (wanted, number) in (0..).zip(&self.arrived) {
            if *number != wanted {
                violations.push(format!("the to-device message {number} came where {wanted} was to come"));
                break;
            }
        }
        if self.arrived.len() != *sent {
            violations.push(format!("{} to-device messages came of {sent} acknowledged", self.arrived.len()));
        }
        if self.known != *changes {
            violations.push(format!("of {changes} changes of keys the {}th is the last that was heard of", self.known));
        }
        Ok(self.story)
    }
}

/// Repeats a request until it is acknowledged.
fn persist(user: &mut User, failed: &mut usize, method: &str, path: &str, body: &str) -> Result<()> {
    let started = Instant::now();
    while let Err(error) = user.request(method, path, body).and_then(|reply| reply.success(path)) {
        *failed += 1;
        if started.elapsed() > PATIENCE {
            bail!("{path}: {error:#}");
        }
        sleep(Duration::from_millis(150));
    }
    Ok(())
}
