//! A server with the bridge, its Discord, and the connection between them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use ed25519_dalek::{Signer as _, SigningKey};
use hubbub_appservice::object::AppserviceObject;
use hubbub_bridge::contract::{Bridged, Finished, ListenCommand, LoginCommand, LoginStatus, Secret, Started};
use hubbub_core::{
    contract::{Address, Class},
    error::MatrixError,
};
use hubbub_discord::{GatewayObject, LoginObject, PortalObject};
use hubbub_native::{
    Client, Options, TestServer,
    host::{Factory, Shell, factory},
};
use ruma::{UserId, server_name};
use serde_json::{Value as Json, json};

use crate::{
    discord::{BOT, FakeDiscord, TOKEN},
    guilds::{ALICE, CHAT},
    line::{Line, ToLine},
};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> String {
    hex(key().verifying_key().as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct World {
    pub server: TestServer,
    pub discord: Rc<FakeDiscord>,
    pub alice: Client,
    login_id: String,
    pub line: Rc<Line>,
    hook_path: RefCell<String>,
    commands: Cell<usize>,
}

fn appservice() -> Factory {
    Box::new(|name, database, context| {
        let bridge = Rc::new(hubbub_discord::bridge(Rc::clone(&context)));
        Ok(Rc::new(Shell(AppserviceObject::with_bridge(name, database, context, bridge))))
    })
}

fn gateway(line: &Rc<Line>) -> Factory {
    let sockets = Rc::new(ToLine(Rc::clone(line)));
    Box::new(move |name, database, context| {
        Ok(Rc::new(Shell(GatewayObject::with_sockets(name, database, context, sockets.clone()))))
    })
}

impl World {
    /// A server on which alice's bot is connected and online.
    pub fn connected(seed: u64) -> Self {
        let builtin = hubbub_bridge::matrix::builtin(&hubbub_discord::FACTS, server_name!("hub.example"));
        let discord = Rc::new(FakeDiscord::default());
        discord.identifies_left.set(900);
        let line = Line::new(Rc::clone(&discord));
        let server = TestServer::with(Options {
            seed,
            builtins: vec![builtin],
            factories: vec![
                (Class::Login, factory::<LoginObject>()),
                (Class::Portal, factory::<PortalObject>()),
                (Class::Appservice, appservice()),
                (Class::Gateway, gateway(&line)),
            ],
            ..Options::default()
        });
        let login_id = "D".repeat(24);
        line.run_on(server.clone(), Address::new(Class::Gateway, login_id.as_str()));
        discord.set_clock(server.now());
        let (answering, clock) = (Rc::clone(&discord), server.clone());
        server.http().answer_by(move |request| {
            answering.set_clock(clock.now());
            answering.answer(&request)
        });
        let context = Rc::clone(server.context());
        server.run(async move { hubbub_discord::bridge(context).prepare().await }).unwrap();
        let alice = server.account("alice");
        let world =
            Self { server, discord, alice, login_id, line, hook_path: RefCell::default(), commands: Cell::default() };
        let owner = UserId::parse(&world.alice.user_id).unwrap();
        let started: Started = world.ask(LoginCommand::Start { owner });
        let path = started.hook_url.find("/_hubbub/").unwrap();
        *world.hook_path.borrow_mut() = started.hook_url[path..].to_owned();
        let finished: Finished = world.ask(LoginCommand::Finish {
            signing_secret: Secret(public_key()),
            token: Secret(TOKEN.to_owned()),
            link: None,
        });
        assert_eq!(finished.user, BOT);
        world.ask::<()>(LoginCommand::SetPace { per_second: 50 });
        world.server.settle();
        world.listen();
        world
    }

    /// Discord asks the login's hook; the answer's status and body.
    pub fn hook(&self, body: &Json) -> (u16, Json) {
        self.hook_signed_by(&key(), body)
    }

    /// As [`Self::hook`], by somebody who is not Discord.
    pub fn forged_hook(&self, body: &Json) -> (u16, Json) {
        self.hook_signed_by(&SigningKey::from_bytes(&[8; 32]), body)
    }

    fn hook_signed_by(&self, key: &SigningKey, body: &Json) -> (u16, Json) {
        let (timestamp, body) = ((self.server.now() / 1_000).to_string(), body.to_string());
        let signature = hex(&key.sign(format!("{timestamp}{body}").as_bytes()).to_bytes());
        let request = http::Request::post(self.hook_path.borrow().as_str())
            .header("x-signature-ed25519", signature)
            .header("x-signature-timestamp", timestamp)
            .body(body.into_bytes())
            .unwrap();
        let context = Rc::clone(self.server.context());
        let answer =
            self.server.run(async move { hubbub_discord::bridge(context).handle_http(request).await }).unwrap();
        self.server.settle();
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// What the bot answers to alice's command.
    pub fn manage(&self, command: &str) -> String {
        self.manage_as(&self.alice, command)
    }

    /// What the bot answers to somebody's command.
    pub fn manage_as(&self, user: &Client, command: &str) -> String {
        let room = self.management_room(user);
        // Whoever types takes a moment.
        self.server.advance(1_000);
        let number = self.commands.replace(self.commands.get() + 1);
        let content = json!({ "msgtype": "m.text", "body": command });
        user.put(["rooms", &room, "send", "m.room.message", &format!("command-{number}")], &content).ok();
        self.server.settle();
        self.bot_said(user, &room)
    }

    /// What the bot said last in alice's room with it.
    pub fn last_managed(&self) -> String {
        self.bot_said(&self.alice, &self.management_room(&self.alice))
    }

    fn bot_said(&self, user: &Client, room: &str) -> String {
        let timeline = user.query(["rooms", room, "messages"], &[("dir", "b"), ("limit", "100")]).ok();
        let events = timeline["chunk"].as_array().unwrap();
        let said = |event: &&Json| event["sender"] == "@discordbot:hub.example" && event["type"] == "m.room.message";
        events.iter().find(said).unwrap()["content"]["body"].as_str().unwrap().to_owned()
    }

    fn management_room(&self, user: &Client) -> String {
        let name = user.user_id.strip_prefix('@').and_then(|user| user.split_once(':')).unwrap().0;
        let alias = format!("#_discord_management_{name}:hub.example");
        let found = user.get(["directory", "room", &alias]);
        if found.status == 200 {
            return found.ok()["room_id"].as_str().unwrap().to_owned();
        }
        let body = json!({ "preset": "private_chat", "is_direct": true, "invite": ["@discordbot:hub.example"] });
        let room = user.post(["createRoom"], &body).ok()["room_id"].as_str().unwrap().to_owned();
        self.server.settle();
        room
    }

    /// Somebody else connects the same bot.
    pub fn start_for(&self, user: &Client) -> Result<Finished, MatrixError> {
        let address = Address::new(Class::Login, "E".repeat(24));
        let owner = UserId::parse(&user.user_id).unwrap();
        let _: Started = self.server.call(address.clone(), LoginCommand::Start { owner }).unwrap();
        let finish =
            LoginCommand::Finish { signing_secret: Secret(public_key()), token: Secret(TOKEN.to_owned()), link: None };
        self.server.call(address, finish)
    }

    pub fn ask<R: serde::de::DeserializeOwned + 'static>(&self, command: LoginCommand) -> R {
        self.server.call(self.login_address(), command).unwrap()
    }

    pub fn login_address(&self) -> Address {
        Address::new(Class::Login, self.login_id.as_str())
    }

    pub fn portal_address(&self) -> Address {
        Address::new(Class::Portal, self.status()["portals"][0]["portal_id"].as_str().unwrap())
    }

    pub fn status(&self) -> Json {
        let status: LoginStatus = self.ask(LoginCommand::Status);
        serde_json::to_value(status).unwrap()
    }

    pub fn identifies(&self) -> usize {
        self.line.count(2)
    }

    pub fn gateway_address(&self) -> Address {
        Address::new(Class::Gateway, self.login_id.as_str())
    }

    pub fn try_bridge(&self, channel: &str) -> Result<String, MatrixError> {
        let command = LoginCommand::Bridge { channel: channel.to_owned() };
        let bridged: Result<Bridged, MatrixError> = self.server.call(self.login_address(), command);
        self.server.settle();
        bridged.map(|bridged| bridged.room_id.to_string())
    }

    /// Alice says at Discord who she is.
    pub fn link(&self) {
        let reply = self.manage("link");
        let code = &reply[reply.find("/link ").unwrap() + 6..][..9];
        let author = json!({ "id": ALICE, "username": "alice", "global_name": "Alice D." });
        self.discord.says_in(CHAT, author, code);
        self.listen();
        self.listen();
        assert_eq!(self.status()["person"], "Alice D.");
    }

    /// How many rooms alice is in.
    pub fn joined_rooms(&self) -> usize {
        self.alice.get(["joined_rooms"]).ok()["joined_rooms"].as_array().unwrap().len()
    }

    /// The space of a heading.
    pub fn space(&self, place: &str) -> String {
        let alias = format!("#_discord_space_{}_{place}:hub.example", self.login_id);
        self.alice.get(["directory", "room", &alias]).ok()["room_id"].as_str().unwrap().to_owned()
    }

    /// A room as a space lists it; `None` when it does not.
    pub fn child(&self, space: &str, room: &str) -> Option<Json> {
        let found = self.alice.get(["rooms", space, "state", "m.space.child", room]);
        (found.status == 200).then(|| found.ok()).filter(|child| child["via"].is_array())
    }

    pub fn bridge(&self, channel: &str) -> String {
        let bridged: Bridged = self.ask(LoginCommand::Bridge { channel: channel.to_owned() });
        self.server.settle();
        bridged.room_id.to_string()
    }

    /// Takes everything that Discord has to tell; opens the connection anew if its object died.
    pub fn listen(&self) {
        self.server.call::<()>(self.gateway_address(), ListenCommand::Poke).unwrap();
        self.line.pump();
        self.server.settle();
    }

    /// The connection is gone, and what it knew.
    pub fn hang_up(&self) {
        self.line.cut();
        self.server.crash(&self.gateway_address());
    }

    /// Discord tells the session's events again from this number on, when it is resumed.
    pub fn replay_from(&self, seq: usize) {
        self.line.replay_from(seq);
    }

    /// Discord tells something.
    pub fn tell(&self, name: &str, data: Json) {
        self.discord.events.borrow_mut().push((name.to_owned(), data));
        self.listen();
    }

    pub fn send(&self, room: &str, transaction: &str, body: &str) {
        let content = json!({ "msgtype": "m.text", "body": body });
        self.alice.put(["rooms", room, "send", "m.room.message", transaction], &content).ok();
        self.server.settle();
    }

    pub fn state(&self, room: &str, kind: &str, state_key: &str) -> Json {
        self.alice.get(["rooms", room, "state", kind, state_key]).ok()
    }

    pub fn event(&self, room: &str, event_id: &str) -> Json {
        self.alice.get(["rooms", room, "event", event_id]).ok()
    }

    /// The last event of a room.
    pub fn last(&self, room: &str) -> String {
        let last = self.alice.sync(None).timeline(room).pop().unwrap();
        last["event_id"].as_str().unwrap().to_owned()
    }

    /// Now, as Discord writes it.
    pub fn timestamp(&self) -> String {
        jiff::Timestamp::from_millisecond(self.server.now()).unwrap().to_string()
    }

    /// Everything that was said in a room, oldest first, as (sender, body).
    pub fn said(&self, room: &str) -> Vec<(String, String)> {
        let page = self.alice.query(["rooms", room, "messages"], &[("dir", "b"), ("limit", "100")]).ok();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let messages = page["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message");
        // What was taken back says nothing.
        let messages = messages.filter(|event| event["content"]["body"].is_string());
        let mut said: Vec<_> =
            messages.map(|event| (text(&event["sender"]), text(&event["content"]["body"]))).collect();
        said.reverse();
        said
    }

    pub fn bodies(&self, room: &str) -> Vec<String> {
        self.said(room).into_iter().map(|(_, body)| body).collect()
    }
}
