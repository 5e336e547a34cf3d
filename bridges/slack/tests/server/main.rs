//! The Slack bridge on the whole server: the same objects and API as in production, natively.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod kept;
#[path = "../bridge/log.rs"]
mod log;
#[path = "../bridge/slack.rs"]
#[expect(dead_code, reason = "the other tests use all of it")]
mod slack;

use std::rc::Rc;

use http::{Method, Request};
use hubbub_appservice::object::AppserviceObject;
use hubbub_bridge::contract::{Bridged, Finished, ListedChannel, LoginCommand, Secret, Started};
use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, Options, TestServer,
    host::{Factory, Shell, factory},
};
use hubbub_slack::{LoginObject, PortalObject};
use ruma::{UserId, server_name};
use serde_json::{Value as Json, json};
use slack::{FakeSlack, Fault, SIGNING_SECRET, TEAM, TOKEN};

/// A server with the bridge, and its workspace.
struct World {
    server: TestServer,
    slack: Rc<FakeSlack>,
    alice: Client,
    login_id: String,
    events: std::cell::Cell<u32>,
}

fn appservice() -> Factory {
    Box::new(|name, database, context| {
        let bridge = Rc::new(hubbub_slack::bridge(Rc::clone(&context)));
        Ok(Rc::new(Shell(AppserviceObject::with_bridge(name, database, context, bridge))))
    })
}

fn login<R: serde::de::DeserializeOwned + 'static>(server: &TestServer, login_id: &str, command: LoginCommand) -> R {
    server.call(Address::new(Class::Login, login_id), command).unwrap()
}

impl World {
    /// A server on which alice's account of the workspace is connected.
    fn connected(seed: u64) -> Self {
        Self::connect(TestServer::with(Self::options(seed)))
    }

    fn options(seed: u64) -> Options {
        log::start();
        let builtin = hubbub_bridge::matrix::builtin(&hubbub_slack::FACTS, server_name!("hub.example"));
        Options {
            seed,
            builtins: vec![builtin],
            factories: vec![
                (Class::Login, factory::<LoginObject>()),
                (Class::Portal, factory::<PortalObject>()),
                (Class::Appservice, appservice()),
            ],
            ..Options::default()
        }
    }

    fn slack_of(server: &TestServer) -> Rc<FakeSlack> {
        let slack = Rc::new(FakeSlack::new());
        slack.set_clock(server.now());
        let (answering, clock) = (Rc::clone(&slack), server.clone());
        server.http().answer_by(move |request| {
            answering.set_clock(clock.now());
            answering.answer(&request)
        });
        slack
    }

    fn connect(server: TestServer) -> Self {
        let slack = Self::slack_of(&server);
        let context = Rc::clone(server.context());
        server.run(async move { hubbub_slack::bridge(context).prepare().await }).unwrap();
        let alice = server.account("alice");
        let login_id = "A".repeat(24);
        let owner = UserId::parse(&alice.user_id).unwrap();
        let started: Started = login(&server, &login_id, LoginCommand::Start { owner });
        assert!(started.hook_url.starts_with("https://hub.example/"));
        let secrets = LoginCommand::Finish {
            signing_secret: Secret(SIGNING_SECRET.to_owned()),
            token: Secret(TOKEN.to_owned()),
            link: None,
        };
        let finished: Finished = login(&server, &login_id, secrets);
        assert_eq!(finished.team, TEAM);
        server.settle();
        Self { server, slack, alice, login_id, events: std::cell::Cell::new(0) }
    }

    fn bridge(&self, channel: &str) -> String {
        let command = LoginCommand::Bridge { channel: channel.to_owned() };
        let bridged: Bridged = login(&self.server, &self.login_id, command);
        self.server.settle();
        bridged.room_id.to_string()
    }

    fn hook(&self, event: &Json) -> Request<Vec<u8>> {
        self.events.set(self.events.get() + 1);
        let body = json!({
            "type": "event_callback", "team_id": TEAM, "event": event, "event_id": format!("Ev{}", self.events.get()),
            "event_time": self.server.now() / 1_000,
            "authorizations": [{ "team_id": TEAM, "user_id": "U0OWNER", "is_bot": false }],
        })
        .to_string();
        let owner = UserId::parse(&self.alice.user_id).unwrap();
        let started: Started = login(&self.server, &self.login_id, LoginCommand::Start { owner });
        let timestamp = (self.server.now() / 1_000).to_string();
        let signed = format!("v0:{timestamp}:{body}");
        let mac = hubbub_core::secrets::hmac_sha256(SIGNING_SECRET.as_bytes(), signed.as_bytes());
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        Request::post(started.hook_url.strip_prefix("https://hub.example").unwrap())
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", format!("v0={hex}"))
            .body(body.into_bytes())
            .unwrap()
    }

