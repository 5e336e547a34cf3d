//! Rooms made today can federate tomorrow: Synapse's own checks accept every event of them.

use std::process::Command;

use base64::Engine as _;
use hubbub_core::contract::room::{ExportPage, MembershipAction, RoomCommand, SendEvent, Sent};
use ruma::RoomVersionId;
use serde_json::json;

use crate::support::{TestRoom, send, user};

/// The Python that has Synapse; `None` (said aloud) where the peer is missing, but never in CI.
fn python() -> Option<std::path::PathBuf> {
    let home = std::env::var_os("PEER_HOME").map_or_else(
        || std::path::PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join("peer"),
        Into::into,
    );
    let python = home.join("synapse/bin/python");
    if python.exists() {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", python.display());
    eprintln!("skipped: {} is missing", python.display());
    None
}

fn lively_room(version: &RoomVersionId) -> TestRoom {
    let room = TestRoom::with(version.clone(), "invite", "shared");
    room.member("alice", MembershipAction::Invite, "bob").unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.set_state("alice", "m.room.topic", json!({"topic": "τ€𝄞"})).unwrap();
    let sent = room.text("bob", "héllo \u{1F600}\u{0}\u{1f} \"\\/").unwrap();
    room.ask::<Sent>(RoomCommand::Send(Box::new(SendEvent {
        redacts: Some(sent.event_id),
        ..send("alice", "m.room.redaction", None, json!({"reason": "r"}))
    })))
    .unwrap();
    let levels = json!({"users": {"@bob:hub.test": 50, "@alice:hub.test": 100}, "events": {"m.x": 10}});
    let levels = match version {
        RoomVersionId::V12 => json!({"users": {"@bob:hub.test": 50}, "events": {"m.x": 10}}),
        _ => levels,
    };
    room.set_state("alice", "m.room.power_levels", levels).unwrap();
    room.member("bob", MembershipAction::Invite, "carol").unwrap();
    room.member("carol", MembershipAction::Leave, "carol").unwrap();
    room.member("alice", MembershipAction::Ban, "dave").unwrap();
    room.member("alice", MembershipAction::Unban, "dave").unwrap();
    room.ask::<()>(RoomCommand::UpdateProfile {
        user_id: user("bob"),
        profile: hubbub_core::contract::room::Profile { displayname: Some("Bob".to_owned()), avatar_url: None },
    })
    .unwrap();
    room.set_state("alice", "m.room.join_rules", json!({"join_rule": "public"})).unwrap();
    room.member("erin", MembershipAction::Join, "erin").unwrap();
    room.member("alice", MembershipAction::Kick, "erin").unwrap();
    room
}

#[test]
fn synapse_accepts_our_rooms_event_by_event_in_every_version() {
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/accept_room.py");
    for version in 2..=12 {
        let version = RoomVersionId::try_from(version.to_string()).unwrap();
        let room = lively_room(&version);
        let page: ExportPage = room.ask(RoomCommand::Export { after: 0, limit: 500 }).unwrap();
        let key = &room.context.config.secrets.signing_key;
        let file = std::env::temp_dir().join(format!("hubbub-room-{}-{version}.json", std::process::id()));
        let export = json!({
            "room_version": version,
            "server_name": "hub.test",
            "key_id": format!("ed25519:{}", key.version()),
            "public_key": base64::engine::general_purpose::STANDARD_NO_PAD.encode(key.public_key()),
            "events": page.events,
        });
        std::fs::write(&file, export.to_string()).unwrap();
        let output = Command::new(&python).arg(script).arg(&file).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "version {version}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), format!("accepted {} events", page.events.len()));
    }
}
