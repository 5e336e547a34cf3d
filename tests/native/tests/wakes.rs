//! A waiting sync is woken by everything that concerns its user, whatever the interleaving: the
//! next answer has it, and no answer is empty.

use http::Method;
use hubbub_native::{Client, Options, SyncBody, TestServer, scheduler::Started};
use hubbub_native::{Reply, client::path};
use serde_json::{Value as Json, json};

/// How many interleavings each kind of news is tried with, unless `HUBBUB_INTERLEAVINGS` says
/// otherwise: an unoptimised build takes 10 ms for one. The continuous integration runs 1,000.
const ROUNDS: u64 = 100;

fn rounds() -> u64 {
    let wanted = std::env::var("HUBBUB_INTERLEAVINGS").ok();
    wanted.map_or(ROUNDS, |wanted| wanted.parse().expect("HUBBUB_INTERLEAVINGS is a number"))
}

struct Scene {
    server: TestServer,
    alice: Client,
    bob: Client,
    /// A second device of Bob's.
    tablet: Client,
    room: String,
}

impl Scene {
    fn new() -> Self {
        let server = TestServer::with(Options { seed: 42, ..Options::default() });
        let (alice, bob) = (server.account("alice"), server.register("bob"));
        let tablet = server.login("bob", Some("TABLET"));
        let room = alice.public_room();
        bob.join(&room);
        server.set_settling(false);
        Self { server, alice, bob, tablet, room }
    }

    /// Where both of Bob's devices are, everything under way having arrived.
    fn tokens(&self) -> (String, String) {
        self.server.settle();
        let tokens = (self.bob.sync(None).next_batch(), self.tablet.sync(None).next_batch());
        self.server.settle();
        tokens
    }

    fn start(&self, client: &Client, method: Method, segments: &[&str], body: &Json) -> Started<Reply> {
        self.server.start(client.request(method, &path(segments.iter().copied()), Some(body)))
    }
}

/// Starts a poll of each of Bob's devices and the news at the same time, in an order of the
/// round's seed, and asserts that each poll's answer has the news.
fn every_poll_hears(
    scene: &Scene,
    act: impl Fn(&Scene, u64) -> Started<Reply>,
    has: impl Fn(&Scene, u64, &SyncBody) -> bool,
) {
    every_poll_hears_after(scene, |_, _| {}, act, has);
}

fn every_poll_hears_after(
    scene: &Scene,
    prepare: impl Fn(&Scene, u64),
    act: impl Fn(&Scene, u64) -> Started<Reply>,
    has: impl Fn(&Scene, u64, &SyncBody) -> bool,
) {
    for round in 0..rounds() {
        prepare(scene, round);
        let (bobs, tablets) = scene.tokens();
        scene.server.scheduler().reseed(round);
        let polls = [scene.bob.start_sync(&bobs), scene.tablet.start_sync(&tablets)];
        let acted = act(scene, round);
        let began = scene.server.now();
        for poll in &polls {
            let answer = SyncBody(scene.server.finish(poll).ok());
            assert!(has(scene, round, &answer), "round {round}: {:#}", answer.0);
        }
        assert_eq!(scene.server.now(), began, "round {round}: woken, not timed out");
        let reply = scene.server.finish(&acted);
        assert_eq!(reply.status, 200, "{}: {}", reply.asked, reply.text());
    }
}

#[test]
fn a_message_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let body = json!({"msgtype": "m.text", "body": round.to_string()});
            let transaction = format!("w{round}");
            scene.start(
                &scene.alice,
                Method::PUT,
                &["rooms", &scene.room, "send", "m.room.message", &transaction],
                &body,
            )
        },
        |scene, round, sync| sync.bodies(&scene.room) == [round.to_string()],
    );
}

#[test]
fn a_state_event_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let body = json!({"name": round.to_string()});
            scene.start(&scene.alice, Method::PUT, &["rooms", &scene.room, "state", "m.room.name", ""], &body)
        },
        |scene, round, sync| {
            sync.timeline(&scene.room).iter().any(|event| event["content"]["name"] == json!(round.to_string()))
        },
    );
}

/// Brings Bob's membership of the room back to what the round starts from.
fn member(scene: &Scene, by: &Client, what: &str) {
    let reply = match what {
        "join" => by.post(["join", &scene.room], &json!({})),
        "leave" => by.post(["rooms", &scene.room, "leave"], &json!({})),
        _ => by.member(&scene.room, what, &scene.bob),
    };
    assert_eq!(reply.status, 200, "{}: {}", reply.asked, reply.text());
}

#[test]
fn an_invite_wakes() {
    let scene = Scene::new();
    every_poll_hears_after(
        &scene,
        |scene, _| member(scene, &scene.bob, "leave"),
        |scene, _| {
            let body = json!({"user_id": scene.bob.user_id});
            scene.start(&scene.alice, Method::POST, &["rooms", &scene.room, "invite"], &body)
        },
        |scene, _, sync| sync.membership(&scene.room, &scene.bob.user_id).as_deref() == Some("invite"),
    );
}

