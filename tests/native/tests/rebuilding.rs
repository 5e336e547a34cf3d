//! A room that was lost while the archive was behind: what its followers hold already is never said anew under
//! the same positions, so nothing said afterwards is skipped.

use std::{cell::RefCell, rc::Rc};

use http::Method;
use hubbub_core::contract::{
    Address, Class,
    room::{Rebuilt, RoomCommand},
};
use hubbub_native::{Client, Options, Reply, TestServer, bridge};
use hubbub_storage::database::Query as _;
use serde_json::{Value as Json, json};

/// A room with a user and an appservice, who hold more of it than the archive does; the object is gone.
struct Lost {
    server: TestServer,
    alice: Client,
    bob: Client,
    room: String,
    since: String,
    /// The bodies that the appservice got.
    told: Rc<RefCell<Vec<String>>>,
}

impl Lost {
    fn new(seed: u64) -> Self {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let told: Rc<RefCell<Vec<String>>> = Rc::default();
        let bodies = Rc::clone(&told);
        server.http().answer_by(move |request| {
            let body: Json = serde_json::from_slice(request.body()).unwrap_or_default();
            let events = body["events"].as_array().cloned().unwrap_or_default();
            let said = events.iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned));
            bodies.borrow_mut().extend(said);
            Ok(http::Response::new(b"{}".to_vec()))
        });
        server.register_appservice(bridge::REGISTRATION).ok();
        let bot = server.appservice_user("as_token_of_the_bridge", "@bridgebot:hub.example");
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        let room = alice.public_room();
        bob.join(&room);
        bot.join(&room);
        alice.send_text(&room, "archived");
        server.advance(20_000);
        server.directory().refuse.set(true);
        for number in 0..30 {
            alice.send_text(&room, &format!("not archived {number}"));
        }
        server.settle();
        assert_eq!(told.borrow().len(), 31, "the appservice has it all");
        let since = bob.sync(None).next_batch();
        told.borrow_mut().clear();
        server.host().lose(&Address::new(Class::Room, room.clone()));
        server.directory().refuse.set(false);
        Self { server, alice, bob, room, since, told }
    }

    fn address(&self) -> Address {
        Address::new(Class::Room, self.room.clone())
    }

    fn rebuild(&self) -> Reply {
        self.server.admin(Method::POST, "rebuild-room", &json!({"room_id": self.room}))
    }

    fn send(&self, body: &str) -> Reply {
        self.alice.send_with(&self.room, &format!("transaction of {body}"), body)
    }

    /// Both followers get exactly this, and know of the same number of positions as the room.
    fn gets_exactly(&self, bodies: &[&str], what: &str) {
        self.server.advance(60_000);
        let told: Vec<String> = self.told.borrow().clone();
        assert_eq!(told, bodies, "the appservice, {what}");
        let mut synced = self.bob.sync(Some(&self.since)).bodies(&self.room);
        synced.retain(|body| body != "archived");
        assert_eq!(synced, bodies, "the user, {what}");
        let database = self.server.host().database(&self.address()).unwrap();
        let behind = "SELECT id FROM followers WHERE position < (SELECT position FROM room)
            AND kind IN ('user', 'appservice', 'archive')";
        assert_eq!(database.query(behind, &[]).unwrap().len(), 0, "nobody is behind, {what}");
    }
}

#[test]
fn what_is_said_after_a_rebuild_reaches_those_who_held_more_than_the_archive() {
    let lost = Lost::new(1);
    lost.rebuild().ok();
    lost.send("after").ok();
    lost.gets_exactly(&["after"], "after a whole rebuild");
}

