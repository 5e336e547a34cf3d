//! Every window between a commit and the `await` after it that no message passes: whoever is there dies once, the
//! caller asks again, and everything is as if nothing had happened. Where messages pass, `cargo xtask soak`
//! strikes; in the bridge engine its own tests do.

use std::{cell::RefCell, collections::BTreeSet, fs, rc::Rc};

use http::{Method, Request, header};
use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, Options, Reply, TestServer,
    bridge::{self, TOKEN},
    client::path,
};
use serde_json::{Value as Json, json};

/// All that a bridge may want to be told besides events.
const WANTS: &str = "receive_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
";

/// The names in the soak's list of windows that it leaves to others.
fn left_to_native_tests() -> BTreeSet<&'static str> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/src/commands/soak/windows.rs");
    let text: &'static str = Box::leak(fs::read_to_string(file).unwrap().into_boxed_str());
    let (_, list) = text.split_once("const ELSEWHERE").expect("the list is there");
    let (list, _) = list.split_once("];").expect("it ends");
    list.split('"').skip(1).step_by(2).collect()
}

/// What strangers' servers were sent: the push gateway and the appservice.
type Told = Rc<RefCell<Vec<Json>>>;

struct Life {
    server: TestServer,
    told: Told,
}

impl Life {
    fn new(seed: u64) -> Self {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let told = Told::default();
        let log = Rc::clone(&told);
        server.http().answer_by(move |request| {
            log.borrow_mut().extend(serde_json::from_slice::<Json>(request.body()));
            Ok(http::Response::new(b"{}".to_vec()))
        });
        server.register_appservice(&format!("{}{WANTS}", bridge::REGISTRATION)).ok();
        Self { server, told }
    }

    /// Asks until there is an answer that is no failure of the server's.
    fn insist(&self, request: Request<Vec<u8>>) -> Reply {
        for _ in 0..4 {
            let started = self.server.start(request.clone());
            let reply = self.server.scheduler().finish_or_die(&started);
            self.server.settle();
            match reply {
                Some(reply) if reply.status < 500 => return reply,
                _ => self.server.advance(10_000),
            }
        }
        panic!("{} {} is never answered", request.method(), request.uri());
    }

