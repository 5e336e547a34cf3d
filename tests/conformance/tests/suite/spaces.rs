//! The hierarchy of spaces, and the summary of a room.

use hubbub_conformance::{Call, Homeserver, User};
use serde_json::{Value, json};

fn hierarchy(user: &User, room: &str) -> Call {
    user.get(["rooms", room, "hierarchy"]).version("v1")
}

fn ids(page: &Value) -> Vec<&str> {
    let rooms = page["rooms"].as_array().expect("rooms is an array");
    rooms.iter().map(|room| room["room_id"].as_str().expect("a room id")).collect()
}

fn sorted<'a>(rooms: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut rooms: Vec<&str> = rooms.into_iter().collect();
    rooms.sort_unstable();
    rooms
}

/// The rooms that a room of the page links to, in order.
fn children<'a>(page: &'a Value, room: &str) -> Vec<&'a str> {
    let rooms = page["rooms"].as_array().expect("rooms is an array");
    let entry = rooms.iter().find(|entry| entry["room_id"] == room).expect("the room is there");
    let links = entry["children_state"].as_array().expect("children_state is an array");
    assert!(links.iter().all(|link| link["type"] == "m.space.child"));
    links.iter().map(|link| link["state_key"].as_str().expect("a state key")).collect()
}

async fn link(user: &User, space: &str, child: &str, suggested: bool) {
    let content = json!({"via": [user.server_name()], "suggested": suggested});
    user.put_state(space, "m.space.child", child, content).await.ok();
    // Links are ordered by age, in milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

async fn room(user: &User, name: &str) -> String {
    user.create_room(json!({"preset": "public_chat", "name": name})).await
}

async fn space(user: &User, preset: &str, name: &str) -> String {
    user.create_room(json!({"preset": preset, "name": name, "creation_content": {"type": "m.space"}})).await
}

struct Graph {
    alice: User,
    root: String,
    r1: String,
    ss1: String,
    ss2: String,
    r2: String,
    r3: String,
    r4: String,
}

impl Graph {
    /// root → R1 (suggested), SS1, R2 (suggested); SS1 → SS2 → R3, R4; R2 is a plain room that links to R5.
    async fn new() -> Self {
        let server = Homeserver::from_env();
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        let root = space(&alice, "public_chat", "Root").await;
        let (ss1, ss2) = (space(&alice, "public_chat", "SS1").await, space(&alice, "public_chat", "SS2").await);
        let (r1, r2, r3) = (room(&alice, "R1").await, room(&alice, "R2").await, room(&alice, "R3").await);
        let r5 = room(&alice, "R5").await;
        let readable = json!({"history_visibility": "world_readable"});
        let initial_state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": readable}]);
        let body = json!({"preset": "public_chat", "name": "R4", "initial_state": initial_state});
        let r4 = bob.create_room(body).await;
        link(&alice, &root, &r1, true).await;
        link(&alice, &root, &ss1, false).await;
        link(&alice, &root, &r2, true).await;
        link(&alice, &ss1, &ss2, false).await;
        link(&alice, &ss2, &r3, false).await;
        link(&alice, &ss2, &r4, false).await;
        link(&alice, &r2, &r5, false).await;
        let parent = json!({"via": [alice.server_name()], "canonical": true});
        alice.put_state(&r2, "m.space.parent", &root, parent).await.ok();
        Self { alice, root, r1, ss1, ss2, r2, r3, r4 }
    }
}

/// Suite: TestClientSpacesSummary/query whole graph
#[tokio::test]
async fn the_whole_graph_is_shown_without_what_a_plain_room_links_to() {
    let graph = Graph::new().await;

    let page = hierarchy(&graph.alice, &graph.root).await.ok();

    let Graph { root, r1, ss1, ss2, r2, r3, r4, .. } = &graph;
    assert_eq!(sorted(ids(&page)), sorted([root, r1, ss1, ss2, r2, r3, r4].map(String::as_str)));
    let names = [(root, "Root"), (r1, "R1"), (ss1, "SS1"), (ss2, "SS2"), (r2, "R2"), (r3, "R3"), (r4, "R4")];
    for entry in page["rooms"].as_array().expect("an array") {
        let (room, name) = names.iter().find(|(room, _)| entry["room_id"] == room.as_str()).expect("a known room");
        assert_eq!(entry["name"], *name);
        let is_space = [root, ss1, ss2].contains(room);
        assert_eq!(entry["room_type"] == "m.space", is_space);
    }
    assert_eq!(children(&page, root), [r1, ss1, r2]);
    assert_eq!(children(&page, ss1), [ss2]);
    assert_eq!(children(&page, ss2), [r3, r4]);
}

/// Suite: TestClientSpacesSummary/max_depth
#[tokio::test]
async fn the_walk_ends_at_the_depth_that_is_asked_for() {
    let graph = Graph::new().await;

    let page = hierarchy(&graph.alice, &graph.root).query("max_depth", "1").await.ok();

    let Graph { root, r1, ss1, ss2, r2, .. } = &graph;
    assert_eq!(sorted(ids(&page)), sorted([root, r1, ss1, r2].map(String::as_str)));
    assert_eq!(children(&page, root), [r1, ss1, r2]);
    assert_eq!(children(&page, ss1), [ss2]);
}

/// Suite: TestClientSpacesSummary/suggested_only
#[tokio::test]
async fn only_suggested_rooms_are_shown_on_demand() {
    let graph = Graph::new().await;

    let page = hierarchy(&graph.alice, &graph.root).query("suggested_only", "true").await.ok();

    let Graph { root, r1, r2, .. } = &graph;
    assert_eq!(sorted(ids(&page)), sorted([root, r1, r2].map(String::as_str)));
    assert_eq!(children(&page, root), [r1, r2]);
}

/// Suite: TestClientSpacesSummary/pagination
#[tokio::test]
async fn the_walk_goes_depth_first_and_goes_on_from_a_token() {
    let graph = Graph::new().await;
    let Graph { alice, root, r1, ss1, ss2, r2, r3, r4 } = &graph;

    let first = hierarchy(alice, root).query("limit", "4").await.ok();
    let token = first["next_batch"].as_str().expect("a token");
    let second = hierarchy(alice, root).query("from", token).await.ok();

    assert_eq!(ids(&first), [root, r1, ss1, ss2]);
    assert_eq!(ids(&second), [r3, r4, r2]);
}

/// Suite: TestClientSpacesSummary/redact link
#[tokio::test]
async fn a_link_without_content_takes_its_subtree_away() {
    let graph = Graph::new().await;
    let Graph { alice, root, r1, ss1, r2, .. } = &graph;

    alice.put_state(root, "m.space.child", ss1, json!({})).await.ok();

    let page = hierarchy(alice, root).await.ok();
    assert_eq!(sorted(ids(&page)), sorted([root, r1, r2].map(String::as_str)));
    assert_eq!(children(&page, root), [r1, r2]);
}

/// Suite: TestClientSpacesSummaryJoinRules
#[tokio::test]
async fn rooms_that_a_user_may_not_see_are_left_out_with_what_is_below() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = space(&alice, "public_chat", "Root").await;
    let private = |name: &'static str| alice.create_room(json!({"preset": "private_chat", "name": name}));
    let (r1, r2, r3) = (private("R1").await, private("R2").await, private("R3").await);
    let ss1 = space(&alice, "private_chat", "SS1").await;
    link(&alice, &root, &r1, false).await;
    link(&alice, &root, &ss1, false).await;
    link(&alice, &ss1, &r2, false).await;
    link(&alice, &ss1, &r3, false).await;
    bob.join(&root).await;

    let page = hierarchy(&bob, &root).await.ok();
    assert_eq!(ids(&page), [root.as_str()]);
    assert_eq!(children(&page, &root), [r1.as_str(), ss1.as_str()]);

    alice.invite(&r1, &bob).await.ok();
    alice.invite(&r3, &bob).await.ok();
    assert_eq!(ids(&hierarchy(&bob, &root).await.ok()), [root.as_str(), r1.as_str()]);

    alice.invite(&ss1, &bob).await.ok();
    let page = hierarchy(&bob, &root).await.ok();
    assert_eq!(ids(&page), [root.as_str(), r1.as_str(), ss1.as_str(), r3.as_str()]);
    assert_eq!(children(&page, &ss1), [r2.as_str(), r3.as_str()]);
}