#[test]
fn a_kick_wakes() {
    let scene = Scene::new();
    every_poll_hears_after(
        &scene,
        |scene, _| member(scene, &scene.bob, "join"),
        |scene, _| {
            let body = json!({"user_id": scene.bob.user_id});
            scene.start(&scene.alice, Method::POST, &["rooms", &scene.room, "kick"], &body)
        },
        |scene, _, sync| sync.0["rooms"]["leave"][&scene.room].is_object(),
    );
}

#[test]
fn a_ban_wakes() {
    let scene = Scene::new();
    every_poll_hears_after(
        &scene,
        |scene, round| {
            if round > 0 {
                member(scene, &scene.alice, "unban");
            }
            member(scene, &scene.bob, "join");
        },
        |scene, _| {
            let body = json!({"user_id": scene.bob.user_id});
            scene.start(&scene.alice, Method::POST, &["rooms", &scene.room, "ban"], &body)
        },
        |scene, _, sync| sync.membership(&scene.room, &scene.bob.user_id).as_deref() == Some("ban"),
    );
}

#[test]
fn an_invite_that_the_other_device_rejected_wakes() {
    let scene = Scene::new();
    every_poll_hears_after(
        &scene,
        |scene, round| {
            if round == 0 {
                member(scene, &scene.bob, "leave");
            }
            member(scene, &scene.alice, "invite");
        },
        |scene, _| scene.start(&scene.bob, Method::POST, &["rooms", &scene.room, "leave"], &json!({})),
        |scene, _, sync| sync.membership(&scene.room, &scene.bob.user_id).as_deref() == Some("leave"),
    );
}

#[test]
fn a_receipt_wakes() {
    let scene = Scene::new();
    let event = std::cell::RefCell::new(String::new());
    every_poll_hears_after(
        &scene,
        |scene, round| *event.borrow_mut() = scene.alice.send_text(&scene.room, &round.to_string()),
        |scene, _| {
            let event = event.borrow();
            scene.start(&scene.alice, Method::POST, &["rooms", &scene.room, "receipt", "m.read", &event], &json!({}))
        },
        |scene, _, sync| {
            let receipts = sync.ephemeral(&scene.room, "m.receipt");
            receipts
                .iter()
                .any(|receipt| receipt["content"][&*event.borrow()]["m.read"][&scene.alice.user_id].is_object())
        },
    );
}

#[test]
fn typing_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let body = json!({"typing": round % 2 == 0, "timeout": 120_000});
            scene.start(&scene.alice, Method::PUT, &["rooms", &scene.room, "typing", &scene.alice.user_id], &body)
        },
        |scene, round, sync| {
            let expected = if round % 2 == 0 { json!([scene.alice.user_id]) } else { json!([]) };
            sync.ephemeral(&scene.room, "m.typing").iter().any(|event| event["content"]["user_ids"] == expected)
        },
    );
}

#[test]
fn account_data_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let segments = ["user", &scene.bob.user_id, "account_data", "org.example.t"];
            scene.start(&scene.bob, Method::PUT, &segments, &json!({"round": round}))
        },
        |_, round, sync| sync.account_data("org.example.t") == json!({"round": round}),
    );
}

#[test]
fn a_push_rule_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let actions = if round % 2 == 0 { json!(["notify"]) } else { json!(["dont_notify"]) };
            let segments = ["pushrules", "global", "room", "!nowhere:hub.example"];
            scene.start(&scene.bob, Method::PUT, &segments, &json!({"actions": actions}))
        },
        |_, _, sync| sync.account_data("m.push_rules")["global"].is_object(),
    );
}

#[test]
fn a_profile_change_wakes() {
    let scene = Scene::new();
    every_poll_hears(
        &scene,
        |scene, round| {
            let segments = ["profile", &scene.alice.user_id, "displayname"];
            scene.start(&scene.alice, Method::PUT, &segments, &json!({"displayname": format!("Alice {round}")}))
        },
        |scene, round, sync| {
            let name = json!(format!("Alice {round}"));
            sync.timeline(&scene.room).iter().any(|event| event["content"]["displayname"] == name)
        },
    );
}

#[test]
fn a_poll_with_nothing_to_hear_ends_after_its_time() {
    let scene = Scene::new();
    let (bobs, _) = scene.tokens();
    let began = scene.server.now();

    let poll = scene.bob.start_sync(&bobs);
    let answer = SyncBody(scene.server.finish(&poll).ok());

    assert!(answer.is_empty() && !answer.mentions(&scene.room));
    assert_eq!(scene.server.now() - began, 30_000);
}

#[test]
fn what_concerns_others_does_not_wake() {
    let scene = Scene::new();
    let carl = scene.server.account("carl");
    let elsewhere = carl.public_room();
    let (bobs, _) = scene.tokens();
    let began = scene.server.now();

    let poll = scene.bob.start_sync(&bobs);
    carl.send_text(&elsewhere, "hello");
    scene.server.settle();
    assert!(!poll.is_finished());
    scene.server.finish(&poll).ok();

    assert_eq!(scene.server.now() - began, 30_000);
}
