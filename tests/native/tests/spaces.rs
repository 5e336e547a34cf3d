//! The hierarchy of a space and the summary of a room: what they show, and to whom they show
//! nothing.

use http::Method;
use hubbub_core::contract::Class;
use hubbub_native::{Client, Reply, TestServer, client::with_query};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn space(creator: &Client, preset: &str, name: &str) -> String {
    creator.create_room(&json!({"preset": preset, "name": name, "creation_content": {"type": "m.space"}}))
}

fn link(client: &Client, space: &str, child: &str, content: Json) {
    client.set_state(space, "m.space.child", child, &content).ok();
    // Children are ordered by age.
    client.server.advance(10);
}

fn via() -> Json {
    json!({"via": ["hub.example"]})
}

fn hierarchy(client: &Client, room: &str, query: &[(&str, &str)]) -> Reply {
    let path = format!("/_matrix/client/v1/rooms/{room}/hierarchy");
    client.ask(Method::GET, &with_query(path, query), None)
}

fn names(page: &Json) -> Vec<&str> {
    page["rooms"].as_array().expect("rooms").iter().map(|room| room["name"].as_str().unwrap_or("?")).collect()
}

fn links<'a>(page: &'a Json, name: &str) -> Vec<&'a str> {
    let rooms = page["rooms"].as_array().expect("rooms");
    let room = rooms.iter().find(|room| room["name"] == name).expect("the room is there");
    let links = room["children_state"].as_array().expect("children");
    links.iter().map(|event| event["state_key"].as_str().expect("a key")).collect()
}

/// root → r1 (suggested), ss1 → ss2 → r3, r4; r2 (suggested), which links to r5 though it is no
/// space.
struct Graph {
    server: TestServer,
    alice: Client,
    root: String,
    r1: String,
    ss1: String,
    r2: String,
}

fn graph() -> Graph {
    let (server, alice, _) = two();
    let room = |name: &str| alice.create_room(&json!({"preset": "public_chat", "name": name}));
    let root = space(&alice, "public_chat", "root");
    let (ss1, ss2) = (space(&alice, "public_chat", "ss1"), space(&alice, "public_chat", "ss2"));
    let (r1, r2, r3, r4, r5) = (room("r1"), room("r2"), room("r3"), room("r4"), room("r5"));
    let suggested = json!({"via": ["hub.example"], "suggested": true});
    link(&alice, &root, &r1, suggested.clone());
    link(&alice, &root, &ss1, via());
    link(&alice, &root, &r2, suggested);
    link(&alice, &ss1, &ss2, via());
    link(&alice, &ss2, &r3, via());
    link(&alice, &ss2, &r4, via());
    link(&alice, &r2, &r5, via());
    Graph { server, alice, root, r1, ss1, r2 }
}

#[test]
fn a_space_is_walked_depth_first_in_the_order_of_its_links() {
    let Graph { alice, root, r1, ss1, r2, .. } = graph();
    let page = hierarchy(&alice, &root, &[]).ok();
    assert_eq!(names(&page), ["root", "r1", "ss1", "ss2", "r3", "r4", "r2"]);
    assert_eq!(links(&page, "root"), [&r1, &ss1, &r2]);
    assert_eq!(links(&page, "r2"), [] as [&str; 0]);
    assert_eq!(page["rooms"][0]["room_type"], "m.space");
    assert!(page["rooms"][1].get("room_type").is_none());
    assert!(page.get("next_batch").is_none());
    let first = &page["rooms"][0]["children_state"][0];
    assert_eq!(first["type"], "m.space.child");
    assert_eq!(first["content"], json!({"via": ["hub.example"], "suggested": true}));
    assert_eq!(first["sender"], alice.user_id);
    assert!(first["origin_server_ts"].is_i64());
}

#[test]
fn depth_and_suggestion_narrow_the_walk() {
    let Graph { alice, root, r1, r2, .. } = graph();
    let shallow = hierarchy(&alice, &root, &[("max_depth", "1")]).ok();
    assert_eq!(names(&shallow), ["root", "r1", "ss1", "r2"]);
    assert_eq!(links(&shallow, "root").len(), 3);
    assert_eq!(links(&shallow, "ss1").len(), 1, "links that are not followed are still shown");
    assert_eq!(names(&hierarchy(&alice, &root, &[("max_depth", "0")]).ok()), ["root"]);
    let suggested = hierarchy(&alice, &root, &[("suggested_only", "true")]).ok();
    assert_eq!(names(&suggested), ["root", "r1", "r2"]);
    assert_eq!(links(&suggested, "root"), [&r1, &r2]);
}