    fn deliver(&self, request: Request<Vec<u8>>) {
        let context = Rc::clone(self.server.context());
        let answer = self.server.run(async move { hubbub_slack::bridge(context).handle_http(request).await });
        assert_eq!(answer.unwrap().status(), 200);
    }

    fn slack_says(&self, channel: &str, user: &str, text: &str) {
        let request = self.hook(&self.slack.says(channel, user, text));
        self.deliver(request);
    }

    fn send(&self, room_id: &str, transaction: &str, content: &Json) -> String {
        let sent = self.alice.put(["rooms", room_id, "send", "m.room.message", transaction], content).ok();
        sent["event_id"].as_str().unwrap().to_owned()
    }

    fn state(&self, room_id: &str, kind: &str, state_key: &str) -> Json {
        self.alice.get(["rooms", room_id, "state", kind, state_key]).ok()
    }

    /// Everything that was said in a room, oldest first, as (sender, body).
    fn said(&self, room_id: &str) -> Vec<(String, String)> {
        let mut from = None::<String>;
        let mut said = Vec::new();
        loop {
            let mut query = vec![("dir", "b"), ("limit", "100")];
            if let Some(from) = &from {
                query.push(("from", from));
            }
            let page = self.alice.query(["rooms", room_id, "messages"], &query).ok();
            for event in page["chunk"].as_array().unwrap() {
                if event["type"] == "m.room.message" {
                    let text = |value: &Json| value.as_str().unwrap().to_owned();
                    said.push((text(&event["sender"]), text(&event["content"]["body"])));
                }
            }
            match page["end"].as_str() {
                Some(end) => from = Some(end.to_owned()),
                None => break,
            }
        }
        said.reverse();
        said
    }

    fn bodies(&self, room_id: &str) -> Vec<String> {
        self.said(room_id).into_iter().map(|(_, body)| body).collect()
    }
}

#[test]
fn a_channel_round_trip_through_the_whole_server() {
    let world = World::connected(1);
    for number in 0..5 {
        world.slack.says("C0GENERAL", "U0ANNA", &format!("before {number}"));
    }
    let room = world.bridge("#general");

    world.slack_says("C0GENERAL", "U0BEN", "hello <@U0OWNER>");
    world.slack_says("C0GENERAL", "U0OWNER", "typed at Slack");
    let event_id = world.send(&room, "1", &json!({ "msgtype": "m.text", "body": "and the answer" }));
    world.server.settle();
    for echo in world.slack.echoes.take() {
        let request = world.hook(&echo);
        world.deliver(request);
    }
    world.server.settle();

    let ghost = |user: &str| format!("@_slack_t0team_{user}:hub.example");
    let mut expected: Vec<_> = (0..5).map(|number| (ghost("u0anna"), format!("before {number}"))).collect();
    expected.push((ghost("u0ben"), "hello olga".to_owned()));
    expected.push((world.alice.user_id.clone(), "typed at Slack".to_owned()));
    expected.push((world.alice.user_id.clone(), "and the answer".to_owned()));
    assert_eq!(world.said(&room), expected);
    assert_eq!(world.slack.posted("C0GENERAL"), ["and the answer"]);
    let posted = world.slack.history.borrow()["C0GENERAL"].last().unwrap().clone();
    assert_eq!(posted["metadata"]["event_payload"]["t"], event_id.as_str());
    assert_eq!(world.state(&room, "m.room.name", "")["name"], "general");
    assert_eq!(world.state(&room, "m.room.member", &ghost("u0ben"))["displayname"], "Ben");
}

