//! The object that holds a login's connection to Discord's gateway, named as the login is.
//!
//! It does what [`Gateway`] decides, in order and one thing at a time, and nothing else: no call of Discord's API, no
//! file. What must survive is at the login: an event is acknowledged by nobody, so the login stores it together with how
//! far the session was heard; when that fails, this hangs up, and the session that is resumed tells it again. Its own
//! database holds the alarm only: it rings for heartbeats, and at the latest each minute, so that an eviction or a
//! deploy, which cut the socket, heal by themselves.
//!
//! Open [`gateway`](crate::gateway) for when it connects, resumes and gives up, [`socket`](crate::socket) for what the
//! platform has to bring.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use futures_util::{future::LocalBoxFuture, lock::Mutex};
use hubbub_bridge::contract::{GatewayCommand, GatewayOpening, ListenCommand, LoginCommand};
use hubbub_core::{
    context::Context,
    contract::{Address, Class, call, encode},
    error::Result,
    object::Object,
};
use hubbub_storage::database::{Database, transaction};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::{
    events::{Route, route, stored},
    gateway::{Action, Bot, Budget, Event, Gateway, Input, Saved},
    socket::{Ear, NoSockets, Socket, Sockets, Told, address_beside, is_gateway},
    text_of,
};

/// What is asked for: servers and channels, emoji, messages and reactions in servers and in chats with the bot, and what
/// the messages say ([docs](https://docs.discord.com/developers/events/gateway#gateway-intents)). Not for members, which
/// Discord has to allow each bot: how people are shown comes with their messages, and of members only the bot's own
/// changes.
pub const INTENTS: u64 = 1 | 1 << 3 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15;

/// The alarm comes at least so often, in milliseconds.
const LOOK_MS: i64 = 60_000;
/// The longest pause after the login could not be reached.
const LONGEST_PAUSE_MS: i64 = 60_000;
/// The largest event that goes to the login, in bytes.
const MOST_EVENT: usize = 1 << 20;
/// The code of a close that keeps the session.
const KEEPING: u16 = 4000;
/// The code of a close for good.
const GOODBYE: u16 = 1000;

/// The connection of one login.
pub struct GatewayObject(Rc<Line>);

struct Line {
    login: Address,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    sockets: Rc<dyn Sockets>,
    itself: Weak<Self>,
    /// Held by whoever does something.
    turn: Mutex<()>,
    run: RefCell<Option<Run>>,
    /// The socket that is listened to; what an earlier one tells is of no interest.
    socket_number: Cell<u64>,
    /// Failures in a row, and until when there is a pause because of them.
    failures: Cell<u32>,
    not_before: Cell<i64>,
    armed: Cell<i64>,
}

/// A machine at work.
struct Run {
    machine: Gateway,
    generation: i64,
    socket: Option<Rc<dyn Socket>>,
    /// Whether the session began on this connection.
    fresh: bool,
}

impl GatewayObject {
    /// An object over the platform's sockets. Writes nothing.
    pub fn with_sockets(
        name: &str,
        database: Rc<dyn Database>,
        context: Rc<Context>,
        sockets: Rc<dyn Sockets>,
    ) -> Self {
        Self(Rc::new_cyclic(|itself| Line {
            login: Address::new(Class::Login, name),
            database,
            context,
            sockets,
            itself: itself.clone(),
            turn: Mutex::default(),
            run: RefCell::default(),
            socket_number: Cell::default(),
            failures: Cell::default(),
            not_before: Cell::default(),
            armed: Cell::default(),
        }))
    }
}

impl Object for GatewayObject {
    type Command = ListenCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        Ok(Self::with_sockets(name, database, context, Rc::new(NoSockets)))
    }

    fn handle(&self, command: ListenCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let _turn = self.0.turn.lock().await;
            match command {
                ListenCommand::Start { generation } => self.0.start(generation)?,
                ListenCommand::Stop => self.0.hang_up(GOODBYE),
                ListenCommand::Poke => {}
            }
            encode(&())
        })
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(self.0.wake())
    }
}

/// An ear at one socket.
struct Receiver {
    line: Weak<Line>,
    number: u64,
}

impl Ear for Receiver {
    fn heard(&self, told: Told) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(line) = self.line.upgrade() else { return };
            let _turn = line.turn.lock().await;
            if self.number != line.socket_number.get() {
                return;
            }
            match &told {
                Told::Opened => line.step(Input::Opened).await,
                Told::Text(text) => line.step(Input::Frame(text)).await,
                Told::Closed(code) => line.step(Input::Closed(*code)).await,
            }
            line.arm();
        })
    }
}