#[test]
fn pages_go_on_where_they_ended_and_repeat_nothing() {
    let Graph { alice, root, ss1, .. } = graph();
    let first = hierarchy(&alice, &root, &[("limit", "4")]).ok();
    assert_eq!(names(&first), ["root", "r1", "ss1", "ss2"]);
    let token = first["next_batch"].as_str().expect("a token");
    let second = hierarchy(&alice, &root, &[("from", token)]).ok();
    assert_eq!(names(&second), ["r3", "r4", "r2"]);
    assert!(second.get("next_batch").is_none());
    let one_by_one = |limit: &str| {
        let mut all = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let mut query = vec![("limit", limit)];
            query.extend(from.as_deref().map(|from| ("from", from)));
            let page = hierarchy(&alice, &root, &query).ok();
            all.extend(names(&page).into_iter().map(str::to_owned));
            match page["next_batch"].as_str() {
                Some(next) => from = Some(next.to_owned()),
                None => return all,
            }
        }
    };
    let expected = ["root", "r1", "ss1", "ss2", "r3", "r4", "r2"];
    for limit in ["1", "2", "3", "5", "50", "5000"] {
        assert_eq!(one_by_one(limit), expected, "{limit}");
    }
    // A link that goes away meanwhile takes along what was to come below it.
    alice.set_state(&root, "m.space.child", &ss1, &json!({})).ok();
    assert_eq!(names(&hierarchy(&alice, &root, &[("from", token)]).ok()), ["r3", "r4", "r2"]);
    assert_eq!(names(&hierarchy(&alice, &root, &[]).ok()), ["root", "r1", "r2"]);
}

#[test]
fn a_token_belongs_to_its_user_and_parameters() {
    let Graph { server, alice, root, ss1, .. } = graph();
    let carol = server.account("carol");
    let first = hierarchy(&alice, &root, &[("limit", "2")]).ok();
    let from = ("from", first["next_batch"].as_str().expect("a token"));
    hierarchy(&carol, &root, &[from]).refused(400, "M_INVALID_PARAM");
    hierarchy(&alice, &ss1, &[from]).refused(400, "M_INVALID_PARAM");
    hierarchy(&alice, &root, &[from, ("max_depth", "3")]).refused(400, "M_INVALID_PARAM");
    hierarchy(&alice, &root, &[from, ("suggested_only", "true")]).refused(400, "M_INVALID_PARAM");
    hierarchy(&alice, &root, &[("from", "nonsense")]).refused(400, "M_INVALID_PARAM");
    for (key, value) in [("limit", "0"), ("limit", "-1"), ("max_depth", "-1"), ("suggested_only", "perhaps")] {
        hierarchy(&alice, &root, &[(key, value)]).refused(400, "M_INVALID_PARAM");
    }
}

#[test]
fn what_the_user_may_not_see_is_left_out_with_all_below_it() {
    let (_, alice, bob) = two();
    let root = space(&alice, "public_chat", "root");
    let hidden = space(&alice, "private_chat", "hidden");
    let below = alice.create_room(&json!({"preset": "private_chat", "name": "below"}));
    let open = alice.create_room(&json!({"preset": "public_chat", "name": "open"}));
    link(&alice, &root, &hidden, via());
    link(&alice, &hidden, &below, via());
    link(&alice, &hidden, &open, via());
    bob.join(&root);

    let page = hierarchy(&bob, &root, &[]).ok();
    assert_eq!(names(&page), ["root"]);
    assert_eq!(links(&page, "root"), [&hidden], "the link is part of the space that is seen");
    alice.member(&below, "invite", &bob).ok();
    assert_eq!(names(&hierarchy(&bob, &root, &[]).ok()), ["root"]);
    alice.member(&hidden, "invite", &bob).ok();
    let page = hierarchy(&bob, &root, &[]).ok();
    assert_eq!(names(&page), ["root", "hidden", "below", "open"]);
    assert_eq!(links(&page, "hidden").len(), 2);
    alice.member(&hidden, "ban", &bob).ok();
    assert_eq!(names(&hierarchy(&bob, &root, &[]).ok()), ["root"]);
}