#[test]
fn the_room_is_unfederated_in_a_space_and_cannot_be_made_deaf() {
    let world = World::connected(2);
    let room = world.bridge("#general");

    assert_eq!(world.state(&room, "m.room.create", "")["m.federate"], false);
    let alias = format!("#_slack_space_{}:hub.example", world.login_id);
    let space = world.alice.get(["directory", "room", &alias]).ok();
    let space = space["room_id"].as_str().unwrap();
    assert_eq!(world.state(space, "m.room.create", "")["type"], "m.space");
    assert_eq!(world.state(space, "m.space.child", &room)["via"], json!(["hub.example"]));
    assert_eq!(world.state(&room, "m.space.parent", space)["via"], json!(["hub.example"]));
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    for (kind, content) in [
        ("m.room.encryption", encryption),
        ("m.room.tombstone", json!({ "body": "x", "replacement_room": "!x:hub.example" })),
        ("m.room.server_acl", json!({ "deny": ["*"] })),
    ] {
        let refused = world.alice.put(["rooms", &room, "state", kind, ""], &content).refused(403, "M_FORBIDDEN");
        assert!(!refused["error"].as_str().unwrap().is_empty(), "{kind}");
    }
    world.alice.put(["rooms", &room, "state", "m.room.name", ""], &json!({ "name": "mine" })).ok();
}

#[test]
fn files_go_through_this_servers_media_both_ways() {
    let world = World::connected(12);
    let room = world.bridge("#general");
    let object = json!({ "name": "cat.png", "mimetype": "image/png" });
    let request = world.hook(&world.slack.posts_file("C0GENERAL", "U0ANNA", "look", object, b"from Slack"));
    world.deliver(request);
    world.server.settle();

    let timeline = world.alice.query(["rooms", &room, "messages"], &[("dir", "b"), ("limit", "1")]).ok();
    let content = &timeline["chunk"][0]["content"];
    assert_eq!((&content["msgtype"], &content["filename"]), (&json!("m.image"), &json!("cat.png")));
    let path = content["url"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let file = world.alice.ask(Method::GET, &format!("/_matrix/client/v1/media/download/{path}"), None);
    assert_eq!((file.status, file.body.as_slice()), (200, &b"from Slack"[..]));
    assert_eq!(file.header("content-type"), Some("image/png"));

    let mut upload = world.alice.request(Method::POST, "/_matrix/media/v3/upload?filename=dog.png", None);
    *upload.body_mut() = b"from Matrix".to_vec();
    let uploaded = world.server.request(upload).ok();
    world.send(&room, "1", &json!({ "msgtype": "m.image", "body": "dog.png", "url": uploaded["content_uri"] }));
    world.server.settle();
    let files = world.slack.files.borrow();
    let sent = files.values().find(|file| file.object["name"] == "dog.png").unwrap();
    assert_eq!(sent.bytes, b"from Matrix");
    assert_eq!(sent.shares.len(), 1);
}

#[test]
fn a_direct_chat_comes_by_itself() {
    let world = World::connected(3);
    world.slack_says("D0ANNA", "U0ANNA", "psst");
    world.server.settle();

    let direct = world.alice.get(["user", &world.alice.user_id, "account_data", "m.direct"]).ok();
    let room = direct["@_slack_t0team_u0anna:hub.example"][0].as_str().unwrap();
    assert_eq!(world.bodies(room), ["psst"]);
    world.send(room, "1", &json!({ "msgtype": "m.text", "body": "what?" }));
    world.server.settle();
    assert_eq!(world.slack.posted("D0ANNA"), ["what?"]);
}

#[test]
fn the_bot_answers_in_a_chat() {
    let world = World::connected(4);
    let room = world.alice.create_room(&json!({ "is_direct": true, "invite": ["@slackbot:hub.example"] }));
    world.server.settle();
    world.send(&room, "1", &json!({ "msgtype": "m.text", "body": "list" }));
    world.server.settle();
    world.send(&room, "2", &json!({ "msgtype": "m.text", "body": "bridge #random" }));
    world.server.settle();

    let bodies = world.bodies(&room);
    assert!(bodies[0].contains("connect"), "{bodies:?}");
    assert!(bodies[2].contains("#general"), "{bodies:?}");
    assert!(bodies[4].contains("https://matrix.to/#/!"), "{bodies:?}");
    let listed: Vec<ListedChannel> = login(&world.server, &world.login_id, LoginCommand::List);
    assert!(listed.iter().any(|channel| channel.name == "random" && channel.portal_id.is_some()));
}

#[test]
fn a_lost_token_is_told_in_a_room_that_the_owner_is_in() {
    let world = World::connected(5);
    let revoked = json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U0OWNER"], "bot": [] } });
    let request = world.hook(&revoked);
    world.deliver(request);
    world.server.settle();

    let room = world.alice.get(["directory", "room", "#_slack_management_alice:hub.example"]).ok();
    let bodies = world.bodies(room["room_id"].as_str().unwrap());
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].contains("Acme"), "{bodies:?}");
}

