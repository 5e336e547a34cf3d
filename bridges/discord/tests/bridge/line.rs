//! Discord's gateway as a scripted socket: it greets, answers what it is sent, and tells the session's events.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use hubbub_core::contract::Address;
use hubbub_discord::socket::{Ear, Socket, Sockets, Told};
use hubbub_native::TestServer;
use serde_json::{Value as Json, json};

use crate::discord::{APPLICATION, BOT, FakeDiscord, TOKEN};

const SESSION: &str = "session-1";

/// The gateway.
pub struct Line {
    discord: Rc<FakeDiscord>,
    /// The server, and the object whose sockets these are.
    host: OnceCell<(TestServer, Address)>,
    /// How many of Discord's events this connection has been told.
    told: Cell<usize>,
    /// Where a resume replays from, whatever it asks for.
    replay_from: Cell<Option<usize>>,
    number: Cell<usize>,
    live: RefCell<Option<Live>>,
    /// Everything that was sent: the opcodes.
    pub sent: RefCell<Vec<u64>>,
    /// The addresses that were called.
    pub called: RefCell<Vec<String>>,
    /// The code with which the client closed last.
    pub closed_with: Cell<u16>,
    /// Whether heartbeats get no answer.
    pub mute: Cell<bool>,
    /// Whether the session is not known any more.
    pub forgotten: Cell<bool>,
}

struct Live {
    number: usize,
    ear: Rc<dyn Ear>,
    queue: VecDeque<Told>,
    busy: bool,
    online: bool,
}

/// What the object holds.
struct Handle {
    line: Rc<Line>,
    number: usize,
}

/// The sockets that all end here.
pub struct ToLine(pub Rc<Line>);

impl Line {
    pub fn new(discord: Rc<FakeDiscord>) -> Rc<Self> {
        Rc::new(Self {
            discord,
            host: OnceCell::new(),
            told: Cell::default(),
            replay_from: Cell::default(),
            number: Cell::default(),
            live: RefCell::default(),
            sent: RefCell::default(),
            called: RefCell::default(),
            closed_with: Cell::default(),
            mute: Cell::default(),
            forgotten: Cell::default(),
        })
    }

    pub fn run_on(&self, server: TestServer, owner: Address) {
        assert!(self.host.set((server, owner)).is_ok());
    }

    pub fn count(&self, op: u64) -> usize {
        self.sent.borrow().iter().filter(|sent| **sent == op).count()
    }

    pub fn is_online(&self) -> bool {
        self.live.borrow().as_ref().is_some_and(|live| live.online)
    }

    /// The next resume replays from this number on.
    pub fn replay_from(&self, seq: usize) {
        self.replay_from.set(Some(seq));
    }

    /// The socket is gone without a word.
    pub fn cut(&self) {
        self.live.borrow_mut().take();
    }

    /// Discord closes, with a code.
    pub fn close(self: &Rc<Self>, code: u16) {
        self.put(Told::Closed(Some(code)));
    }

    /// Discord says something that is no event.
    pub fn say(self: &Rc<Self>, op: u64, data: Json) {
        self.put(Told::Text(json!({ "op": op, "d": data, "s": null, "t": null }).to_string()));
    }

    /// Tells what happened since.
    pub fn pump(self: &Rc<Self>) {
        while self.is_online() {
            let told = self.told.get();
            let Some((name, data)) = self.discord.events.borrow().get(told).cloned() else { break };
            self.told.set(told + 1);
            self.put(Told::Text(json!({ "op": 0, "s": told + 1, "t": name, "d": data }).to_string()));
        }
    }

    fn put(self: &Rc<Self>, told: Told) {
        if let Some(live) = self.live.borrow_mut().as_mut() {
            live.queue.push_back(told);
        }
        self.deliver();
    }

    /// One after the other, each when the one before is done with.
    fn deliver(self: &Rc<Self>) {
        let (ear, told, number) = {
            let mut live = self.live.borrow_mut();
            let Some(live) = live.as_mut().filter(|live| !live.busy) else { return };
            let Some(told) = live.queue.pop_front() else { return };
            live.busy = true;
            (Rc::clone(&live.ear), told, live.number)
        };
        let (server, owner) = self.host.get().unwrap();
        let line = Rc::clone(self);
        server.scheduler().spawn(Some(owner.clone()), async move {
            let over = matches!(told, Told::Closed(_));
            ear.heard(told).await;
            {
                let mut live = line.live.borrow_mut();
                let Some(current) = live.as_mut().filter(|live| live.number == number) else { return };
                current.busy = false;
                if over {
                    live.take();
                }
            }
            line.deliver();
        });
    }

    fn answer(self: &Rc<Self>, sent: &Json) {
        let op = sent["op"].as_u64().unwrap();
        self.sent.borrow_mut().push(op);
        match op {
            1 if !self.mute.get() => self.say(11, Json::Null),
            1 => {}
            2 => {
                assert_eq!(sent["d"]["token"], TOKEN);
                self.forgotten.set(false);
                // A session of its own begins with READY.
                self.discord.events.borrow_mut().clear();
                self.told.set(0);
                let ready = json!({
                    "session_id": format!("{SESSION}-{}", self.count(2)), "resume_gateway_url": "wss://discord.example/resume",
                    "guilds": [], "user": { "id": BOT, "username": "hub", "bot": true }, "application": { "id": APPLICATION },
                });
                self.discord.events.borrow_mut().push(("READY".to_owned(), ready));
                self.go_online();
            }
            6 if self.forgotten.get() => self.say(9, json!(false)),
            6 => {
                let seq = usize::try_from(sent["d"]["seq"].as_u64().unwrap()).unwrap();
                self.told.set(self.replay_from.take().map_or(seq, |from| from - 1));
                self.discord.events.borrow_mut().push(("RESUMED".to_owned(), json!({})));
                self.go_online();
            }
            op => panic!("op {op} is of no use"),
        }
    }

    fn go_online(self: &Rc<Self>) {
        if let Some(live) = self.live.borrow_mut().as_mut() {
            live.online = true;
        }
        self.pump();
    }
}

impl Sockets for ToLine {
    fn open(&self, url: &str, ear: Rc<dyn Ear>) -> Rc<dyn Socket> {
        let line = Rc::clone(&self.0);
        line.called.borrow_mut().push(url.to_owned());
        let number = line.number.get() + 1;
        line.number.set(number);
        let hello = json!({ "op": 10, "d": { "heartbeat_interval": 41_250 } }).to_string();
        let queue = VecDeque::from([Told::Opened, Told::Text(hello)]);
        *line.live.borrow_mut() = Some(Live { number, ear, queue, busy: false, online: false });
        line.deliver();
        Rc::new(Handle { line, number })
    }
}

impl Socket for Handle {
    fn send(&self, text: &str) -> bool {
        let live = self.line.live.borrow().as_ref().is_some_and(|live| live.number == self.number);
        if live {
            self.line.answer(&serde_json::from_str(text).unwrap());
        }
        live
    }

    fn close(&self, code: u16) {
        self.line.closed_with.set(code);
        let live = self.line.live.borrow().as_ref().is_some_and(|live| live.number == self.number);
        if live {
            self.line.live.borrow_mut().take();
        }
    }
}
