//! Restricted joins: membership elsewhere opens the door, and only the server says who vouches.

use hubbub_native::{Client, Options, Reply, TestServer};
use ruma::RoomVersionId;
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn rule(rooms: &[&str]) -> Json {
    let allow: Vec<Json> = rooms
        .iter()
        .map(|room| json!({"type": "m.room_membership", "room_id": room, "via": ["hub.example"]}))
        .collect();
    json!({"join_rule": "restricted", "allow": allow})
}

fn restricted(creator: &Client, version: &str, rule: &Json) -> String {
    creator.create_room(&json!({
        "preset": "private_chat", "room_version": version,
        "initial_state": [{"type": "m.room.join_rules", "content": rule}],
    }))
}

fn join(client: &Client, room: &str) -> Reply {
    client.post(["join", room], &json!({}))
}

fn member(reader: &Client, room: &str, of: &Client) -> Json {
    reader.state(room, "m.room.member", &of.user_id).ok()
}

#[test]
fn a_member_of_a_named_room_joins_and_the_event_says_who_vouched() {
    let (_, alice, bob) = two();
    for (version, kind) in [("8", "restricted"), ("10", "knock_restricted"), ("12", "restricted")] {
        let allowed = alice.public_room();
        let mut rule = rule(&["!nowhere:hub.example", &allowed]);
        rule["join_rule"] = kind.into();
        let room = restricted(&alice, version, &rule);

        join(&bob, &room).refused(403, "M_FORBIDDEN");
        bob.join(&allowed);
        join(&bob, &room).ok();

        let expected = json!({"membership": "join", "join_authorised_via_users_server": alice.user_id});
        assert_eq!(member(&alice, &room, &bob), expected, "{version}");
        bob.leave(&room);
        bob.leave(&allowed);
        join(&bob, &room).refused(403, "M_FORBIDDEN");
    }
}

#[test]
fn membership_elsewhere_is_asked_for_at_the_moment_of_the_join() {
    let (server, alice, bob) = two();
    let allowed = alice.public_room();
    let room = restricted(&alice, "12", &rule(&[&allowed]));
    bob.join(&allowed);
    // No delivery, no archive has gone out when the question is asked.
    server.set_settling(false);
    alice.member(&allowed, "kick", &bob).ok();
    join(&bob, &room).refused(403, "M_FORBIDDEN");
}

#[test]
fn nobody_names_who_vouches_for_their_own_join() {
    let (_, alice, bob) = two();
    let allowed = alice.public_room();
    let room = restricted(&alice, "12", &rule(&[&allowed]));
    let forged = json!({"membership": "join", "join_authorised_via_users_server": alice.user_id});
    bob.post(["join", &room], &forged).refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.member", &bob.user_id, &forged).refused(403, "M_FORBIDDEN");
    // A join as state is let in as any other, with the server's own word.
    bob.join(&allowed);
    let content = json!({"membership": "join", "join_authorised_via_users_server": "@carol:hub.example"});
    bob.set_state(&room, "m.room.member", &bob.user_id, &content).ok();
    assert_eq!(member(&alice, &room, &bob)["join_authorised_via_users_server"], alice.user_id);
    // Whoever is in needs nobody's word.
    let again = json!({"membership": "join", "displayname": "B", "join_authorised_via_users_server": "unused"});
    bob.set_state(&room, "m.room.member", &bob.user_id, &again).ok();
    assert_eq!(member(&alice, &room, &bob), json!({"membership": "join", "displayname": "B"}));
}

#[test]
fn an_invite_opens_a_restricted_room_and_a_ban_closes_it() {
    let (_, alice, bob) = two();
    let allowed = alice.public_room();
    let room = restricted(&alice, "12", &rule(&[&allowed]));
    alice.member(&room, "invite", &bob).ok();
    join(&bob, &room).ok();
    assert_eq!(member(&alice, &room, &bob), json!({"membership": "join"}));
    alice.member(&room, "ban", &bob).ok();
    bob.join(&allowed);
    join(&bob, &room).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_mangled_rule_lets_nobody_in() {
    let (_, alice, bob) = two();
    let allowed = alice.public_room();
    bob.join(&allowed);
    let room = restricted(&alice, "8", &rule(&[&allowed]));
    for allow in [json!(["invalid"]), json!("invalid"), json!([{"type": "other", "room_id": allowed}]), json!([{}])] {
        alice.set_state(&room, "m.room.join_rules", "", &json!({"join_rule": "restricted", "allow": allow})).ok();
        join(&bob, &room).refused(403, "M_FORBIDDEN");
    }
    alice.set_state(&room, "m.room.join_rules", "", &rule(&[&allowed])).ok();
    join(&bob, &room).ok();
}

#[test]
fn a_version_without_restricted_rooms_does_not_know_the_rule() {
    let (_, alice, bob) = two();
    let allowed = alice.public_room();
    bob.join(&allowed);
    join(&bob, &restricted(&alice, "7", &rule(&[&allowed]))).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_room_that_names_itself_lets_nobody_in() {
    let (_, alice, bob) = two();
    let room = restricted(&alice, "12", &rule(&[]));
    alice.set_state(&room, "m.room.join_rules", "", &rule(&[&room])).ok();
    join(&bob, &room).refused(403, "M_FORBIDDEN");
}

/// A restricted room with Alice and Carol, and Bob who is in the room that lets him in.
fn three_of_whom_bob_is_outside() -> (Client, Client, Client, String) {
    let server = TestServer::with(Options { default_room_version: RoomVersionId::V11, ..Options::default() });
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let allowed = alice.public_room();
    let room = restricted(&alice, "11", &rule(&[&allowed]));
    bob.join(&allowed);
    carol.join(&allowed);
    join(&carol, &room).ok();
    (alice, bob, carol, room)
}

#[test]
fn where_nobody_may_invite_nobody_can_vouch() {
    let (alice, bob, carol, room) = three_of_whom_bob_is_outside();
    let levels =
        |invite: i64, carols: i64| json!({"invite": invite, "users": {&alice.user_id: 100, &carol.user_id: carols}});
    alice.set_state(&room, "m.room.power_levels", "", &levels(50, 50)).ok();
    alice.leave(&room);
    // Carol is the only one left who may.
    join(&bob, &room).ok();
    assert_eq!(member(&carol, &room, &bob)["join_authorised_via_users_server"], carol.user_id);
    bob.leave(&room);
    carol.leave(&room);
    join(&bob, &room).refused(400, "M_UNABLE_TO_GRANT_JOIN");
}

#[test]
fn where_everybody_may_invite_any_member_vouches() {
    let (alice, bob, carol, room) = three_of_whom_bob_is_outside();
    alice.leave(&room);
    join(&bob, &room).ok();
    assert_eq!(member(&carol, &room, &bob)["join_authorised_via_users_server"], carol.user_id);
}
