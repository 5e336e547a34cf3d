//! `/user_directory/search`: who finds whom, and by what.

use http::Method;
use hubbub_native::{Client, Reply, TestServer, bridge};
use serde_json::{Value as Json, json};

fn search(client: &Client, term: &str) -> Reply {
    client.post(["user_directory", "search"], &json!({"search_term": term}))
}

/// The localparts found, in order.
#[track_caller]
fn found(client: &Client, term: &str) -> Vec<String> {
    let answer = search(client, term).ok();
    let results = answer["results"].as_array().expect("results are a list");
    let ids = results.iter().map(|user| user["user_id"].as_str().expect("an id"));
    ids.map(|id| id.trim_start_matches('@').split(':').next().unwrap_or_default().to_owned()).collect()
}

fn named(server: &TestServer, localpart: &str, name: &str) -> Client {
    let user = server.account(localpart);
    let own = user.user_id.clone();
    user.put(["profile", &own, "displayname"], &json!({"displayname": name})).ok();
    user
}

#[test]
fn a_member_of_a_public_room_is_found_by_everybody() {
    let server = TestServer::new();
    let alice = named(&server, "user-1", "Alice Public");
    let eve = server.account("user-2");
    assert!(found(&eve, "alice").is_empty(), "without a room nobody is found");
    let own = alice.user_id.clone();
    alice.put(["profile", &own, "avatar_url"], &json!({"avatar_url": "mxc://hub.example/a"})).ok();

    let room = alice.public_room();

    let answer = search(&eve, "Alice Public").ok();
    let expected = json!({"user_id": own, "display_name": "Alice Public", "avatar_url": "mxc://hub.example/a"});
    assert_eq!(answer, json!({"results": [expected], "limited": false}));
    assert_eq!(found(&eve, "@user"), ["user-1"], "the searcher is not");
    alice.set_state(&room, "m.room.join_rules", "", &json!({"join_rule": "invite"})).ok();
    server.advance(60_000);
    assert!(found(&eve, "alice").is_empty());
    let world = json!({"history_visibility": "world_readable"});
    alice.set_state(&room, "m.room.history_visibility", "", &world).ok();
    server.advance(60_000);
    assert_eq!(found(&eve, "alice"), ["user-1"]);
    alice.leave(&room);
    assert!(found(&eve, "alice").is_empty());
}

#[test]
fn members_of_a_private_room_find_each_other_and_nobody_else_does() {
    let server = TestServer::new();
    let (alice, bob) = (named(&server, "alice", "Alice"), named(&server, "bob", "Bob"));
    let eve = server.account("eve");
    let room = alice.create_room(&json!({}));
    alice.member(&room, "invite", &bob).ok();
    assert!(found(&bob, "alice").is_empty(), "an invite is not enough");
    assert!(found(&alice, "bob").is_empty());

    bob.join(&room);

    assert_eq!(found(&bob, "alice"), ["alice"]);
    assert_eq!(found(&alice, "bob"), ["bob"]);
    assert!(found(&eve, "alice").is_empty());
    assert!(found(&eve, "@").is_empty());
    alice.member(&room, "kick", &bob).ok();
    server.advance(60_000);
    assert!(found(&bob, "alice").is_empty());
    assert!(found(&alice, "bob").is_empty());
}

#[test]
fn a_name_of_one_room_is_no_name_in_the_directory() {
    let server = TestServer::new();
    let (alice, bob) = (named(&server, "alice", "Public Name"), server.account("bob"));
    alice.public_room();
    let private = bob.create_room(&json!({}));
    bob.member(&private, "invite", &alice).ok();
    alice.join(&private);
    let own = alice.user_id.clone();
    let member = json!({"membership": "join", "displayname": "Secret Name"});
    alice.set_state(&private, "m.room.member", &own, &member).ok();
    let eve = server.account("eve");

    assert!(found(&eve, "secret").is_empty());
    assert_eq!(search(&bob, "public").ok()["results"][0]["display_name"], "Public Name");
    assert!(found(&bob, "secret").is_empty());
}

