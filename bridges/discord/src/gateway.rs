//! One connection to Discord's gateway
//! ([docs](https://docs.discord.com/developers/events/gateway)), as a machine without a clock and
//! without a socket.
//!
//! Whoever drives it calls [`Gateway::step`] with what happened, the time and a random number, does
//! the [`Action`]s in order, and calls it with [`Input::Wake`] when [`Gateway::deadline`] has come.
//! What must survive is [`Saved`]: it goes into storage with each frame, in one transaction.
//!
//! - It resumes whenever there is a session, and identifies only with a budget that was just read:
//!   who identifies too often loses the token.
//! - It closes with a code that keeps the session (not 1000, not 1001).
//! - After a fatal close code it never connects again: a new token makes a new machine.
//!
//! Open `frame.rs` for the wire, `close.rs` for the close codes, `pace.rs` for the send limit.

mod close;
mod frame;
mod pace;

pub use close::Fatal;
pub use frame::{Event, read_frame};

use frame::{Frame, Ready};
use pace::Pace;
use serde::{Deserialize, Serialize};

/// The close code that we send: the session stays, and we resume it.
const RECONNECTING: u16 = 4000;
/// How long a connection may take until its hello.
const HELLO_MS: i64 = 20_000;
/// How long Discord may take to answer an identify or a resume.
const ANSWER_MS: i64 = 60_000;
/// How long the answer to [`Action::AskBudget`] may take, and how long it is worth something.
const BUDGET_MS: i64 = 60_000;
/// Identifies that are left alone, for a person's own tests with the same token.
const RESERVE: u32 = 10;
/// The longest back-off.
const LONGEST_WAIT_MS: i64 = 60_000;
/// Failures in a row after which the session's own address is given up for the general one.
const ADDRESS_FAILURES: u32 = 4;
/// The shortest heartbeat interval that is believed.
const SHORTEST_BEAT_MS: i64 = 1_000;
/// The longest: an alarm must come more often than the object is evicted.
const LONGEST_BEAT_MS: i64 = 60_000;

/// What the bot is and wants.
#[derive(Clone)]
pub struct Bot {
    /// The token.
    pub token: String,
    /// Which events are wanted, as Discord's bits.
    pub intents: u64,
    /// The gateway's general address, like `wss://gateway.discord.gg`.
    pub address: String,
}

/// A session that can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Where it is resumed.
    pub resume_url: String,
    /// The last sequence number that was handed out to be stored.
    pub seq: u64,
}

/// What must survive an eviction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The session, if there is one.
    pub session: Option<Session>,
    /// Failures in a row.
    pub failures: u32,
    /// Not before this moment, in milliseconds since the epoch.
    pub not_before: i64,
    /// Why there will be no connection any more.
    pub fatal: Option<Fatal>,
}

