//! What ARCHITECTURE's table of losses says, of objects that are lost with all that they stored.

use std::{cell::RefCell, rc::Rc};

use http::Method;
use hubbub_core::{
    context::Registration,
    contract::{Address, Class},
};
use hubbub_native::{Client, Options, TestServer, bridge};
use serde_json::{Value as Json, json};

/// The operator's link sets the owner's password; the owner logs in with it.
fn owner(server: &TestServer, password: &str) -> Client {
    let link = server.admin(Method::POST, "owner-link", &json!({})).ok();
    let url = link["url"].as_str().unwrap().strip_prefix("https://hub.example").unwrap().to_owned();
    let form = format!("username=owner&password={password}").into_bytes();
    let done = server.request(http::Request::post(url).body(form).unwrap());
    assert_eq!(done.status, 200, "{}", done.text());
    let body = json!({"type": "m.login.password", "user": "owner", "password": password});
    let session = server.post("/_matrix/client/v3/login", &body).ok();
    let text = |key: &str| session[key].as_str().unwrap().to_owned();
    server.session(&text("user_id"), &text("access_token"), &text("device_id"))
}

#[test]
fn a_lost_user_comes_back_by_an_owner_link_and_gets_rooms_as_snapshots_with_their_next_event() {
    let server = TestServer::with(Options { registration: Registration::Closed, ..Options::default() });
    let before = owner(&server, "the-first-password");
    let bob = server.account("bob");
    let room = before.create_room(&json!({"preset": "public_chat", "name": "Den"}));
    let quiet = before.create_room(&json!({"name": "Quiet"}));
    bob.join(&room);
    bob.send_text(&room, "before the loss");
    let name = json!({"displayname": "Olga"});
    before.put(["profile", &before.user_id, "displayname"], &name).ok();
    before.put(["user", &before.user_id, "account_data", "org.example.data"], &json!({"a": 1})).ok();
    server.advance(60_000);

    server.host().lose(&Address::new(Class::User, before.user_id.clone()));

    assert_eq!(before.get(["account", "whoami"]).status, 401, "sessions are lost");
    assert_eq!(bob.get(["profile", &before.user_id]).ok()["displayname"], "Olga", "D1 has the profile");
    bob.send_text(&room, "while it is gone");
    let after = owner(&server, "the-second-password");
    assert_eq!(after.user_id, before.user_id);
    assert_eq!(bob.get(["profile", &before.user_id]).ok()["displayname"], "Olga");
    server.advance(60_000);
    bob.send_text(&room, "after the loss");
    server.advance(60_000);

    let sync = after.sync(None);
    assert_eq!(sync.membership(&room, &after.user_id).as_deref(), Some("join"), "{:#}", sync.0);
    let all = sync.bodies(&room);
    assert_eq!(all, ["before the loss", "while it is gone", "after the loss"]);
    after.get(["user", &after.user_id, "account_data", "org.example.data"]).refused(404, "M_NOT_FOUND");
    assert!(sync.0["rooms"]["join"][&quiet].is_null(), "a room comes back when it has something to say");
    assert_eq!(after.state(&quiet, "m.room.name", "").ok()["name"], "Quiet", "but is read as ever");
    after.send_text(&quiet, "anybody here?");
    let sync = after.sync(Some(&sync.next_batch()));
    assert_eq!(sync.membership(&quiet, &after.user_id).as_deref(), Some("join"));
    assert_eq!(sync.bodies(&quiet), ["anybody here?"]);
}

#[test]
fn a_lost_appservice_object_is_sent_again_all_that_concerned_it() {
    let server = TestServer::new();
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let down = Rc::new(std::cell::Cell::new(false));
    let (log, failing) = (Rc::clone(&told), Rc::clone(&down));
    server.http().answer_by(move |request| {
        if failing.get() {
            return Ok(http::Response::builder().status(502).body(Vec::new()).unwrap());
        }
        let body: Json = serde_json::from_slice(request.body()).unwrap_or_default();
        let events = body["events"].as_array().cloned().unwrap_or_default();
        log.borrow_mut().extend(events.iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)));
        Ok(http::Response::new(b"{}".to_vec()))
    });
    server.register_appservice(bridge::REGISTRATION).ok();
    let bot = server.appservice_user("as_token_of_the_bridge", "@bridgebot:hub.example");
    let alice = server.account("alice");
    let room = alice.public_room();
    bot.join(&room);
    alice.send_text(&room, "taken");
    server.advance(60_000);
    down.set(true);
    alice.send_text(&room, "queued");
    server.advance(20_000);

    server.host().lose(&Address::new(Class::Appservice, "bridge"));
    down.set(false);

    alice.send_text(&room, "next");
    server.advance(600_000);
    assert_eq!(*told.borrow(), ["taken", "taken", "queued", "next"]);
}
