//! At most 120 frames in 60 seconds
//! ([docs](https://docs.discord.com/developers/events/gateway#rate-limiting)): who sends more is
//! thrown out. Heartbeats go first; what waits for its turn waits here.

use std::collections::VecDeque;

const WINDOW_MS: i64 = 60_000;
/// What is sent at all in a window.
const MOST: usize = 118;
/// What is sent in a window besides heartbeats and greetings.
const MOST_QUEUED: usize = 100;
/// What may wait; the oldest goes.
const LONGEST_QUEUE: usize = 200;

/// When frames were sent, and which wait.
#[derive(Default)]
pub(super) struct Pace {
    sent: VecDeque<i64>,
    waiting: VecDeque<String>,
}

impl Pace {
    /// A new connection has a limit of its own.
    pub(super) fn reset(&mut self) {
        self.sent.clear();
    }

    /// Whether one frame may be sent now; counts it if so.
    pub(super) fn take(&mut self, now: i64) -> bool {
        self.take_below(now, MOST)
    }

    /// Lets a frame wait for its turn.
    pub(super) fn queue(&mut self, text: String) {
        if self.waiting.len() >= LONGEST_QUEUE {
            self.waiting.pop_front();
        }
        self.waiting.push_back(text);
    }

    /// The waiting frames whose turn it is.
    pub(super) fn due(&mut self, now: i64) -> Vec<String> {
        let mut due = Vec::new();
        while !self.waiting.is_empty() && self.take_below(now, MOST_QUEUED) {
            due.extend(self.waiting.pop_front());
        }
        due
    }

    /// When the next waiting frame has its turn.
    pub(super) fn next(&self) -> Option<i64> {
        let oldest = self.sent.front()?;
        (!self.waiting.is_empty()).then(|| oldest.saturating_add(WINDOW_MS))
    }

    fn take_below(&mut self, now: i64, most: usize) -> bool {
        while self.sent.front().is_some_and(|sent| now.saturating_sub(*sent) >= WINDOW_MS) {
            self.sent.pop_front();
        }
        let free = self.sent.len() < most;
        if free {
            self.sent.push_back(now);
        }
        free
    }
}
