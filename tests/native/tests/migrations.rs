//! D1 as earlier servers left it, brought up to date.

use futures_util::FutureExt as _;
use hubbub_native::{Options, TestServer};
use hubbub_storage::{
    directory::{Directory as _, Statement},
    native::NativeDirectory,
};
use serde_json::json;

#[test]
fn rooms_that_were_listed_before_the_directory_showed_more_are_shown_completely() {
    let migrations = NativeDirectory::migrations().expect("the migrations are there");
    let places = migrations.iter().position(|migration| migration.contains("CREATE TABLE network_rooms"));
    let (before, since) = migrations.split_at(places.expect("the migration is there"));
    let old = NativeDirectory::with_migrations(before.iter().map(String::as_str)).expect("the migrations apply");
    let room = "INSERT INTO rooms (room_id, version, creator, epoch, listed, name, topic, canonical_alias, joined_members, position) VALUES ('!old:hub.example', '11', '@alice:hub.example', 1, 1, 'Lobby', NULL, NULL, 3, 9)";
    let event = "INSERT INTO events (room_id, order_key, event_id, position, pdu, rejected, visibility) VALUES ('!old:hub.example', ?, ?, ?, ?, 0, 'shared')";
    let mut statements = vec![Statement::new(room, Vec::new())];
    let state = [
        ("m.room.create", json!({"type": "m.space"})),
        ("m.room.join_rules", json!({"join_rule": "invite"})),
        ("m.room.join_rules", json!({"join_rule": "knock"})),
        ("m.room.guest_access", json!({"guest_access": "can_join"})),
    ];
    for (order_key, (event_type, content)) in (1_i64..).zip(state) {
        let pdu = json!({"type": event_type, "state_key": "", "content": content}).to_string();
        let params = vec![order_key.into(), format!("${order_key}").into(), order_key.into(), pdu.into()];
        statements.push(Statement::new(event, params));
    }
    old.batch(statements).now_or_never().expect("it is done at once").expect("the rows are right");
    let dump = old.database().dump().expect("a dump");

    let directory = NativeDirectory::from_dump(&dump, since.iter().map(String::as_str)).expect("the migrations apply");
    let server = TestServer::with(Options { directory: Some(directory), ..Options::default() });

    let page = server.get("/_matrix/client/v3/publicRooms").ok();
    let expected = json!([{
        "room_id": "!old:hub.example", "name": "Lobby", "room_type": "m.space", "join_rule": "knock",
        "num_joined_members": 3, "world_readable": false, "guest_can_join": true,
    }]);
    assert_eq!(page["chunk"], expected);
}