#[test]
fn a_root_that_may_not_be_seen_looks_like_one_that_is_not_there() {
    let (server, alice, bob) = two();
    let root = space(&alice, "private_chat", "root");
    let hidden = hierarchy(&bob, &root, &[]).refused(403, "M_FORBIDDEN");
    let absent = hierarchy(&bob, "!nowhere:hub.example", &[]).refused(403, "M_FORBIDDEN");
    assert_eq!(hidden, absent);
    let uri = format!("/_matrix/client/v1/rooms/{root}/hierarchy");
    server.get(&uri).refused(401, "M_MISSING_TOKEN");
    // A token that was given before shows nothing once the door is closed.
    let other = alice.public_room();
    link(&alice, &root, &other, via());
    alice.member(&root, "invite", &bob).ok();
    let first = hierarchy(&bob, &root, &[("limit", "1")]).ok();
    bob.leave(&root);
    let from = first["next_batch"].as_str().expect("a token");
    hierarchy(&bob, &root, &[("from", from)]).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_restricted_child_is_seen_by_members_of_the_space() {
    let (_, alice, bob) = two();
    let root = alice.create_room(&json!({
        "preset": "public_chat", "name": "root", "creation_content": {"type": "m.space"},
        "initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}],
    }));
    let allow = json!([{"type": "m.room_membership", "room_id": root}]);
    let child = alice.create_room(&json!({
        "preset": "private_chat", "name": "child",
        "initial_state": [{"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": allow}}],
    }));
    link(&alice, &root, &child, via());
    assert_eq!(names(&hierarchy(&bob, &root, &[]).ok()), ["root"]);
    bob.join(&root);
    let page = hierarchy(&bob, &root, &[]).ok();
    assert_eq!(names(&page), ["root", "child"]);
    assert_eq!(page["rooms"][1]["join_rule"], "restricted");
    assert_eq!(page["rooms"][1]["allowed_room_ids"], json!([root]));
}

#[test]
fn order_comes_before_age_and_broken_links_count_for_nothing() {
    let (_, alice, _) = two();
    let root = space(&alice, "public_chat", "root");
    let room = |name: &str| alice.create_room(&json!({"preset": "public_chat", "name": name}));
    let (a, b, c, d, e, f) = (room("a"), room("b"), room("c"), room("d"), room("e"), room("f"));
    let ordered = |order: &str| json!({"via": ["hub.example"], "order": order});
    link(&alice, &root, &a, via());
    link(&alice, &root, &b, ordered("2"));
    link(&alice, &root, &c, ordered("1"));
    link(&alice, &root, &d, ordered(&"x".repeat(51)));
    link(&alice, &root, &e, json!({"via": []}));
    link(&alice, &root, &f, json!({"via": "hub.example"}));
    alice.set_state(&root, "m.space.child", "nonsense", &via()).ok();
    alice.set_state(&root, "m.space.child", "!nowhere:hub.example", &via()).ok();
    let page = hierarchy(&alice, &root, &[]).ok();
    assert_eq!(names(&page), ["root", "c", "b", "a", "d"]);
}

#[test]
fn spaces_that_contain_each_other_end_the_walk() {
    let (_, alice, _) = two();
    let (one, other) = (space(&alice, "public_chat", "one"), space(&alice, "public_chat", "other"));
    link(&alice, &one, &other, via());
    link(&alice, &other, &one, via());
    link(&alice, &other, &other, via());
    assert_eq!(names(&hierarchy(&alice, &one, &[]).ok()), ["one", "other"]);
}

#[test]
fn each_room_of_a_hierarchy_is_asked_once() {
    let Graph { server, alice, root, .. } = graph();
    server.take_calls();
    hierarchy(&alice, &root, &[]).ok();
    let calls = server.take_calls();
    let rooms: Vec<_> = calls.iter().filter(|call| call.class == Class::Room).map(|call| &call.name).collect();
    let mut once = rooms.clone();
    once.sort();
    once.dedup();
    assert_eq!((rooms.len(), once.len(), calls.len()), (7, 7, 8));
}

fn summary(client: &Client, room: &str) -> Reply {
    client.ask(Method::GET, &format!("/_matrix/client/v1/room_summary/{}", room.replace('#', "%23")), None)
}

