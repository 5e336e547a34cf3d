//! What may enter a room, and what it becomes.

use hubbub_core::contract::room::{MembershipAction, RoomCommand, Sent};
use ruma::RoomVersionId;
use serde_json::{Value as Json, json};

use crate::support::{TestRoom, actor, send, status, user};

const VERSIONS: [RoomVersionId; 11] = [
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

fn event(room: &TestRoom, reader: &str, sent: &Sent) -> hubbub_core::error::Result<Json> {
    room.ask(RoomCommand::Event { reader: actor(reader), event_id: sent.event_id.clone() })
}

#[test]
fn every_room_version_from_2_to_12_takes_messages_joins_and_redactions() {
    for version in VERSIONS {
        let room = TestRoom::with(version.clone(), "public", "shared");
        room.member("bob", MembershipAction::Join, "bob").unwrap();
        let sent = room.text("bob", "hello").unwrap();
        let redaction: Sent = room
            .ask(RoomCommand::Send(Box::new(hubbub_core::contract::room::SendEvent {
                redacts: Some(sent.event_id.clone()),
                ..send("alice", "m.room.redaction", None, json!({"reason": "spam"}))
            })))
            .unwrap();
        let shown = event(&room, "alice", &sent).unwrap();
        assert_eq!(shown["content"], json!({}), "in version {version}");
        assert_eq!(shown["unsigned"]["redacted_because"]["event_id"], redaction.event_id.as_str());
    }
}

#[test]
fn repeating_a_transaction_id_returns_the_first_event() {
    let room = TestRoom::new();
    let again = || {
        room.ask::<Sent>(RoomCommand::Send(Box::new(hubbub_core::contract::room::SendEvent {
            transaction_id: Some("txn1".to_owned()),
            ..send("alice", "m.room.message", None, json!({"body": "hi"}))
        })))
        .unwrap()
    };
    assert_eq!(again(), again());
}

#[test]
fn setting_state_to_what_it_is_makes_no_event() {
    let room = TestRoom::new();
    let first = room.set_state("alice", "m.room.topic", json!({"topic": "t"})).unwrap();
    let second = room.set_state("alice", "m.room.topic", json!({"topic": "t"})).unwrap();
    let third = room.set_state("alice", "m.room.topic", json!({"topic": "u"})).unwrap();
    assert_eq!(first, second);
    assert_ne!(first, third);
}

#[test]
fn strangers_and_the_powerless_are_refused() {
    let room = TestRoom::new();
    assert_eq!(status(room.text("bob", "let me in")), (403, "M_FORBIDDEN".to_owned()));
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    assert_eq!(
        status(room.set_state("bob", "m.room.power_levels", json!({"users": {"@bob:hub.test": 100}}))),
        (403, "M_FORBIDDEN".to_owned())
    );
    assert_eq!(status(room.member("bob", MembershipAction::Ban, "alice")), (403, "M_FORBIDDEN".to_owned()));
}

#[test]
fn a_bridged_room_says_why_it_cannot_be_encrypted() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    let refused = || room.set_state("bob", "m.room.encryption", encryption.clone()).unwrap_err();
    assert!(!refused().error.contains("bridge"), "{:?}", refused());
    room.set_state("alice", "m.bridge", json!({"protocol": {"id": "slack"}})).unwrap();
    assert_eq!(refused().status, 403);
    assert!(refused().error.contains("bridge"), "{:?}", refused());
}

#[test]
fn a_banned_user_can_neither_rejoin_nor_be_invited() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.member("alice", MembershipAction::Ban, "bob").unwrap();
    assert_eq!(status(room.member("bob", MembershipAction::Join, "bob")).0, 403);
    assert_eq!(status(room.member("alice", MembershipAction::Invite, "bob")).0, 403);
    room.member("alice", MembershipAction::Unban, "bob").unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
}

#[test]
fn only_who_is_there_can_be_kicked() {
    let room = TestRoom::new();
    assert_eq!(status(room.member("alice", MembershipAction::Kick, "bob")).0, 403);
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.member("bob", MembershipAction::Leave, "bob").unwrap();
    assert_eq!(status(room.member("alice", MembershipAction::Kick, "bob")).0, 403);
}

#[test]
fn an_invite_can_be_declined_and_a_room_rejoined_after_it() {
    let room = TestRoom::with(RoomVersionId::V12, "invite", "shared");
    assert_eq!(status(room.member("bob", MembershipAction::Join, "bob")).0, 403);
    room.member("alice", MembershipAction::Invite, "bob").unwrap();
    room.member("bob", MembershipAction::Leave, "bob").unwrap();
    room.member("alice", MembershipAction::Invite, "bob").unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
}

#[test]
fn oversized_events_and_fractions_are_refused() {
    let room = TestRoom::new();
    let large = "x".repeat(70_000);
    assert_eq!(status(room.text("alice", &large)), (413, "M_TOO_LARGE".to_owned()));
    assert_eq!(status(room.send("alice", "m.test", json!({"n": 1.5}))), (400, "M_BAD_JSON".to_owned()));
    assert_eq!(
        status(room.send("alice", "m.test", json!({"n": 9_007_199_254_740_992_i64}))),
        (400, "M_BAD_JSON".to_owned())
    );
    assert_eq!(status(room.send("alice", &"t".repeat(256), json!({}))), (413, "M_TOO_LARGE".to_owned()));
}

#[test]
fn a_refused_event_leaves_nothing() {
    let room = TestRoom::new();
    let before: Json = room.ask(RoomCommand::Export { after: 0, limit: 100 }).unwrap();
    assert_eq!(status(room.text("bob", "no")).0, 403);
    let after: Json = room.ask(RoomCommand::Export { after: 0, limit: 100 }).unwrap();
    assert_eq!(before, after);
}

#[test]
fn others_messages_can_be_redacted_only_with_the_power_to() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.member("carol", MembershipAction::Join, "carol").unwrap();
    let sent = room.text("bob", "mine").unwrap();
    let redact = |who: &str| {
        room.ask::<Sent>(RoomCommand::Send(Box::new(hubbub_core::contract::room::SendEvent {
            redacts: Some(sent.event_id.clone()),
            ..send(who, "m.room.redaction", None, json!({}))
        })))
    };
    assert_eq!(status(redact("carol")).0, 403);
    redact("bob").unwrap();
}

#[test]
fn a_strangers_room_id_conjures_nothing() {
    use hubbub_core::object::Object as _;
    let room = TestRoom::new();
    let database = std::rc::Rc::new(hubbub_storage::native::NativeDatabase::in_memory().unwrap());
    let other =
        hubbub_core::room::RoomObject::open("!nobody:hub.test", database.clone(), room.context.clone()).unwrap();
    let asked = futures_util::FutureExt::now_or_never(other.handle(RoomCommand::State { reader: user("alice") }));
    assert_eq!(asked.unwrap().unwrap_err().status, 403);
    assert_eq!(hubbub_storage::schema::version(database.as_ref()).unwrap(), 0);
}