    fn ask<'a>(&self, by: &Client, method: Method, segments: impl IntoIterator<Item = &'a str>, body: &Json) -> Reply {
        self.insist(by.request(method, &path(segments), Some(body)))
    }

    fn admin(&self, method: Method, what: &str, body: &Json) -> Reply {
        let token = Some(hubbub_native::server::ADMIN_TOKEN);
        let uri = format!("/_hubbub/admin/v1/{what}");
        self.insist(hubbub_native::client::request(method, &uri, token, Some(body)))
    }

    fn was_told(&self, what: &str) -> bool {
        self.told.borrow().iter().any(|body| body.to_string().contains(what))
    }

    /// A day on which everything happens that passes a window, with what is to come of it.
    fn live(&self) {
        let (alice, bob) = (self.server.account("alice"), self.server.register("bob"));
        let room = alice.create_room(&json!({"preset": "public_chat", "name": "Den", "room_version": "11"}));
        bob.join(&room);
        self.lists_and_profiles(&alice, &bob, &room);
        self.keys_and_devices(&alice, &bob);
        self.files(&alice);
        self.a_ghost_syncs(&alice, &room);
        self.rebuilds(&alice, &bob, &room);
        self.upgrades_and_leaves(&alice, &bob, &room);
    }

    fn lists_and_profiles(&self, alice: &Client, bob: &Client, room: &str) {
        let listed = json!({"visibility": "public"});
        self.ask(alice, Method::PUT, ["directory", "list", "room", room], &listed).ok();
        let shown = self.server.get("/_matrix/client/v3/publicRooms").ok();
        assert_eq!(shown["chunk"][0]["room_id"], room);

        let name = json!({"displayname": "Alice Liddell"});
        self.ask(alice, Method::PUT, ["profile", &alice.user_id, "displayname"], &name).ok();
        let field = json!({"org.example.field": "kept"});
        self.ask(alice, Method::PUT, ["profile", &alice.user_id, "org.example.field"], &field).ok();
        self.server.advance(20_000);
        let profile = bob.get(["profile", &alice.user_id]).ok();
        assert_eq!((&profile["displayname"], &profile["org.example.field"]), (&json!("Alice Liddell"), &json!("kept")));
        let member = bob.state(room, "m.room.member", &alice.user_id).ok();
        assert_eq!(member["displayname"], "Alice Liddell");

        let pusher = json!({
            "kind": "http", "app_id": "im.app", "pushkey": "key", "app_display_name": "App", "lang": "en",
            "device_display_name": "Phone", "data": {"url": "https://push.example/_matrix/push/v1/notify"},
        });
        self.ask(alice, Method::POST, ["pushers", "set"], &pusher).ok();
        self.ask(bob, Method::PUT, ["rooms", room, "send", "m.room.message", "push"], &text("pushed")).ok();
        self.server.advance(60_000);
        assert!(self.was_told("pushed"), "the gateway is told");
    }

    fn keys_and_devices(&self, alice: &Client, bob: &Client) {
        let since = bob.sync(None).next_batch();
        let keys = json!({
            "device_keys": {
                "user_id": alice.user_id, "device_id": alice.device_id, "algorithms": [], "signatures": {},
                "keys": { format!("ed25519:{}", alice.device_id): "A".repeat(43) },
            },
            "one_time_keys": {"signed_curve25519:AAAA": {"key": "one"}},
        });
        self.ask(alice, Method::POST, ["keys", "upload"], &keys).ok();
        self.server.advance(20_000);
        assert_eq!(bob.sync(Some(&since)).0["device_lists"]["changed"], json!([alice.user_id]));
        let wanted = json!({"device_keys": { &alice.user_id: [] }});
        let found = self.ask(bob, Method::POST, ["keys", "query"], &wanted).ok();
        assert!(found["device_keys"][&alice.user_id][&alice.device_id].is_object(), "{found}");

        let since = bob.sync(None).next_batch();
        let message = json!({"messages": { &bob.user_id: {"*": {"secret": "for bob"}} }});
        self.ask(alice, Method::PUT, ["sendToDevice", "m.test", "t1"], &message).ok();
        self.server.advance(20_000);
        let events = bob.sync(Some(&since)).0["to_device"]["events"].clone();
        assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");

        let ghost = self.ghost("_bridge_device");
        self.ask(&ghost, Method::PUT, ["devices", "GHOST"], &json!({"display_name": "The bridge"}));
        let message = json!({"messages": { &ghost.user_id: {"GHOST": {"secret": "for the ghost"}} }});
        self.ask(alice, Method::PUT, ["sendToDevice", "m.test", "t2"], &message).ok();
        self.server.advance(60_000);
        assert!(self.was_told("for the ghost"), "the appservice gets it");
    }

    fn ghost(&self, localpart: &str) -> Client {
        let body = json!({"type": "m.login.application_service", "username": localpart, "inhibit_login": true});
        self.server.send(Method::POST, "/_matrix/client/v3/register", Some(TOKEN), Some(&body)).ok();
        self.server.appservice_user(TOKEN, &format!("@{localpart}:hub.example"))
    }

    fn files(&self, alice: &Client) {
        let upload = || {
            let mut request = alice.request(Method::POST, "/_matrix/media/v3/upload", None);
            request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
            *request.body_mut() = b"the same bytes".to_vec();
            self.insist(request).ok()["content_uri"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
        };
        let (first, second) = (upload(), upload());
        for file in [&first, &second] {
            let uri = format!("/_matrix/client/v1/media/download/hub.example/{file}");
            let reply = self.insist(alice.request(Method::GET, &uri, None));
            assert_eq!((reply.status, reply.body.as_slice()), (200, b"the same bytes".as_slice()));
        }
        for file in [&first, &second] {
            let reply = self.admin(Method::DELETE, &format!("media/{file}"), &json!({}));
            assert!([200, 404].contains(&reply.status), "{}", reply.text());
        }
        let uri = format!("/_matrix/client/v1/media/download/hub.example/{first}");
        alice.ask(Method::GET, &uri, None).refused(404, "M_NOT_FOUND");
        // What died in between is swept up; an upload that was repeated left one file of its own.
        let ids = self.admin(Method::POST, "delete-media", &json!({"uploader": alice.user_id}));
        assert_eq!(ids.status, 200, "{}", ids.text());
    }

    fn a_ghost_syncs(&self, alice: &Client, room: &str) {
        let ghost = self.ghost("_bridge_reader");
        ghost.join(room);
        alice.send_text(room, "before the first sync");
        let first = self.insist(ghost.request(Method::GET, &path(["sync"]), None)).ok();
        self.server.advance(20_000);
        alice.send_text(room, "after it");
        let since = first["next_batch"].as_str().unwrap();
        let bodies: Vec<String> = [hubbub_native::SyncBody(first.clone()), ghost.sync(Some(since))]
            .iter()
            .flat_map(|sync| sync.bodies(room))
            .collect();
        assert_eq!(bodies.iter().filter(|body| *body == "after it").count(), 1, "{bodies:?}");
        assert_eq!(bodies.iter().filter(|body| *body == "before the first sync").count(), 1, "{bodies:?}");
    }

    fn rebuilds(&self, alice: &Client, bob: &Client, room: &str) {
        self.server.advance(60_000);
        self.server.host().lose(&Address::new(Class::Room, room));
        self.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();
        let since = bob.sync(None).next_batch();
        alice.send_text(room, "after the rebuilding");
        assert_eq!(bob.sync(Some(&since)).bodies(room), ["after the rebuilding"]);
    }

    fn upgrades_and_leaves(&self, alice: &Client, bob: &Client, room: &str) {
        let reply = self.ask(alice, Method::POST, ["rooms", room, "upgrade"], &json!({"new_version": "12"}));
        self.server.advance(60_000);
        let tombstone = alice.state(room, "m.room.tombstone", "").ok();
        let new = tombstone["replacement_room"].as_str().unwrap();
        if reply.status == 200 {
            assert_eq!(reply.json()["replacement_room"], new);
        }
        assert_eq!(alice.state(new, "m.room.name", "").ok()["name"], "Den");

        let auth = json!({
            "type": "m.login.password", "password": "bob's password",
            "identifier": {"type": "m.id.user", "user": "bob"},
        });
        // Who asks again after the account has ended has no session any more.
        self.ask(bob, Method::POST, ["account", "deactivate"], &json!({ "auth": auth }));
        self.server.advance(60_000);
        assert_eq!(bob.get(["account", "whoami"]).status, 401);
        let membership = alice.state(room, "m.room.member", &bob.user_id).ok();
        assert_eq!(membership["membership"], "leave");
    }
}

fn text(body: &str) -> Json {
    json!({"msgtype": "m.text", "body": body})
}

#[test]
fn whoever_dies_in_a_window_leaves_nothing_half_done() {
    let windows = left_to_native_tests();
    assert!(windows.len() > 20, "{windows:?}");
    for window in windows.into_iter().filter(|window| !window.starts_with("portal.")) {
        println!("{window}");
        let life = Life::new(1);
        life.server.failpoints().crash_at(window);
        life.live();
        assert_eq!(life.server.failpoints().struck(), [window], "nothing passed it");
    }
}