#[test]
fn a_rebuild_that_dies_once_the_room_is_written_goes_on_by_itself_before_anything_is_said() {
    for window in ["room.after_stage", "room.after_rebuild", "room.after_probe"] {
        let lost = Lost::new(2);
        lost.server.failpoints().crash_at(window);
        // The operator's endpoint would ask a second time.
        let rebuilt: Result<Rebuilt, _> = lost.server.call(lost.address(), RoomCommand::Rebuild);
        assert_eq!(rebuilt.map_err(|error| error.status).map(|rebuilt| rebuilt.epoch), Err(500), "{window}");
        assert_eq!(lost.server.failpoints().struck(), [window]);
        if window == "room.after_stage" {
            lost.send("too early").refused(404, "M_NOT_FOUND");
            lost.rebuild().ok();
        }
        lost.server.advance(10_000);
        lost.send("after").ok();
        lost.gets_exactly(&["after"], window);
    }
}

#[test]
fn nothing_is_said_in_a_rebuilt_room_until_each_follower_told_what_it_holds() {
    for follower in [Address::new(Class::Appservice, "bridge"), Address::new(Class::User, "@bob:hub.example")] {
        let lost = Lost::new(3);
        lost.server.host().set_unreachable(Some(follower.clone()));
        lost.rebuild().refused(503, "COM_HUBBUB_REBUILDING");

        lost.send("after").refused(503, "COM_HUBBUB_REBUILDING");
        let (alice, room) = (&lost.alice, lost.room.as_str());
        let typing = json!({"typing": true, "timeout": 1000});
        alice.put(["rooms", room, "typing", &alice.user_id], &typing).refused(503, "COM_HUBBUB_REBUILDING");
        alice
            .put(["rooms", room, "state", "m.room.topic"], &json!({"topic": "t"}))
            .refused(503, "COM_HUBBUB_REBUILDING");
        alice.post(["rooms", room, "leave"], &json!({})).refused(503, "COM_HUBBUB_REBUILDING");
        lost.server.account("carol").post(["join", room], &json!({})).refused(503, "COM_HUBBUB_REBUILDING");
        let page = alice.query(["rooms", room, "messages"], &[("dir", "b")]).ok();
        assert_eq!(page["chunk"][0]["content"]["body"], "archived", "it is read meanwhile");
        lost.server.advance(60_000);
        lost.send("after").refused(503, "COM_HUBBUB_REBUILDING");

        lost.server.host().set_unreachable(None);
        lost.server.advance(10_000);
        lost.send("after").ok();
        lost.gets_exactly(&["after"], &follower.name);
    }
}

#[test]
fn a_rebuild_repeated_while_a_follower_is_silent_ends_once_it_speaks() {
    let lost = Lost::new(4);
    lost.server.host().set_unreachable(Some(Address::new(Class::Appservice, "bridge")));
    lost.rebuild().refused(503, "COM_HUBBUB_REBUILDING");
    lost.server.host().crash_all();
    lost.rebuild().refused(503, "COM_HUBBUB_REBUILDING");
    lost.server.host().set_unreachable(None);
    lost.rebuild().ok();
    lost.send("after").ok();
    lost.gets_exactly(&["after"], "after three rebuilds");
}

#[test]
fn whoever_sends_while_a_room_is_rebuilt_is_refused_or_heard_by_all() {
    for seed in 0..12 {
        let lost = Lost::new(seed);
        lost.server.set_settling(false);
        let body = json!({"room_id": lost.room});
        let uri = "/_hubbub/admin/v1/rebuild-room";
        let token = Some(hubbub_native::server::ADMIN_TOKEN);
        let rebuild = lost.server.start(hubbub_native::client::request(Method::POST, uri, token, Some(&body)));
        let mut said = false;
        for _ in 0..60 {
            let reply = lost.send("meanwhile");
            said = reply.status == 200;
            if said {
                break;
            }
            assert!([404, 503].contains(&reply.status), "seed {seed}: {} {}", reply.status, reply.text());
        }
        lost.server.finish(&rebuild).ok();
        lost.server.set_settling(true);
        if !said {
            lost.send("meanwhile").ok();
        }
        lost.gets_exactly(&["meanwhile"], &format!("seed {seed}"));
    }
}