impl Line {
    fn now(&self) -> i64 {
        self.context.clock.now()
    }

    fn start(&self, generation: i64) -> Result<()> {
        let runs = self.run.borrow().as_ref().is_some_and(|run| run.generation == generation);
        if runs {
            return Ok(());
        }
        self.hang_up(KEEPING);
        self.not_before.set(0);
        let now = self.now();
        self.armed.set(now);
        Ok(transaction(self.database.as_ref(), |transaction| transaction.set_alarm(now))?)
    }

    fn hang_up(&self, code: u16) {
        self.ignore_socket();
        if let Some(socket) = self.run.borrow_mut().take().and_then(|run| run.socket) {
            socket.close(code);
        }
    }

    fn ignore_socket(&self) {
        self.socket_number.set(self.socket_number.get().wrapping_add(1));
    }

    /// What the alarm does. Returns when it is to ring again; `None` when the login has no use for a connection.
    async fn wake(&self) -> Option<i64> {
        let _turn = self.turn.lock().await;
        if self.run.borrow().is_none() {
            if self.now() < self.not_before.get() {
                return self.next();
            }
            match self.ask::<Option<GatewayOpening>>(GatewayCommand::Open).await {
                Ok(Some(opening)) => self.begin(opening),
                Ok(None) => {
                    self.not_before.set(0);
                    return None;
                }
                Err(error) if error.status == 404 => return None,
                Err(error) => {
                    self.pause(&error);
                    return self.next();
                }
            }
        }
        self.step(Input::Wake).await;
        let next = self.next();
        self.armed.set(next.unwrap_or(0));
        next
    }

    fn begin(&self, opening: GatewayOpening) {
        let saved: Saved = opening.saved.and_then(|saved| serde_json::from_str(&saved).ok()).unwrap_or_default();
        let bot = Bot {
            token: opening.token.0,
            intents: INTENTS,
            address: address_beside(&self.context.config.discord_api_url),
        };
        *self.run.borrow_mut() =
            Some(Run { machine: Gateway::new(bot, saved), generation: opening.generation, socket: None, fresh: false });
    }

    /// When the alarm is to ring.
    fn next(&self) -> Option<i64> {
        let latest = self.now().saturating_add(LOOK_MS);
        match self.run.borrow().as_ref() {
            Some(run) => run.machine.deadline().map(|at| at.min(latest)),
            None => Some(self.not_before.get()).filter(|at| *at > 0),
        }
    }

    /// Has the alarm ring earlier, when something that came makes it necessary.
    fn arm(&self) {
        let Some(at) = self.next() else { return };
        let armed = self.armed.get();
        if armed > self.now() && armed <= at {
            return;
        }
        match transaction(self.database.as_ref(), |transaction| transaction.set_alarm(at)) {
            Ok(()) => self.armed.set(at),
            Err(error) => tracing::error!("The alarm of a connection cannot be set: {error}"),
        }
    }

    /// Gives one input to the machine and does what it wants, and what follows from that.
    async fn step(&self, input: Input<'_>) {
        let mut follow = self.act(input).await;
        while let Some(input) = follow.pop_front() {
            follow.extend(self.act(input).await);
        }
    }