#[test]
fn words_are_found_anywhere_in_name_or_localpart_and_the_best_come_first() {
    let server = TestServer::new();
    let eve = server.account("eve");
    for (localpart, name) in
        [("carla", "Anna Berg"), ("berg", "Zoe"), ("x1", "Rosenberg"), ("x2", "Äpfel Berger"), ("x3", "Berg")]
    {
        named(&server, localpart, name).public_room();
    }

    assert_eq!(found(&eve, "berg"), ["berg", "x3", "carla", "x2", "x1"]);
    assert_eq!(found(&eve, "BERG anna"), ["carla"]);
    assert_eq!(found(&eve, "äPFEL"), ["x2"], "case is that of all languages");
    assert_eq!(found(&eve, "@berg:hub.example"), ["berg"]);
    assert_eq!(found(&eve, "@berg:hub"), ["berg"], "while it is being typed");
    assert!(found(&eve, "@berg:other.example").is_empty());
    assert!(found(&eve, "hub.example").is_empty(), "everybody is of this server");
    assert!(found(&eve, "%").is_empty());
    assert!(found(&eve, "").is_empty());
    assert!(found(&eve, "  ").is_empty());
}

#[test]
fn a_user_without_a_name_is_found_by_the_localpart() {
    let server = TestServer::new();
    let (plain, eve) = (server.account("plain"), server.account("eve"));
    plain.public_room();

    let answer = search(&eve, "lain").ok();

    assert_eq!(answer["results"], json!([{"user_id": plain.user_id}]));
}

#[test]
fn the_limit_is_kept_and_said() {
    let server = TestServer::new();
    let eve = server.account("eve");
    let room = server.account("user-00").public_room();
    for number in 1..60 {
        server.account(&format!("user-{number:02}")).join(&room);
    }
    let ask = |limit: Json| {
        let answer = eve.post(["user_directory", "search"], &json!({"search_term": "user", "limit": limit})).ok();
        (answer["results"].as_array().unwrap().len(), answer["limited"].as_bool().unwrap())
    };

    assert_eq!(ask(json!(3)), (3, true));
    assert_eq!(ask(json!(0)), (0, true));
    assert_eq!(ask(json!(1_000)), (50, true), "at most fifty");
    assert_eq!(search(&eve, "user").ok()["results"].as_array().unwrap().len(), 10);
    assert_eq!(search(&eve, "user-07").ok()["limited"], false);
}

#[test]
fn ghosts_of_a_bridge_are_found_by_whoever_shares_a_room_with_them() {
    let server = TestServer::new();
    server.register_appservice(bridge::REGISTRATION).ok();
    let token = bridge::TOKEN;
    let body = json!({"type": "m.login.application_service", "username": "_bridge_kim"});
    server.send(Method::POST, "/_matrix/client/v3/register", Some(token), Some(&body)).ok();
    let ghost = server.appservice_user(token, "@_bridge_kim:hub.example");
    let own = ghost.user_id.clone();
    ghost.put(["profile", &own, "displayname"], &json!({"displayname": "Kim of Slack"})).ok();
    let (alice, eve) = (server.account("alice"), server.account("eve"));
    let room = alice.create_room(&json!({"invite": [own]}));
    ghost.join(&room);

    assert_eq!(found(&alice, "kim"), ["_bridge_kim"]);
    assert_eq!(found(&alice, "@_bridge"), ["_bridge_kim"]);
    assert!(found(&eve, "kim").is_empty());
    assert_eq!(found(&ghost, "alice"), ["alice"], "an appservice may ask, too");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let ask = |body: Json| alice.post(["user_directory", "search"], &body);

    ask(json!({})).refused(400, "M_BAD_JSON");
    ask(json!({"search_term": 7})).refused(400, "M_BAD_JSON");
    ask(json!({"search_term": "x".repeat(513)})).refused(400, "M_INVALID_PARAM");
    ask(json!({"search_term": "x", "limit": -1})).refused(400, "M_BAD_JSON");
    server
        .post("/_matrix/client/v3/user_directory/search", &json!({"search_term": "x"}))
        .refused(401, "M_MISSING_TOKEN");
    alice.post(["logout"], &json!({})).ok();
    search(&alice, "x").refused(401, "M_UNKNOWN_TOKEN");
}
