//! The public room directory: who lists rooms, who finds them, and how it is paged.

use http::Method;
use hubbub_native::{Client, Reply, TestServer, client::with_query};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn listed_room(creator: &Client, name: &str) -> String {
    creator.create_room(&json!({"preset": "public_chat", "visibility": "public", "name": name}))
}

fn list(client: &Client, room: &str, visibility: &str) -> Reply {
    client.put(["directory", "list", "room", room], &json!({"visibility": visibility}))
}

fn search(client: &Client, body: Json) -> Json {
    client.post(["publicRooms"], &body).ok()
}

fn ids(page: &Json) -> Vec<String> {
    let chunk = page["chunk"].as_array().expect("a chunk");
    chunk.iter().map(|room| room["room_id"].as_str().expect("an id").to_owned()).collect()
}

fn found(client: &Client, term: &str) -> Vec<String> {
    ids(&search(client, json!({"filter": {"generic_search_term": term}})))
}

#[test]
fn a_listed_room_shows_all_that_it_is() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({
        "visibility": "public", "room_alias_name": "lobby", "name": "Lobby", "topic": "Everything",
        "creation_content": {"type": "m.space"},
        "initial_state": [
            {"type": "m.room.avatar", "content": {"url": "mxc://hub.example/a"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}},
        ],
    }));

    let page = bob.get(["publicRooms"]).ok();

    let expected = json!([{
        "room_id": room, "canonical_alias": "#lobby:hub.example", "name": "Lobby", "topic": "Everything",
        "avatar_url": "mxc://hub.example/a", "room_type": "m.space", "join_rule": "public",
        "num_joined_members": 1, "world_readable": true, "guest_can_join": true,
    }]);
    assert_eq!(page["chunk"], expected);
    assert_eq!(page["total_room_count_estimate"], 1);
}

#[test]
fn a_listed_room_shows_a_change_at_once_and_one_that_is_not_listed_costs_nothing() {
    let (server, alice, bob) = two();
    let listed = listed_room(&alice, "Lobby");
    let other = alice.create_room(&json!({"preset": "public_chat", "name": "Attic"}));
    server.set_settling(false);
    let alias = json!({"room_id": listed});
    alice.put(["directory", "room", "#hall:hub.example"], &alias).ok();
    let changes = [
        ("m.room.name", json!({"name": "Hall"})),
        ("m.room.topic", json!({"topic": "Echoes"})),
        ("m.room.canonical_alias", json!({"alias": "#hall:hub.example"})),
        ("m.room.join_rules", json!({"join_rule": "knock"})),
    ];
    for (event_type, content) in &changes {
        alice.set_state(&listed, event_type, "", content).ok();
    }

    let shown = &bob.get(["publicRooms"]).ok()["chunk"][0];
    assert_eq!((&shown["name"], &shown["topic"]), (&json!("Hall"), &json!("Echoes")));
    assert_eq!((&shown["canonical_alias"], &shown["join_rule"]), (&json!("#hall:hub.example"), &json!("knock")));

    alice.set_state(&other, "m.room.topic", "", &json!({"topic": "warm"})).ok();
    let before = server.directory().counts();
    for (event_type, content) in &changes {
        if *event_type != "m.room.canonical_alias" {
            alice.set_state(&other, event_type, "", content).ok();
        }
    }
    assert_eq!(server.directory().counts(), before);
}

#[test]
fn a_stranger_reads_the_directory_without_a_token_but_does_not_search_it() {
    let (server, alice, _) = two();
    let room = listed_room(&alice, "Lobby");
    assert_eq!(ids(&server.get("/_matrix/client/v3/publicRooms").ok()), [room]);
    server.post("/_matrix/client/v3/publicRooms", &json!({})).refused(401, "M_MISSING_TOKEN");
}

#[test]
fn listing_is_read_by_the_next_request_and_undone_again() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    let visibility = || {
        let uri = format!("/_matrix/client/v3/directory/list/room/{room}");
        server.get(&uri).ok()["visibility"].clone()
    };
    server.set_settling(false);
    assert_eq!(visibility(), "private");
    list(&alice, &room, "public").ok();
    assert_eq!(visibility(), "public");
    assert_eq!(ids(&bob.get(["publicRooms"]).ok()), [room.as_str()]);
    list(&alice, &room, "private").ok();
    assert_eq!(visibility(), "private");
    assert_eq!(ids(&bob.get(["publicRooms"]).ok()), [] as [String; 0]);
    // Without a visibility, public is meant.
    alice.put(["directory", "list", "room", &room], &json!({})).ok();
    assert_eq!(visibility(), "public");
}