/// Suite: TestRestrictedRoomsSpacesSummaryLocal
#[tokio::test]
async fn a_restricted_child_shows_to_members_of_its_space() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let readable = json!({"history_visibility": "world_readable"});
    let initial_state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": readable}]);
    let root = alice
        .create_room(json!({
            "preset": "public_chat", "creation_content": {"type": "m.space"}, "initial_state": initial_state,
        }))
        .await;
    let child = restricted(&alice, &root).await;
    link(&alice, &root, &child, false).await;

    assert_eq!(ids(&hierarchy(&bob, &root).await.ok()), [root.as_str()]);
    bob.join(&root).await;
    assert_eq!(ids(&hierarchy(&bob, &root).await.ok()), [root.as_str(), child.as_str()]);
}

/// A room of version 8 that lets the members of another one in.
async fn restricted(user: &User, allowed: &str) -> String {
    let rule = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": allowed}]});
    let initial_state = json!([{"type": "m.room.join_rules", "state_key": "", "content": rule}]);
    user.create_room(json!({"preset": "private_chat", "room_version": "8", "initial_state": initial_state})).await
}

/// Suite: TestRoomSummaryAllowedRoomIDs/restricted room includes allowed_room_ids
#[tokio::test]
async fn the_summary_of_a_restricted_room_names_the_rooms_whose_members_it_lets_in() {
    let alice = Homeserver::from_env().register("alice").await;
    let allowed = room(&alice, "Allowed").await;
    let room = restricted(&alice, &allowed).await;

    let summary = alice.get(["room_summary", &room]).version("v1").await.with_status(200);

    assert_eq!(summary["room_id"], room.as_str());
    assert_eq!(summary["join_rule"], "restricted");
    assert_eq!(summary["allowed_room_ids"], json!([allowed]));
}

/// Suite: TestRoomSummaryAllowedRoomIDs/non-restricted room omits allowed_room_ids
#[tokio::test]
async fn the_summary_of_another_room_has_no_such_key() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({"preset": "private_chat"})).await;

    let summary = alice.get(["room_summary", &room]).version("v1").await.with_status(200);

    assert_eq!(summary["room_id"], room.as_str());
    assert!(summary.get("allowed_room_ids").is_none());
}
