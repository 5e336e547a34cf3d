//! Who writes: people at Slack, through the fake, and the owner at Matrix, over several connections that never give up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::load::{
    fake_slack::Control,
    random::Random,
    stage::CHANNEL,
    user::{User, text_message},
};

/// How many answers are sent at once.
const SENDERS: usize = 4;
/// The chance, of 100, that an answer that was acknowledged is sent again.
const REPEATED: u64 = 15;
/// The longest that one answer is tried.
const PATIENCE: Duration = Duration::from_secs(120);
/// The owner writes at Slack too.
const PEOPLE: [&str; 7] = ["ana", "bjorn", "chidi", "dana", "emi", "owner", "ana"];

/// What the soak's messages begin with: `s` for those of Slack, `m` for those of Matrix, and a number.
pub(super) fn number_in(body: &str, kind: char) -> Option<usize> {
    body.strip_prefix("soak ")?.split(' ').next()?.strip_prefix(kind)?.parse().ok()
}

fn body_of(kind: char, number: usize) -> String {
    format!("soak {kind}{number} goes through")
}

/// The people at Slack.
pub(super) struct People {
    control: Control,
    random: Random,
    /// How many messages they have written.
    pub written: usize,
    /// The numbers of each group, in the order of their timestamps.
    pub groups: Vec<std::ops::Range<usize>>,
}

impl People {
    pub fn new(control: Control, random: Random) -> Self {
        Self { control, random, written: 0, groups: Vec::new() }
    }

    /// Writes some messages whose webhooks come twice and in disorder, and returns once all are acknowledged.
    pub fn write_group(&mut self, size: usize) -> Result<()> {
        let first = self.written;
        let messages = self.messages(size);
        self.groups.push(first..self.written);
        let input = json!({"messages": messages, "twice": true, "shuffle": true, "wait": true, "timeout_ms": 50_000});
        self.control.post("messages", &input).context("a group")?;
        Ok(())
    }

    /// Writes messages and waits for nothing.
    pub fn write(&mut self, size: usize) -> Result<()> {
        let messages = self.messages(size);
        self.control.post("messages", &json!({"messages": messages, "twice": true, "shuffle": true}))?;
        Ok(())
    }

    fn messages(&mut self, size: usize) -> Vec<Value> {
        let numbers = self.written..self.written + size;
        self.written += size;
        numbers
            .map(|number| {
                let user = self.random.pick(&PEOPLE).copied().unwrap_or("ana");
                json!({"channel": CHANNEL, "user": user, "text": body_of('s', number)})
            })
            .collect()
    }
}

/// What the server said about the owner's answers.
#[derive(Default)]
pub(super) struct Ledger {
    /// The event id of each that was acknowledged.
    pub acknowledged: BTreeMap<usize, String>,
    /// What went wrong for good.
    pub violations: Vec<String>,
    /// How many requests it took.
    pub attempts: u64,
    /// How many acknowledged ones were repeated.
    pub repeated: u64,
}

/// The owner's connections.
pub(super) struct Owner {
    numbers: Option<Sender<usize>>,
    threads: Vec<JoinHandle<()>>,
    /// What came of it.
    pub ledger: Arc<Mutex<Ledger>>,
    /// How many answers were handed to the connections.
    pub written: usize,
}

impl Owner {
    pub fn start(user: &User, room: &str, random: &mut Random, stop: &Arc<AtomicBool>) -> Self {
        let (numbers, queue) = channel();
        let (queue, ledger) = (Arc::new(Mutex::new(queue)), Arc::default());
        let threads = (0..SENDERS).map(|_| {
            let mut user = user.again();
            user.connection = user.connection.impatient(Duration::from_secs(10));
            let sender = Answerer {
                user,
                room: room.to_owned(),
                queue: Arc::clone(&queue),
                ledger: Arc::clone(&ledger),
                stop: Arc::clone(stop),
                random: random.fork(),
            };
            thread::spawn(move || sender.run())
        });
        Self { numbers: Some(numbers), threads: threads.collect(), ledger, written: 0 }
    }

    /// Sends some answers.
    pub fn write(&mut self, count: usize) {
        for number in self.written..self.written + count {
            if let Some(numbers) = &self.numbers {
                // The threads end only after the channel.
                let _sent = numbers.send(number);
            }
        }
        self.written += count;
    }

    /// How many were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.len()
    }

    /// Waits for the connections; returns what came of it.
    pub fn finish(mut self) -> Ledger {
        self.numbers = None;
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
        std::mem::take(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection.
struct Answerer {
    user: User,
    room: String,
    queue: Arc<Mutex<Receiver<usize>>>,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    random: Random,
}

impl Answerer {
    fn run(mut self) {
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(number) = next else { return };
            let outcome = self.answer(number);
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(event_id) => {
                    ledger.acknowledged.insert(number, event_id);
                }
                Err(error) => ledger.violations.push(format!("answer m{number}: {error:#}")),
            }
        }
    }

    fn answer(&mut self, number: usize) -> Result<String> {
        let event_id = self.send(number)?;
        if self.random.percent(REPEATED) {
            let again = self.send(number)?;
            anyhow::ensure!(again == event_id, "its repetition made {again} of {event_id}");
            self.ledger.lock().unwrap_or_else(PoisonError::into_inner).repeated += 1;
        }
        Ok(event_id)
    }

    /// Repeats the request, under the same transaction id, until it is answered.
    fn send(&mut self, number: usize) -> Result<String> {
        let (path, content) = text_message(&self.room, &format!("soak{number}"), &body_of('m', number));
        let started = Instant::now();
        loop {
            self.ledger.lock().unwrap_or_else(PoisonError::into_inner).attempts += 1;
            match self.user.request("PUT", &path, &content) {
                Ok(reply) if reply.status == 200 => return crate::load::user::text(&reply.json()?, "/event_id"),
                Ok(reply) if (400..500).contains(&reply.status) => {
                    return reply.success("send").map(|_| String::new());
                }
                Ok(reply) if started.elapsed() > PATIENCE => return reply.success("send").map(|_| String::new()),
                Err(error) if started.elapsed() > PATIENCE || self.stop.load(Ordering::Relaxed) => return Err(error),
                Ok(_) | Err(_) => sleep(Duration::from_millis(self.random.between(20, 200))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{body_of, number_in};

    #[test]
    fn a_message_is_known_by_its_kind_and_number() {
        assert_eq!(number_in(&body_of('s', 17), 's'), Some(17));
        assert_eq!(number_in(&body_of('s', 17), 'm'), None);
        assert_eq!(number_in("soak and nothing else", 's'), None);
    }
}