#[test]
fn crashes_of_all_objects_lose_and_double_nothing() {
    for seed in 10..22 {
        let world = World::connected(seed);
        login::<()>(&world.server, &world.login_id, LoginCommand::SetPace { per_second: 50 });
        let room = world.bridge("#general");
        world.slack.suffer_next([Fault::DropAnswer, Fault::RateLimited(1), Fault::Close]);
        let portal = world.server.context().clone();
        let rows = world.server.run(async move {
            hubbub_storage::directory::run(portal.directory.as_ref(), "SELECT portal_id FROM portals", vec![]).await
        });
        let portal = Address::new(Class::Portal, rows.unwrap()[0].text(0).unwrap());
        let victims = [
            portal,
            Address::new(Class::Login, world.login_id.as_str()),
            Address::new(Class::Room, room.as_str()),
            Address::new(Class::Appservice, "slack"),
        ];
        world.server.set_settling(false);
        for number in 0..12 {
            world.slack_says("C0GENERAL", "U0ANNA", &format!("s{number:02}"));
            world.send(&room, &format!("t{number}"), &json!({ "msgtype": "m.text", "body": format!("m{number:02}") }));
            world.server.crash(&victims[number % 4]);
        }
        world.server.set_settling(true);
        world.server.settle();
        world.server.advance(600_000);
        for echo in world.slack.echoes.take() {
            let request = world.hook(&echo);
            world.deliver(request);
        }
        world.server.advance(600_000);

        let said = world.said(&room);
        let of = |ghost: bool| -> Vec<String> {
            let mut bodies: Vec<_> = said
                .iter()
                .filter(|(sender, _)| sender.contains("u0anna") == ghost)
                .map(|(_, body)| body.clone())
                .collect();
            bodies.sort();
            bodies
        };
        let names = |prefix: &str| (0..12).map(|number| format!("{prefix}{number:02}")).collect::<Vec<_>>();
        assert_eq!(of(true), names("s"), "seed {seed}");
        assert_eq!(of(false), names("m"), "seed {seed}");
        assert_eq!(world.slack.posted("C0GENERAL"), names("m"), "seed {seed}");
    }
}

/// Measures, with `--ignored --nocapture` and `--release`, how fast a burst comes through here.
#[test]
#[ignore = "a measurement"]
fn a_burst_of_a_thousand_events() {
    let world = World::connected(6);
    let room = world.bridge("#general");
    let requests: Vec<_> =
        (0..1_000).map(|number| world.hook(&world.slack.says("C0GENERAL", "U0ANNA", &format!("{number}")))).collect();
    let began = std::time::Instant::now();
    world.server.set_settling(false);
    for request in requests {
        world.deliver(request);
    }
    world.server.settle();
    let took = began.elapsed();
    assert_eq!(world.bodies(&room).len(), 1_000);
    println!("1,000 events in {took:?}");
}

#[test]
fn no_page_or_hook_of_the_bridge_answers_a_stranger() {
    let world = World::connected(7);
    let ask = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Vec::new()).unwrap();
        let context = Rc::clone(world.server.context());
        let answer = world.server.run(async move { hubbub_slack::bridge(context).handle_http(request).await });
        answer.map(|answer| answer.status().as_u16())
    };
    assert_eq!(ask(Method::GET, "/_hubbub/slack/login/a.1.b.c"), Some(404));
    assert_eq!(ask(Method::POST, &format!("/_hubbub/slack/{}/x", world.login_id)), Some(404));
    assert_eq!(ask(Method::POST, "/_hubbub/admin/v1/slack/status"), Some(401));
    assert_eq!(ask(Method::GET, "/_hubbub/slack/a/b/c"), None);
    assert_eq!(ask(Method::GET, "/_matrix/client/versions"), None);
}

