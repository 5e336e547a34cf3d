//! Users and aliases that an appservice makes when it is asked for them.

use std::{cell::RefCell, rc::Rc};

use http::Method;
use hubbub_native::{
    Client, TestServer,
    client::{path, request},
};
use serde_json::{Value as Json, json};

const TOKEN: &str = "as_token_of_the_bridge";

const YAML: &str = "
id: bridge
url: https://bridge.example
as_token: as_token_of_the_bridge
hs_token: hs_token_of_the_bridge
sender_localpart: bridgebot
rate_limited: false
namespaces:
  users:
    - exclusive: true
      regex: '@_bridge_.*:hub\\.example'
    - exclusive: false
      regex: '@_?guest_.*'
  aliases:
    - exclusive: true
      regex: '#_bridge_.*:hub\\.example'
  rooms: []
";

struct Scene {
    server: TestServer,
    alice: Client,
    /// The queries that the appservice got, as paths.
    asked: Rc<RefCell<Vec<String>>>,
}

impl Scene {
    /// A server whose appservice makes what it is asked for, unless the name says `nobody` or `liar`.
    fn new() -> Self {
        let server = TestServer::new();
        server.register_appservice(YAML).ok();
        let asked: Rc<RefCell<Vec<String>>> = Rc::default();
        let (sink, itself) = (Rc::clone(&asked), server.clone());
        let bot = server.appservice_user(TOKEN, "@bridgebot:hub.example");
        let room = bot.public_room();
        server.http().answer_later_by(move |request| {
            assert_eq!(request.headers()["authorization"], "Bearer hs_token_of_the_bridge");
            let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8().unwrap().into_owned();
            let (server, room, sink) = (itself.clone(), room.clone(), Rc::clone(&sink));
            Box::pin(async move { Ok(answer(&server, &room, &sink, path).await) })
        });
        Self { alice: server.account("alice"), server, asked }
    }

    fn take_asked(&self) -> Vec<String> {
        self.asked.take()
    }

    fn invite(&self, room: &str, user_id: &str) -> hubbub_native::Reply {
        self.alice.post(["rooms", room, "invite"], &json!({"user_id": user_id}))
    }
}

async fn answer(
    server: &TestServer,
    room: &str,
    asked: &RefCell<Vec<String>>,
    asked_path: String,
) -> http::Response<Vec<u8>> {
    let status = |status: u16| http::Response::builder().status(status).body(b"{}".to_vec()).unwrap();
    let Some(name) = asked_path.strip_prefix("/_matrix/app/v1/").filter(|rest| !rest.starts_with("transactions"))
    else {
        return status(200);
    };
    asked.borrow_mut().push(name.to_owned());
    if name.contains("nobody") {
        return status(404);
    }
    if name.contains("broken") {
        return status(500);
    }
    if name.contains("liar") {
        return status(200);
    }
    let made = if let Some(user) = name.strip_prefix("users/@") {
        let localpart = user.split(':').next().unwrap();
        // It looks before it makes, and is not asked for what it asks.
        let looked =
            server.answer(request(Method::GET, &path(["profile", &format!("@{user}")]), Some(TOKEN), None)).await;
        assert_eq!(looked.status(), 404);
        let body = json!({"type": "m.login.application_service", "username": localpart, "inhibit_login": true});
        server.answer(request(Method::POST, &path(["register"]), Some(TOKEN), Some(&body))).await
    } else {
        let alias = name.strip_prefix("rooms/").unwrap();
        let body = json!({"room_id": room});
        server.answer(request(Method::PUT, &path(["directory", "room", alias]), Some(TOKEN), Some(&body))).await
    };
    assert_eq!(made.status(), 200, "{}", String::from_utf8_lossy(made.body()));
    status(200)
}

#[test]
fn a_user_whom_an_appservice_makes_can_be_invited_looked_up_and_written_to() {
    let scene = Scene::new();
    let alice = &scene.alice;
    let room = alice.create_room(&json!({}));

    scene.invite(&room, "@_bridge_one:hub.example").ok();
    assert_eq!(alice.state(&room, "m.room.member", "@_bridge_one:hub.example").ok()["membership"], "invite");
    assert_eq!(scene.take_asked(), ["users/@_bridge_one:hub.example"]);

    alice.get(["profile", "@_bridge_two:hub.example"]).ok();
    alice.get(["profile", "@_bridge_three:hub.example", "displayname"]).ok();
    alice.get(["profile", "@guest_four:hub.example", "avatar_url"]).ok();
    let both = json!({"invite": ["@_bridge_five:hub.example", alice.user_id, "@_bridge_six:hub.example"]});
    let direct = alice.create_room(&json!({"is_direct": true, "invite": both["invite"]}));
    assert_eq!(alice.state(&direct, "m.room.member", "@_bridge_six:hub.example").ok()["membership"], "invite");
    let content = json!({"membership": "invite"});
    alice.set_state(&room, "m.room.member", "@_bridge_seven:hub.example", &content).ok();
    let names: Vec<_> = scene.take_asked().iter().map(|asked| asked.replace(":hub.example", "")).collect();
    assert_eq!(
        names,
        [
            "users/@_bridge_two",
            "users/@_bridge_three",
            "users/@guest_four",
            "users/@_bridge_five",
            "users/@_bridge_six",
            "users/@_bridge_seven"
        ]
    );

    // Now they exist, and nobody is asked again.
    alice.get(["profile", "@_bridge_two:hub.example"]).ok();
    scene.invite(&room, "@_bridge_three:hub.example").ok();
    assert!(scene.take_asked().is_empty());
}