/// What `GET /gateway/bot` says
/// ([docs](https://docs.discord.com/developers/events/gateway#session-start-limit-object)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The gateway's address.
    pub url: String,
    /// How many identifies are left.
    pub remaining: u32,
    /// After how many milliseconds there are more.
    pub reset_after: i64,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The alarm rang, or the object was woken.
    Wake,
    /// The socket is open.
    Opened,
    /// A text frame came.
    Frame(&'a str),
    /// The socket is closed, or could not be opened.
    Closed(Option<u16>),
    /// The answer to [`Action::AskBudget`]; `None` when there was none.
    Budget(Option<Budget>),
    /// Something to be sent when the limit lets it: a whole payload.
    Send(String),
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a socket.
    Connect(String),
    /// Send this text.
    Send(String),
    /// Close the socket with this code. It counts as closed at once.
    Close(u16),
    /// Ask the LoginObject for `GET /gateway/bot`, and give the answer as [`Input::Budget`].
    AskBudget,
    /// Store the event and [`Gateway::saved`] in one transaction, before anything later.
    Store(Event),
    /// Store [`Gateway::saved`].
    Save,
    /// The bot is online: tell the LoginObject.
    Online,
    /// Tell the owner: there will be no connection until something is changed.
    Stop(Fatal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    /// No socket, and nothing is asked.
    Down,
    /// No socket; the budget was asked for, to give up at this moment.
    Asking { until: i64 },
    /// A socket without a hello yet.
    Opening { until: i64, open: bool },
    /// Greeted: heartbeats go.
    Up(Beat),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Beat {
    interval: i64,
    next: i64,
    acknowledged: bool,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Identify or resume was sent.
    Waiting { until: i64 },
    /// The session was refused: ask for the budget then.
    Refused { ask_at: i64 },
    /// The budget was asked for while the socket stays open.
    Asking { until: i64 },
    /// READY or RESUMED came.
    Online,
}

/// One connection.
pub struct Gateway {
    bot: Bot,
    saved: Saved,
    link: Link,
    /// One identify is allowed until this moment.
    grant: Option<i64>,
    pace: Pace,
}

/// What a step rests on.
#[derive(Clone, Copy)]
struct Moment {
    now: i64,
    roll: u32,
}

impl Moment {
    /// A random part of a duration.
    fn part_of(self, duration: i64) -> i64 {
        let part = i128::from(duration).saturating_mul(i128::from(self.roll)) / i128::from(u32::MAX);
        i64::try_from(part).unwrap_or(duration)
    }

    fn after(self, duration: i64) -> i64 {
        self.now.saturating_add(duration)
    }
}

impl Gateway {
    /// A machine that goes on where `saved` ends.
    #[must_use]
    pub fn new(bot: Bot, saved: Saved) -> Self {
        Self { bot, saved, link: Link::Down, grant: None, pace: Pace::default() }
    }

    /// What must survive now.
    #[must_use]
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Whether READY or RESUMED came and nothing ended that.
    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(&self.link, Link::Up(Beat { stage: Stage::Online, .. }))
    }

    /// When to call with [`Input::Wake`]; `None` only when there is nothing to do for ever.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        if self.saved.fatal.is_some() {
            return None;
        }
        let link = match &self.link {
            Link::Down => self.saved.not_before,
            Link::Asking { until } | Link::Opening { until, .. } => *until,
            Link::Up(beat) => match beat.stage {
                Stage::Waiting { until } | Stage::Asking { until } => beat.next.min(until),
                Stage::Refused { ask_at } => beat.next.min(ask_at),
                Stage::Online => beat.next,
            },
        };
        Some(self.pace.next().map_or(link, |next| link.min(next)))
    }

    /// Takes one input. `roll` is a fresh random number.
    pub fn step(&mut self, now: i64, roll: u32, input: Input<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.saved.fatal.is_some() {
            return actions;
        }
        let moment = Moment { now, roll };
        match input {
            Input::Wake => self.wake(moment, &mut actions),
            Input::Opened => {
                if let Link::Opening { open, .. } = &mut self.link {
                    *open = true;
                }
            }
            Input::Frame(text) => self.frame(moment, text, &mut actions),
            Input::Closed(code) => self.closed(moment, code, &mut actions),
            Input::Budget(budget) => self.budget(moment, budget, &mut actions),
            Input::Send(text) => self.pace.queue(text),
        }
        if self.is_online() {
            actions.extend(self.pace.due(now).into_iter().map(Action::Send));
        }
        actions
    }

    fn wake(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        match &mut self.link {
            Link::Down if moment.now >= self.saved.not_before => self.connect(moment, actions),
            Link::Asking { until } if moment.now >= *until => self.fail(moment, actions),
            Link::Opening { until, .. } if moment.now >= *until => {
                actions.push(Action::Close(RECONNECTING));
                self.fail(moment, actions);
            }
            Link::Up(_) => self.beat(moment, actions),
            _ => {}
        }
    }

    /// Opens a socket to resume, or asks whether an identify is allowed.
    fn connect(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        match &self.saved.session {
            Some(session) => {
                let address =
                    if self.saved.failures < ADDRESS_FAILURES { &session.resume_url } else { &self.bot.address };
                actions.push(Action::Connect(with_version(address)));
                self.link = Link::Opening { until: moment.after(HELLO_MS), open: false };
            }
            None => {
                actions.push(Action::AskBudget);
                self.link = Link::Asking { until: moment.after(BUDGET_MS) };
            }
        }
    }

    fn budget(&mut self, moment: Moment, budget: Option<Budget>, actions: &mut Vec<Action>) {
        let asked = matches!(&self.link, Link::Asking { .. } | Link::Up(Beat { stage: Stage::Asking { .. }, .. }));
        if !asked {
            return;
        }
        let Some(budget) = budget else {
            self.hang_up(moment, actions);
            return;
        };
        if budget.remaining <= RESERVE {
            self.hang_up(moment, actions);
            let wait = budget.reset_after.clamp(LONGEST_WAIT_MS, 86_400_000);
            self.saved.not_before = self.saved.not_before.max(moment.after(wait));
            return;
        }
        self.grant = Some(moment.after(BUDGET_MS));
        if matches!(self.link, Link::Up(_)) {
            self.greet(moment, actions);
        } else {
            let address = if budget.url.starts_with("ws") { &budget.url } else { &self.bot.address };
            actions.push(Action::Connect(with_version(address)));
            self.link = Link::Opening { until: moment.after(HELLO_MS), open: false };
        }
    }

    /// Closes the socket, if there is one, and tries again later.
    fn hang_up(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        if matches!(self.link, Link::Opening { .. } | Link::Up(_)) {
            actions.push(Action::Close(RECONNECTING));
        }
        self.fail(moment, actions);
    }

    /// Counts a failure and waits: 1 s, 2 s, 4 s … up to a minute, of which a random half.
    fn fail(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        let wait = 1_000_i64.checked_shl(self.saved.failures).unwrap_or(LONGEST_WAIT_MS).clamp(1_000, LONGEST_WAIT_MS);
        self.saved.failures = self.saved.failures.saturating_add(1).min(16);
        self.down(moment.after(wait / 2 + moment.part_of(wait / 2)), actions);
    }

    fn down(&mut self, not_before: i64, actions: &mut Vec<Action>) {
        self.link = Link::Down;
        self.grant = None;
        self.saved.not_before = not_before;
        actions.push(Action::Save);
    }

    fn closed(&mut self, moment: Moment, code: Option<u16>, actions: &mut Vec<Action>) {
        // A socket that was closed by us already, or never opened.
        if !matches!(self.link, Link::Opening { .. } | Link::Up(_)) {
            return;
        }
        if let Some(fatal) = code.and_then(Fatal::of) {
            self.saved.fatal = Some(fatal);
            self.down(moment.now, actions);
            actions.push(Action::Stop(fatal));
            return;
        }
        if code.is_some_and(close::ends_session) {
            self.saved.session = None;
        }
        self.fail(moment, actions);
    }

    fn frame(&mut self, moment: Moment, text: &str, actions: &mut Vec<Action>) {
        if matches!(self.link, Link::Down | Link::Asking { .. }) {
            return;
        }
        match read_frame(text) {
            Frame::Hello { interval } => self.hello(moment, interval, actions),
            Frame::HeartbeatRequest => self.heartbeat(moment, actions),
            Frame::HeartbeatAck => {
                if let Link::Up(beat) = &mut self.link {
                    beat.acknowledged = true;
                }
            }
            Frame::Reconnect => {
                actions.push(Action::Close(RECONNECTING));
                self.down(moment.now, actions);
                self.connect(moment, actions);
            }
            Frame::InvalidSession { resumable } => self.invalid(moment, resumable, actions),
            Frame::Dispatch { event, ready } => self.dispatch(event, ready, actions),
            Frame::Other => tracing::debug!("A gateway frame of a kind that means nothing to us"),
            Frame::Malformed => tracing::warn!("A gateway frame cannot be read"),
        }
    }

    fn hello(&mut self, moment: Moment, interval: i64, actions: &mut Vec<Action>) {
        if !matches!(self.link, Link::Opening { .. }) {
            return;
        }
        let interval = interval.clamp(SHORTEST_BEAT_MS, LONGEST_BEAT_MS);
        self.pace.reset();
        self.link = Link::Up(Beat {
            interval,
            next: moment.after(moment.part_of(interval)),
            acknowledged: true,
            stage: Stage::Waiting { until: moment.after(ANSWER_MS) },
        });
        self.greet(moment, actions);
    }

    /// Resumes, or identifies if that is allowed, or sees to it that it will be.
    fn greet(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        let Link::Up(beat) = &mut self.link else { return };
        let text = match &self.saved.session {
            Some(session) => frame::resume(&self.bot.token, session),
            None => match self.grant.take() {
                Some(until) if moment.now < until => frame::identify(&self.bot),
                _ => {
                    actions.push(Action::AskBudget);
                    beat.stage = Stage::Asking { until: moment.after(BUDGET_MS) };
                    return;
                }
            },
        };
        if self.pace.take(moment.now) {
            beat.stage = Stage::Waiting { until: moment.after(ANSWER_MS) };
            actions.push(Action::Send(text));
        } else {
            self.hang_up(moment, actions);
        }
    }

    /// What an alarm does while the connection stands.
    fn beat(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        let Link::Up(beat) = &mut self.link else { return };
        match beat.stage {
            Stage::Waiting { until } | Stage::Asking { until } if moment.now >= until => {
                return self.hang_up(moment, actions);
            }
            Stage::Refused { ask_at } if moment.now >= ask_at => {
                // Resumable or not was decided when it was refused.
                self.greet(moment, actions);
            }
            _ => {}
        }
        let Link::Up(beat) = &mut self.link else { return };
        if moment.now < beat.next {
            return;
        }
        if !beat.acknowledged {
            // Nobody is there any more. The session is.
            return self.hang_up(moment, actions);
        }
        beat.next = moment.after(beat.interval);
        beat.acknowledged = false;
        self.heartbeat(moment, actions);
    }

    fn heartbeat(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        if matches!(self.link, Link::Up(_)) && self.pace.take(moment.now) {
            let seq = self.saved.session.as_ref().map(|session| session.seq);
            actions.push(Action::Send(frame::heartbeat(seq)));
        }
    }

    fn invalid(&mut self, moment: Moment, resumable: bool, actions: &mut Vec<Action>) {
        if !resumable {
            self.saved.session = None;
            actions.push(Action::Save);
        }
        let Link::Up(beat) = &mut self.link else { return };
        // One to five seconds, as the documentation asks for.
        beat.stage = Stage::Refused { ask_at: moment.after(1_000 + moment.part_of(4_000)) };
    }

    fn dispatch(&mut self, event: Event, ready: Option<Ready>, actions: &mut Vec<Action>) {
        let Link::Up(beat) = &mut self.link else { return };
        let greeted = event.name == "READY" || event.name == "RESUMED";
        if let Some(ready) = ready {
            let resume_url = ready.resume_url.unwrap_or_else(|| self.bot.address.clone());
            self.saved.session = Some(Session { id: ready.session_id, resume_url, seq: event.seq });
        }
        if greeted {
            beat.stage = Stage::Online;
            self.saved.failures = 0;
        }
        if let Some(session) = &mut self.saved.session {
            session.seq = session.seq.max(event.seq);
        }
        actions.push(Action::Store(event));
        if greeted {
            actions.push(Action::Online);
        }
    }
}

/// An address with version and encoding, whatever it had.
fn with_version(address: &str) -> String {
    let bare = address.split('?').next().unwrap_or(address).trim_end_matches('/');
    format!("{bare}/?v=10&encoding=json")
}

#[cfg(test)]
mod tests;