#[test]
fn whom_slack_knows_can_be_invited_before_they_ever_said_anything() {
    let world = World::connected(8);
    let alice = &world.alice;
    let room = alice.create_room(&json!({}));
    let invite = |user: &str| alice.post(["rooms", &room, "invite"], &json!({ "user_id": user }));

    invite("@_slack_t0team_u0carl:hub.example").ok();
    assert_eq!(world.state(&room, "m.room.member", "@_slack_t0team_u0carl:hub.example")["displayname"], "Carl");
    assert_eq!(alice.get(["profile", "@_slack_t0team_u0ben:hub.example"]).ok()["displayname"], "Ben");
    assert_eq!(world.slack.calls_of("users.info"), 2);
    alice.create_room(&json!({ "is_direct": true, "invite": ["@_slack_t0team_u0anna:hub.example"] }));

    // Unknown there, of another workspace, no name of anybody, and the owner herself.
    let before = world.slack.calls_of("users.info");
    for user in ["t0team_u0nobody", "t0other_u0anna", "t0team_", "x", "t0team_u0owner", "t0team_U0CARL"] {
        invite(&format!("@_slack_{user}:hub.example")).refused(404, "M_NOT_FOUND");
    }
    assert_eq!(world.slack.calls_of("users.info"), before + 1, "only the first may be somebody");
    invite("@_slack_t0team_u0nobody:hub.example").refused(404, "M_NOT_FOUND");
    assert_eq!(world.slack.calls_of("users.info"), before + 1, "and is not asked for again at once");
    alice.post(["join", "#_slack_nothing:hub.example"], &json!({})).refused(404, "M_NOT_FOUND");
}

#[test]
fn the_bot_can_be_invited_on_a_server_that_has_just_begun() {
    log::start();
    let builtin = hubbub_bridge::matrix::builtin(&hubbub_slack::FACTS, server_name!("hub.example"));
    let factories = vec![(Class::Appservice, appservice())];
    let server = TestServer::with(Options { builtins: vec![builtin], factories, ..Options::default() });
    let alice = server.account("alice");

    let room = alice.create_room(&json!({ "is_direct": true, "invite": ["@slackbot:hub.example"] }));
    server.settle();

    let bot = alice.get(["rooms", &room, "state", "m.room.member", "@slackbot:hub.example"]).ok();
    assert_eq!((&bot["membership"], &bot["displayname"]), (&json!("join"), &json!("Slack bridge")));
}

#[test]
fn a_channel_wide_mention_notifies_although_ghosts_have_no_power() {
    let world = World::connected(9);
    let room = world.bridge("#general");
    let unread = || {
        let sync = world.alice.sync(None);
        sync.joined(&room)["unread_notifications"]["highlight_count"].clone()
    };
    let read = || {
        let last = world.alice.sync(None).timeline(&room).pop().unwrap();
        let event_id = last["event_id"].as_str().unwrap().to_owned();
        world.alice.post(["rooms", &room, "receipt", "m.read", &event_id], &json!({})).ok();
    };
    world.slack_says("C0GENERAL", "U0ANNA", "@room said in plain words");
    world.server.settle();
    assert_eq!(unread(), 0);
    for broadcast in ["<!channel> lunch", "<!here> lunch", "<!everyone> lunch"] {
        read();
        assert_eq!(unread(), 0);
        world.slack_says("C0GENERAL", "U0ANNA", broadcast);
        world.server.settle();
        assert_eq!(unread(), 1, "{broadcast}");
    }
}