#[test]
fn a_summary_shows_a_room_to_who_may_join_it() {
    let (server, alice, bob) = two();
    let room = alice.create_room(&json!({
        "preset": "public_chat", "name": "Lobby", "topic": "All", "room_alias_name": "lobby", "room_version": "11",
        "initial_state": [
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
            {"type": "m.room.avatar", "content": {"url": "mxc://hub.example/a"}},
        ],
    }));
    let mut expected = json!({
        "room_id": room, "name": "Lobby", "topic": "All", "canonical_alias": "#lobby:hub.example",
        "avatar_url": "mxc://hub.example/a", "num_joined_members": 1, "join_rule": "public", "world_readable": false,
        "guest_can_join": false, "encryption": "m.megolm.v1.aes-sha2", "room_version": "11",
    });
    server.advance(60_000);
    assert_eq!(server.get(&format!("/_matrix/client/v1/room_summary/{room}")).ok(), expected);
    expected["membership"] = "leave".into();
    assert_eq!(summary(&bob, &room).ok(), expected);
    assert_eq!(summary(&bob, "#lobby:hub.example").ok(), expected);
    expected["membership"] = "join".into();
    assert_eq!(summary(&alice, &room).ok(), expected);
    expected["im.nheko.summary.room_version"] = "11".into();
    expected["im.nheko.summary.encryption"] = "m.megolm.v1.aes-sha2".into();
    for path in [format!("summary/{room}?via=hub.example"), format!("rooms/{room}/summary")] {
        let uri = format!("/_matrix/client/unstable/im.nheko.summary/{path}");
        assert_eq!(alice.ask(Method::GET, &uri, None).ok(), expected);
    }
}

#[test]
fn a_summary_gives_no_closed_room_away() {
    let (server, alice, bob) = two();
    let room = alice.create_room(&json!({"preset": "private_chat", "name": "Secret", "room_alias_name": "secret"}));
    server.advance(60_000);
    let absent = summary(&bob, "!nowhere:hub.example").refused(404, "M_NOT_FOUND");
    for hidden in [&room, "#secret:hub.example", "#nowhere:hub.example"] {
        assert_eq!(summary(&bob, hidden).refused(404, "M_NOT_FOUND"), absent);
        let uri = format!("/_matrix/client/v1/room_summary/{}", hidden.replace('#', "%23"));
        server.take_calls();
        assert_eq!(server.get(&uri).refused(404, "M_NOT_FOUND"), absent);
        assert!(server.take_calls().is_empty(), "a stranger wakes no closed room");
    }
    let uri = format!("/_matrix/client/v1/room_summary/{room}?access_token=forged");
    server.get(&uri).refused(401, "M_UNKNOWN_TOKEN");
    summary(&bob, "nonsense").refused(400, "M_INVALID_PARAM");

    alice.member(&room, "invite", &bob).ok();
    assert_eq!(summary(&bob, &room).ok()["membership"], "invite");
    bob.join(&room);
    bob.leave(&room);
    assert_eq!(summary(&bob, &room).refused(404, "M_NOT_FOUND"), absent);
}

#[test]
fn a_room_that_was_closed_a_moment_ago_is_closed_to_strangers() {
    let (server, alice, _) = two();
    let room = alice.public_room();
    server.advance(60_000);
    server.set_settling(false);
    alice.set_state(&room, "m.room.join_rules", "", &json!({"join_rule": "invite"})).ok();
    // D1 does not know yet; the room does.
    server.get(&format!("/_matrix/client/v1/room_summary/{room}")).refused(404, "M_NOT_FOUND");
}

#[test]
fn only_a_restricted_room_names_the_rooms_whose_members_it_lets_in() {
    let (_, alice, bob) = two();
    let allowed = alice.public_room();
    let allow = json!([{"type": "m.room_membership", "room_id": allowed}, "mangled"]);
    let content = json!({"join_rule": "restricted", "allow": allow});
    let room = alice.create_room(&json!({
        "preset": "private_chat", "room_version": "8",
        "initial_state": [{"type": "m.room.join_rules", "content": content}],
    }));
    let shown = summary(&alice, &room).ok();
    assert_eq!((&shown["join_rule"], &shown["allowed_room_ids"]), (&json!("restricted"), &json!([allowed])));
    let closed = alice.create_room(&json!({"preset": "private_chat"}));
    assert!(summary(&alice, &closed).ok().get("allowed_room_ids").is_none());
    summary(&bob, &room).refused(404, "M_NOT_FOUND");
    bob.join(&allowed);
    assert_eq!(summary(&bob, &room).ok()["membership"], "leave");
}