#[test]
fn a_user_whom_no_appservice_has_stays_unknown_and_is_asked_for_once_in_a_while() {
    let scene = Scene::new();
    let room = scene.alice.create_room(&json!({}));
    for user in ["@_bridge_nobody:hub.example", "@_bridge_broken:hub.example", "@_bridge_liar:hub.example"] {
        scene.invite(&room, user).refused(404, "M_NOT_FOUND");
        scene.alice.get(["profile", user]).refused(404, "M_NOT_FOUND");
        scene.alice.post(["createRoom"], &json!({"invite": [user]})).refused(404, "M_NOT_FOUND");
        assert_eq!(scene.take_asked().len(), 1, "{user}");
    }
    scene.server.advance(10_001);
    scene.invite(&room, "@_bridge_nobody:hub.example").refused(404, "M_NOT_FOUND");
    assert_eq!(scene.take_asked().len(), 1);
}

#[test]
fn nobody_is_asked_for_other_names_or_by_strangers() {
    let scene = Scene::new();
    let (server, alice) = (&scene.server, &scene.alice);
    let room = alice.create_room(&json!({}));

    scene.invite(&room, "@somebody:hub.example").refused(404, "M_NOT_FOUND");
    scene.invite(&room, "@guest_one:elsewhere.example").refused(403, "M_FORBIDDEN");
    alice.get(["profile", "@guest_one:elsewhere.example"]).refused(404, "M_NOT_FOUND");
    alice.get(["directory", "room", "#other:hub.example"]).refused(404, "M_NOT_FOUND");
    for token in [None, Some("nonsense")] {
        for segments in
            [["profile", "@_bridge_one:hub.example", "displayname"], ["directory", "room", "#_bridge_x:hub.example"]]
        {
            server.send(Method::GET, &path(segments), token, None).refused(404, "M_NOT_FOUND");
        }
    }
    assert!(scene.take_asked().is_empty());
    // Nor the appservice for what it asks itself.
    let bot = server.appservice_user(TOKEN, "@bridgebot:hub.example");
    bot.get(["profile", "@_bridge_one:hub.example"]).refused(404, "M_NOT_FOUND");
    bot.get(["directory", "room", "#_bridge_x:hub.example"]).refused(404, "M_NOT_FOUND");
    assert!(scene.take_asked().is_empty());
}

#[test]
fn an_alias_that_an_appservice_makes_can_be_joined_and_looked_up() {
    let scene = Scene::new();
    let alice = &scene.alice;

    let joined = alice.post(["join", "#_bridge_one:hub.example"], &json!({})).ok();
    let found = alice.get(["directory", "room", "#_bridge_two:hub.example"]).ok();
    assert_eq!(joined["room_id"], found["room_id"]);
    assert_eq!(scene.take_asked(), ["rooms/#_bridge_one:hub.example", "rooms/#_bridge_two:hub.example"]);
    alice.post(["join", "#_bridge_nobody:hub.example"], &json!({})).refused(404, "M_NOT_FOUND");
    alice.get(["directory", "room", "#_bridge_nobody:hub.example"]).refused(404, "M_NOT_FOUND");
    assert_eq!(scene.take_asked().len(), 1);
}

#[test]
fn two_at_once_who_want_the_same_user_ask_once() {
    for seed in 0..20 {
        let scene = Scene::new();
        scene.server.scheduler().reseed(seed);
        let bob = scene.server.account("bob");
        let look = |client: &Client| {
            let uri = path(["profile", "@_bridge_one:hub.example"]);
            scene.server.start(client.request(Method::GET, &uri, None::<&Json>))
        };
        let looks = [look(&scene.alice), look(&bob), look(&bob)];
        for started in &looks {
            scene.server.finish(started).ok();
        }
        assert_eq!(scene.take_asked().len(), 1, "seed {seed}");
    }
}