#[test]
fn edits_deletions_reactions_and_threads_go_through_the_whole_server() {
    let world = World::connected(10);
    login::<()>(&world.server, &world.login_id, LoginCommand::SetPace { per_second: 50 });
    let room = world.bridge("#general");
    let deliver = |event: &Json| {
        let request = world.hook(event);
        world.deliver(request);
        world.server.settle();
    };
    let echoes = || world.slack.echoes.take().iter().for_each(deliver);
    let send = |kind: &str, transaction: &str, content: &Json| {
        let sent = world.alice.put(["rooms", &room, "send", kind, transaction], content).ok();
        world.server.settle();
        sent["event_id"].as_str().unwrap().to_owned()
    };
    let bundle = |event_id: &str| world.alice.get(["rooms", &room, "event", event_id]).ok();
    let last = || world.alice.sync(None).timeline(&room).pop().unwrap();

    let message = world.slack.says("C0GENERAL", "U0ANNA", "frist");
    let ts = message["ts"].as_str().unwrap();
    deliver(&message);
    let event_id = last()["event_id"].as_str().unwrap().to_owned();
    world.server.advance(5_000);
    world.slack.set_clock(world.server.now());
    deliver(&world.slack.edits("C0GENERAL", ts, "first"));
    let shown = bundle(&event_id);
    assert_eq!(shown["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"], "first");

    let reaction = send(
        "m.reaction",
        "1",
        &json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": event_id, "key": "👍️" },
        }),
    );
    echoes();
    assert_eq!(world.slack.reactions("C0GENERAL", ts), [("+1".to_owned(), vec!["U0OWNER".to_owned()])]);
    world.server.advance(5_000);
    world.alice.put(["rooms", &room, "redact", &reaction, "2"], &json!({})).ok();
    world.server.settle();
    echoes();
    assert!(world.slack.reactions("C0GENERAL", ts).is_empty());
    deliver(&world.slack.reacts("C0GENERAL", ts, "U0BEN", "tada", true).unwrap());
    assert_eq!(last()["content"]["m.relates_to"]["key"], "🎉");

    send(
        "m.room.message",
        "3",
        &json!({
            "msgtype": "m.text", "body": "in it", "m.relates_to": { "rel_type": "m.thread", "event_id": event_id },
        }),
    );
    echoes();
    deliver(&world.slack.replies("C0GENERAL", "U0BEN", ts, "me too"));
    let thread = bundle(&event_id)["unsigned"]["m.relations"]["m.thread"].clone();
    assert_eq!(thread["count"], 2);
    assert_eq!(world.slack.history.borrow()["C0GENERAL"][1]["thread_ts"], ts);

    let mine = send("m.room.message", "4", &json!({ "msgtype": "m.text", "body": "mine" }));
    echoes();
    send(
        "m.room.message",
        "5",
        &json!({
            "msgtype": "m.text", "body": "* mine, too", "m.new_content": { "msgtype": "m.text", "body": "mine, too" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": mine },
        }),
    );
    echoes();
    assert_eq!(world.slack.posted("C0GENERAL"), ["in it", "mine, too"]);
    world.alice.put(["rooms", &room, "redact", &mine, "6"], &json!({})).ok();
    world.server.settle();
    echoes();
    assert_eq!(world.slack.posted("C0GENERAL"), ["in it"]);

    deliver(&world.slack.deletes("C0GENERAL", ts));
    assert_eq!(bundle(&event_id)["content"], json!({}));
    assert_eq!(bundle(&event_id)["unsigned"]["redacted_because"]["sender"], "@_slack_t0team_u0anna:hub.example");
    world.slack_says("C0GENERAL", "U0OWNER", "typed there");
    world.server.settle();
    let typed = last();
    let ts = world.slack.history.borrow()["C0GENERAL"].last().unwrap()["ts"].as_str().unwrap().to_owned();
    deliver(&world.slack.deletes("C0GENERAL", &ts));
    assert_eq!(bundle(typed["event_id"].as_str().unwrap())["content"], json!({}));
    assert_eq!(world.slack.calls_of("chat.delete"), 1, "what the double puppet takes back goes nowhere");
}

#[test]
fn a_ghost_invited_to_an_encrypted_room_leaves_it_and_the_chat_goes_on_in_the_plain_portal() {
    let world = World::connected(11);
    let ghost = "@_slack_t0team_u0ben:hub.example";
    let encryption = json!({
        "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" },
    });
    for direct in [true, false] {
        let room = world.alice.create_room(&json!({
            "preset": "private_chat", "is_direct": direct, "invite": [ghost], "initial_state": [encryption],
        }));
        world.server.settle();
        world.server.advance(60_000);

        let said = world.said(&room);
        assert_eq!(said.len(), 1, "{said:?}");
        let (sender, sentence) = &said[0];
        assert_eq!(sender, ghost);
        assert!(sentence.contains("encrypted") && sentence.contains("Slack"), "{sentence}");
        assert_eq!(world.state(&room, "m.room.member", ghost)["membership"], "leave");
        let portal = sentence.rsplit_once("https://matrix.to/#/").unwrap().1;
        assert_eq!(world.state(portal, "m.room.member", ghost)["membership"], "join");
        world.alice.get(["rooms", portal, "state", "m.room.encryption", ""]).refused(404, "M_NOT_FOUND");
        world
            .alice
            .put(["rooms", portal, "state", "m.room.encryption", ""], &encryption["content"])
            .refused(403, "M_FORBIDDEN");
        let text = format!("plain, {direct}");
        world.send(portal, &text, &json!({ "msgtype": "m.text", "body": text }));
        world.server.settle();
        assert!(world.slack.posted("D0BEN").contains(&text), "{:?}", world.slack.posted("D0BEN"));
    }
}
