//! A server with the bridge, its Discord, and the connection between them.

use std::rc::Rc;

use hubbub_appservice::object::AppserviceObject;
use hubbub_bridge::contract::{Bridged, Finished, ListenCommand, LoginCommand, LoginStatus, Secret, Started};
use hubbub_core::contract::{Address, Class};
use hubbub_discord::{GatewayObject, LoginObject, PortalObject};
use hubbub_native::{
    Client, Options, TestServer,
    host::{Factory, Shell, factory},
};
use ruma::{UserId, server_name};
use serde_json::{Value as Json, json};

use crate::{
    discord::{BOT, FakeDiscord, TOKEN},
    line::{Line, ToLine},
};

pub struct World {
    pub server: TestServer,
    pub discord: Rc<FakeDiscord>,
    pub alice: Client,
    login_id: String,
    pub line: Rc<Line>,
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
        let world = Self { server, discord, alice, login_id, line };
        let owner = UserId::parse(&world.alice.user_id).unwrap();
        let _: Started = world.ask(LoginCommand::Start { owner });
        let finished: Finished = world.ask(LoginCommand::Finish {
            signing_secret: Secret("a".repeat(64)),
            token: Secret(TOKEN.to_owned()),
            link: None,
        });
        assert_eq!(finished.user, BOT);
        world.ask::<()>(LoginCommand::SetPace { per_second: 50 });
        world.server.settle();
        world.listen();
        world
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