    async fn act(&self, input: Input<'_>) -> VecDeque<Input<'static>> {
        let mut follow = VecDeque::new();
        let roll = u32::from_ne_bytes(self.context.random_bytes());
        let now = self.now();
        let (actions, saved) = match self.run.borrow_mut().as_mut() {
            Some(run) => (run.machine.step(now, roll, input), run.machine.saved().clone()),
            None => return follow,
        };
        // An eviction between what was saved and what was to be told.
        let actions = match saved.fatal {
            Some(fatal) if actions.is_empty() => vec![Action::Stop(fatal)],
            _ => actions,
        };
        for action in actions {
            match self.perform(action, &saved).await {
                Ok(Some(input)) => follow.push_back(input),
                Ok(None) => {}
                Err(error) => {
                    // What was not stored is told again when the session is resumed where it was.
                    self.hang_up(KEEPING);
                    self.pause(&error);
                    return VecDeque::new();
                }
            }
        }
        follow
    }

    async fn perform(&self, action: Action, saved: &Saved) -> Result<Option<Input<'static>>> {
        let Some((generation, socket)) = self.run.borrow().as_ref().map(|run| (run.generation, run.socket.clone()))
        else {
            return Ok(None);
        };
        match action {
            Action::Connect(address) => return Ok(self.connect(&address)),
            Action::Send(text) => {
                if !socket.is_some_and(|socket| socket.send(&text)) {
                    return Ok(Some(Input::Closed(None)));
                }
            }
            Action::Close(code) => {
                self.ignore_socket();
                if let Some(socket) = socket {
                    socket.close(code);
                }
            }
            Action::AskBudget => {
                let said: Option<String> = self.ask(GatewayCommand::Ask { generation }).await?;
                return Ok(Some(Input::Budget(said.as_deref().and_then(read_budget))));
            }
            Action::Store(event) => self.store(generation, &event, saved).await?,
            Action::Save => self.save(generation, saved).await?,
            Action::Online => {
                let fresh = self.run.borrow().as_ref().is_some_and(|run| run.fresh);
                self.ask::<()>(GatewayCommand::Online { generation, fresh }).await?;
            }
            Action::Stop(fatal) => {
                let why = fatal.sentence().to_owned();
                self.ask::<()>(GatewayCommand::Stop { generation, why }).await?;
                self.hang_up(KEEPING);
            }
        }
        Ok(None)
    }

    fn connect(&self, address: &str) -> Option<Input<'static>> {
        if !is_gateway(address, &self.context.config.discord_api_url) {
            tracing::warn!("An address that is no gateway of Discord's was not called");
            return Some(Input::Closed(None));
        }
        self.ignore_socket();
        let ear = Receiver { line: self.itself.clone(), number: self.socket_number.get() };
        let socket = self.sockets.open(address, Rc::new(ear));
        if let Some(run) = self.run.borrow_mut().as_mut() {
            run.socket = Some(socket);
        }
        None
    }

    /// Brings an event to the login, if anybody may have a use for it; of all others only the number counts.
    async fn store(&self, generation: i64, event: &Event, saved: &Saved) -> Result<()> {
        if matches!(event.name.as_str(), "READY" | "RESUMED") {
            if let Some(run) = self.run.borrow_mut().as_mut() {
                run.fresh = event.name == "READY";
            }
            return self.save(generation, saved).await;
        }
        if matches!(route(&event.name, &event.data), Route::Nowhere(_)) {
            return Ok(());
        }
        if event.data.len() > MOST_EVENT {
            tracing::warn!("A {} of {} bytes was left out", event.name, event.data.len());
            return Ok(());
        }
        let command = GatewayCommand::Event {
            generation,
            session: saved.session.as_ref().map(|session| session.id.clone()).unwrap_or_default(),
            seq: i64::try_from(event.seq).unwrap_or(i64::MAX),
            saved: serde_json::to_string(saved)?,
            body: stored(event, self.now()),
        };
        self.ask::<()>(command).await?;
        self.failures.set(0);
        Ok(())
    }

    async fn save(&self, generation: i64, saved: &Saved) -> Result<()> {
        self.ask::<()>(GatewayCommand::Save { generation, saved: serde_json::to_string(saved)? }).await?;
        self.failures.set(0);
        Ok(())
    }

    async fn ask<R: DeserializeOwned>(&self, command: GatewayCommand) -> Result<R> {
        call(self.context.objects.as_ref(), self.login.clone(), &LoginCommand::Gateway(command)).await
    }

    /// Waits after a failure: 1 s, 2 s, 4 s … up to a minute.
    fn pause(&self, error: &hubbub_core::error::MatrixError) {
        tracing::warn!("A connection's login did not take what it was told: {error}");
        let pause =
            1_000_i64.checked_shl(self.failures.get()).unwrap_or(LONGEST_PAUSE_MS).clamp(1_000, LONGEST_PAUSE_MS);
        self.failures.set(self.failures.get().saturating_add(1).min(16));
        self.not_before.set(self.now().saturating_add(pause));
    }
}

/// Reads the answer to `GET /gateway/bot`.
fn read_budget(said: &str) -> Option<Budget> {
    let said: Json = serde_json::from_str(said).ok()?;
    let limit = said.get("session_start_limit")?;
    Some(Budget {
        url: text_of(&said, "url")?,
        remaining: limit.get("remaining").and_then(Json::as_u64).and_then(|left| u32::try_from(left).ok())?,
        reset_after: limit.get("reset_after").and_then(Json::as_i64)?,
    })
}
