//! The native server has the same D1 as the deployed one.

use std::path::Path;

use futures_util::FutureExt as _;
use hubbub_native::{
    Options, TestServer,
    server::{MIGRATIONS, SEARCH_MIGRATIONS},
};
use hubbub_storage::{
    directory::{Directory as _, Statement},
    native::NativeDirectory,
};
use serde_json::json;

fn texts_in(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a text")).collect()
}

#[test]
fn every_migration_is_applied_in_order() {
    assert_eq!(texts_in("."), MIGRATIONS, "tests/native/src/server.rs lists each migration");
    assert_eq!(texts_in("search"), SEARCH_MIGRATIONS, "tests/native/src/server.rs lists each migration");
}

#[test]
fn rooms_that_were_listed_before_the_directory_showed_more_are_shown_completely() {
    let places = MIGRATIONS.iter().position(|migration| migration.contains("CREATE TABLE network_rooms"));
    let (before, since) = MIGRATIONS.split_at(places.expect("the migration is there"));
    let old = NativeDirectory::with_migrations(before.iter().copied()).expect("the migrations apply");
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

    let directory = NativeDirectory::from_dump(&dump, since.iter().copied()).expect("the migrations apply");
    let server = TestServer::with(Options { directory: Some(directory), ..Options::default() });

    let page = server.get("/_matrix/client/v3/publicRooms").ok();
    let expected = json!([{
        "room_id": "!old:hub.example", "name": "Lobby", "room_type": "m.space", "join_rule": "knock",
        "num_joined_members": 3, "world_readable": false, "guest_can_join": true,
    }]);
    assert_eq!(page["chunk"], expected);
}