#[test]
fn listing_survives_the_loss_of_the_rooms_memory_and_its_rebuilding() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    list(&alice, &room, "public").ok();
    let room_id: ruma::OwnedRoomId = room.parse().expect("an id");
    server.crash(&hubbub_core::contract::Address::room(&room_id));
    alice.set_state(&room, "m.room.name", "", &json!({"name": "New"})).ok();
    server.advance(60_000);
    assert_eq!(found(&bob, "new"), [room.as_str()]);
    server.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();
    alice.set_state(&room, "m.room.name", "", &json!({"name": "Newer"})).ok();
    server.advance(60_000);
    assert_eq!(found(&bob, "newer"), [room]);
}

#[test]
fn only_members_who_may_set_the_canonical_alias_list_a_room() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    list(&bob, &room, "public").refused(403, "M_FORBIDDEN");
    bob.join(&room);
    list(&bob, &room, "public").refused(403, "M_FORBIDDEN");
    list(&alice, "!nowhere:hub.example", "public").refused(404, "M_NOT_FOUND");
    list(&alice, &room, "sometimes").refused(400, "M_BAD_JSON");
    server.get("/_matrix/client/v3/directory/list/room/!nowhere:hub.example").refused(404, "M_NOT_FOUND");

    let levels = json!({"users": {}, "events": {"m.room.canonical_alias": 0}});
    alice.set_state(&room, "m.room.power_levels", "", &levels).ok();
    list(&bob, &room, "public").ok();
    alice.leave(&room);
    list(&alice, &room, "private").refused(403, "M_FORBIDDEN");
}

#[test]
fn a_listed_room_that_strangers_cannot_enter_or_read_is_not_shown() {
    let (server, alice, bob) = two();
    let room = listed_room(&alice, "Secret");
    let show = |join_rule: &str| {
        alice.set_state(&room, "m.room.join_rules", "", &json!({"join_rule": join_rule})).ok();
        server.advance(60_000);
        bob.get(["publicRooms"]).ok()["chunk"][0]["join_rule"].clone()
    };
    assert_eq!(show("invite"), Json::Null);
    assert_eq!(bob.get(["publicRooms"]).ok()["total_room_count_estimate"], 0);
    assert_eq!(show("knock"), "knock");
    assert_eq!(show("knock_restricted"), "knock_restricted");
    assert_eq!(show("restricted"), Json::Null);
    let readable = json!({"history_visibility": "world_readable"});
    alice.set_state(&room, "m.room.history_visibility", "", &readable).ok();
    assert_eq!(show("invite"), "invite");
    assert_eq!(show("public"), "public");
    // The last one to leave closes the room.
    alice.leave(&room);
    assert_eq!(ids(&bob.get(["publicRooms"]).ok()), [] as [String; 0]);
}

#[test]
fn names_topics_and_aliases_are_searched_whatever_their_case() {
    let (_, alice, bob) = two();
    let lobby = alice.create_room(&json!({"visibility": "public", "name": "Größe", "topic": "Many Things"}));
    let attic = alice.create_room(&json!({"visibility": "public", "room_alias_name": "attic"}));
    assert_eq!(found(&bob, "GRÖSSE"), [] as [String; 0]);
    assert_eq!(found(&bob, "GRÖßE"), [lobby.as_str()]);
    assert_eq!(found(&bob, "things"), [lobby]);
    assert_eq!(found(&bob, "#ATTIC:"), [attic]);
    assert_eq!(found(&bob, "%"), [] as [String; 0]);
    assert_eq!(found(&bob, " ").len(), 2);
    let long = json!({"filter": {"generic_search_term": "x".repeat(256)}});
    bob.post(["publicRooms"], &long).refused(400, "M_INVALID_PARAM");
}

#[test]
fn rooms_are_chosen_by_their_type() {
    let (_, alice, bob) = two();
    let room = listed_room(&alice, "Room");
    let space = alice.create_room(&json!({"visibility": "public", "creation_content": {"type": "m.space"}}));
    let of = |types: Json| ids(&search(&bob, json!({"filter": {"room_types": types}})));
    assert_eq!(of(json!(["m.space"])), [space.as_str()]);
    assert_eq!(of(json!([null])), [room]);
    assert_eq!(of(json!([null, "m.space"])).len(), 2);
    assert_eq!(of(json!([])).len(), 2);
    assert_eq!(of(json!(["m.other"])), [] as [String; 0]);
    bob.post(["publicRooms"], &json!({"filter": {"room_types": [1]}})).refused(400, "M_BAD_JSON");
}

