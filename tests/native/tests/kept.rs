//! Data that earlier versions left opens in this one: every file in `kept/` is a whole server.
//!
//! A new schema step or migration brings a new file: `HUBBUB_KEEP=NAME cargo test -p hubbub-native
//! --test kept` writes it. Files that are there never change.

use std::{collections::BTreeSet, fs, path::PathBuf};

use hubbub_core::contract::Class;
use hubbub_native::{
    Options, TestServer,
    kept::{Kept, prove_every, prove_this_version},
};
use hubbub_storage::conformance::SCHEMAS;
use serde_json::json;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/kept"))
}

/// Two people, a room, history, state, receipts, account data.
fn lived_in() -> Kept {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    let room_id = alice.create_room(&json!({"preset": "public_chat", "name": "Kept", "topic": "what stays"}));
    bob.join(&room_id);
    for number in 0..80 {
        alice.send_text(&room_id, &format!("message {number}"));
    }
    bob.send_with(&room_id, "kept-transaction", "from bob").ok();
    alice.post(["keys", "upload"], &json!({"one_time_keys": {"signed_curve25519:kept": {"key": "kept"}}})).ok();
    server.advance(60_000);
    Kept::of(&server, room_id)
}

fn prove(kept: &Kept) {
    let server = kept.open(Options { seed: 7, ..Options::default() });
    let (alice, bob) = (server.login("alice", None), server.login("bob", None));
    let first = bob.sync(None);
    assert!(first.bodies(&kept.room_id).contains(&"message 79".to_owned()));
    assert_eq!(alice.state(&kept.room_id, "m.room.topic", "").ok()["topic"], "what stays");
    let sent = alice.send_text(&kept.room_id, "from this version");
    let next = bob.sync(Some(&first.next_batch()));
    assert_eq!(next.bodies(&kept.room_id), ["from this version"]);
    let page = alice.query(["rooms", &kept.room_id, "messages"], &[("dir", "b"), ("limit", "200")]).ok();
    let chunk = page["chunk"].as_array().unwrap();
    assert_eq!(chunk[0]["event_id"], sent.as_str());
    let bodies = chunk.iter().filter_map(|event| event["content"]["body"].as_str());
    assert_eq!(bodies.filter(|body| body.starts_with("message ")).count(), 80);
    let search = json!({"search_categories": {"room_events": {"search_term": "message 42"}}});
    let found = alice.post(["search"], &search).ok();
    assert_eq!(found["search_categories"]["room_events"]["count"], 1, "the index fills itself");
    let body = json!({"device_keys": {
        "user_id": alice.user_id, "device_id": alice.device_id, "algorithms": [], "signatures": {},
        "keys": { format!("ed25519:{}", alice.device_id): "A".repeat(43) },
    }});
    let since = bob.sync(None).next_batch();
    alice.post(["keys", "upload"], &body).ok();
    let lists = &bob.sync(Some(&since)).0["device_lists"];
    assert_eq!(lists["changed"], json!([alice.user_id]), "who is in a room from before shares keys");
    let stranger = server.account("stranger");
    let people = stranger.post(["user_directory", "search"], &json!({"search_term": "bob"})).ok();
    assert_eq!(people["results"][0]["user_id"], bob.user_id, "a public room opens the directory");
}

#[test]
fn a_server_that_any_earlier_version_left_goes_on() {
    prove_every(&folder(), lived_in, prove);
}

#[test]
fn a_server_of_this_version_can_be_kept() {
    prove_this_version(&lived_in(), prove);
}

/// The bridges' own tests open the second folder.
#[test]
fn data_of_every_class_is_kept() {
    let mut classes = BTreeSet::new();
    for folder in [folder(), PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../bridges/slack/tests/kept"))] {
        for entry in fs::read_dir(folder).unwrap() {
            let kept: Kept = serde_json::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
            classes.extend(kept.objects.iter().filter_map(|object| match object.class {
                Class::Room => Some("room"),
                Class::User => Some("user"),
                Class::UserKeys => Some("keys"),
                Class::Appservice => Some("appservice"),
                Class::Login => Some("login"),
                Class::Portal => Some("portal"),
                // It keeps nothing but when to wake.
                Class::Gateway => None,
            }));
        }
    }
    assert_eq!(classes, SCHEMAS.iter().map(|(name, _)| *name).collect());
}