#[test]
fn the_list_is_paged_both_ways_by_members() {
    let (server, alice, bob) = two();
    let carol = server.account("carol");
    let rooms: Vec<String> = (0..5).map(|number| listed_room(&alice, &format!("Room {number}"))).collect();
    for room in &rooms[..2] {
        bob.join(room);
    }
    carol.join(&rooms[1]);
    let mut small: Vec<String> = rooms[2..].to_vec();
    small.sort();
    let expected: Vec<String> = [rooms[1].clone(), rooms[0].clone()].into_iter().chain(small).collect();
    let page = |since: Option<&str>| {
        let mut query = vec![("limit", "2")];
        query.extend(since.map(|since| ("since", since)));
        let uri = with_query("/_matrix/client/v3/publicRooms".to_owned(), &query);
        server.get(&uri).ok()
    };

    let first = page(None);
    let second = page(first["next_batch"].as_str());
    let third = page(second["next_batch"].as_str());
    let back = page(third["prev_batch"].as_str());
    let start = page(back["prev_batch"].as_str());
    let again = page(start["next_batch"].as_str());

    assert_eq!(ids(&first), expected[..2]);
    assert!(first.get("prev_batch").is_none());
    assert_eq!(ids(&second), expected[2..4]);
    assert_eq!(ids(&third), expected[4..]);
    assert!(third.get("next_batch").is_none());
    assert_eq!(ids(&back), expected[2..4]);
    assert_eq!(ids(&start), expected[..2]);
    assert!(start.get("prev_batch").is_none());
    assert_eq!(ids(&again), expected[2..4]);
    assert_eq!(first["total_room_count_estimate"], 5);
    for bad in ["x", "f", "fx_!a:b", "f1_nonsense", "f-1_!a:b"] {
        let uri = with_query("/_matrix/client/v3/publicRooms".to_owned(), &[("since", bad)]);
        server.get(&uri).refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(ids(&search(&bob, json!({"limit": 1}))), expected[..1]);
}

#[test]
fn other_servers_directories_are_not_asked_for() {
    let (server, alice, _) = two();
    listed_room(&alice, "Room");
    let ours = server.get("/_matrix/client/v3/publicRooms?server=hub.example").ok();
    assert_eq!(ids(&ours).len(), 1);
    server.get("/_matrix/client/v3/publicRooms?server=elsewhere.example").refused(403, "M_FORBIDDEN");
}

const NETWORK: &str = "
id: net
url: http://net.example
as_token: the_as_token_of_the_network
hs_token: the_hs_token_of_the_network
sender_localpart: netbot
namespaces: {}
";

#[test]
fn an_appservice_lists_rooms_under_its_networks() {
    let (server, alice, bob) = two();
    server.register_appservice(NETWORK).ok();
    let bot = server.appservice_user("the_as_token_of_the_network", "@netbot:hub.example");
    let (main, network) = (listed_room(&alice, "Main"), alice.public_room());
    let path = ["directory", "list", "appservice", "irc", &network];
    bot.put(path, &json!({"visibility": "public"})).ok();

    assert_eq!(ids(&search(&bob, json!({}))), [main.as_str()]);
    assert_eq!(ids(&search(&bob, json!({"third_party_instance_id": "net|irc"}))), [network.as_str()]);
    assert_eq!(ids(&search(&bob, json!({"third_party_instance_id": "net|other"}))), [] as [String; 0]);
    let mut all = ids(&search(&bob, json!({"include_all_networks": true})));
    let mut both = vec![main, network.clone()];
    all.sort();
    both.sort();
    assert_eq!(all, both);
    let contradiction = json!({"include_all_networks": true, "third_party_instance_id": "net|irc"});
    bob.post(["publicRooms"], &contradiction).refused(400, "M_INVALID_PARAM");

    alice.put(path, &json!({"visibility": "private"})).refused(403, "M_FORBIDDEN");
    let nowhere = ["directory", "list", "appservice", "irc", "!nowhere:hub.example"];
    bot.put(nowhere, &json!({"visibility": "public"})).refused(404, "M_NOT_FOUND");
    bot.put(path, &json!({"visibility": "private"})).ok();
    assert_eq!(ids(&search(&bob, json!({"third_party_instance_id": "net|irc"}))), [] as [String; 0]);
}
