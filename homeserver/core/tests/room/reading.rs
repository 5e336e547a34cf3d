//! Who reads what: pages, events, state, members.

use hubbub_core::contract::room::{MembershipAction, Messages, MessagesAnswer, RoomCommand, Sent};
use ruma::RoomVersionId;
use serde_json::{Value as Json, json};

use crate::support::{TestRoom, actor, status, user};

fn page(room: &TestRoom, reader: &str, from: Option<String>, backwards: bool) -> MessagesAnswer {
    try_page(room, reader, from, backwards).unwrap()
}

fn try_page(
    room: &TestRoom,
    reader: &str,
    from: Option<String>,
    backwards: bool,
) -> hubbub_core::error::Result<MessagesAnswer> {
    room.ask(RoomCommand::Messages(Box::new(Messages {
        reader: actor(reader),
        from,
        to: None,
        backwards,
        limit: 7,
        filter: None,
    })))
}

fn bodies(answer: &MessagesAnswer) -> Vec<String> {
    answer
        .chunk
        .iter()
        .filter_map(|event| {
            let event: Json = serde_json::from_str(event.get()).unwrap();
            event["content"]["body"].as_str().map(ToOwned::to_owned)
        })
        .collect()
}

#[test]
fn paging_visits_each_event_once_in_both_directions() {
    let room = TestRoom::new();
    for number in 0..40 {
        room.text("alice", &number.to_string()).unwrap();
    }
    for backwards in [true, false] {
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let answer = page(&room, "alice", from, backwards);
            seen.extend(bodies(&answer));
            from = answer.end;
            if from.is_none() {
                break;
            }
        }
        let mut expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        if backwards {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_malformed_token_is_an_invalid_param() {
    let room = TestRoom::new();
    let asked = try_page(&room, "alice", Some("nonsense".to_owned()), true);
    assert_eq!(status(asked), (400, "M_INVALID_PARAM".to_owned()));
}

#[test]
fn strangers_read_nothing_and_learn_nothing() {
    let room = TestRoom::new();
    let sent = room.text("alice", "hi").unwrap();
    assert_eq!(status(try_page(&room, "bob", None, true)).0, 403);
    let event = RoomCommand::Event { reader: actor("bob"), event_id: sent.event_id };
    assert_eq!(status(room.ask::<Json>(event)), (404, "M_NOT_FOUND".to_owned()));
    let state = RoomCommand::State { reader: user("bob") };
    assert_eq!(status(room.ask::<Json>(state)).0, 403);
}

#[test]
fn joined_visibility_hides_what_was_said_before_the_join() {
    let room = TestRoom::with(RoomVersionId::V11, "public", "joined");
    room.text("alice", "private").unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.text("alice", "hello bob").unwrap();
    assert_eq!(bodies(&page(&room, "bob", None, true)), ["hello bob"]);
}

#[test]
fn a_former_member_sees_the_room_as_it_was_on_leaving() {
    let room = TestRoom::new();
    room.set_state("alice", "m.room.name", json!({"name": "old"})).unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.text("alice", "seen").unwrap();
    room.member("bob", MembershipAction::Leave, "bob").unwrap();
    room.set_state("alice", "m.room.name", json!({"name": "new"})).unwrap();
    room.text("alice", "unseen").unwrap();
    let name = |reader: &str| -> Json {
        room.ask(RoomCommand::StateEvent {
            reader: user(reader),
            event_type: "m.room.name".to_owned(),
            state_key: String::new(),
        })
        .unwrap()
    };
    assert_eq!(name("bob")["content"]["name"], "old");
    assert_eq!(name("alice")["content"]["name"], "new");
    assert_eq!(bodies(&page(&room, "bob", None, true)), ["seen"]);
}

#[test]
fn a_forgotten_room_is_closed_until_the_next_join() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    let forget = || room.ask::<()>(RoomCommand::Forget { user_id: user("bob") });
    assert_eq!(status(forget()), (400, "M_UNKNOWN".to_owned()));
    room.member("bob", MembershipAction::Leave, "bob").unwrap();
    forget().unwrap();
    assert_eq!(status(try_page(&room, "bob", None, true)).0, 403);
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    page(&room, "bob", None, true);
}

#[test]
fn the_transaction_id_is_shown_to_the_device_that_sent_it() {
    let room = TestRoom::new();
    let sent: Sent = room
        .ask(RoomCommand::Send(Box::new(hubbub_core::contract::room::SendEvent {
            transaction_id: Some("t1".to_owned()),
            ..crate::support::send("alice", "m.room.message", None, json!({"body": "x"}))
        })))
        .unwrap();
    let ask = |device: &str| -> Json {
        room.ask(RoomCommand::Event {
            reader: hubbub_core::contract::room::Actor {
                user_id: user("alice"),
                device: device.to_owned(),
                ignored: Vec::new(),
            },
            event_id: sent.event_id.clone(),
        })
        .unwrap()
    };
    assert_eq!(ask("DEVICE")["unsigned"]["transaction_id"], "t1");
    assert_eq!(ask("OTHER")["unsigned"].get("transaction_id"), None);
}

#[test]
fn members_can_be_asked_for_at_a_token_and_by_membership() {
    let room = TestRoom::new();
    let before = page(&room, "alice", None, true).start;
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.member("alice", MembershipAction::Invite, "carol").unwrap();
    let members = |at: Option<String>, membership: Option<&str>| -> Vec<Json> {
        room.ask(RoomCommand::Members {
            reader: user("alice"),
            at,
            membership: membership.map(ToOwned::to_owned),
            not_membership: None,
        })
        .unwrap()
    };
    assert_eq!(members(Some(before), None).len(), 1);
    assert_eq!(members(None, None).len(), 3);
    assert_eq!(members(None, Some("invite")).len(), 1);
}

#[test]
fn context_shows_the_neighbours_and_pages_on() {
    let room = TestRoom::new();
    let sent: Vec<Sent> = (0..9).map(|number| room.text("alice", &number.to_string()).unwrap()).collect();
    let context: hubbub_core::contract::room::ContextAnswer = room
        .ask(RoomCommand::Context {
            reader: actor("alice"),
            event_id: sent[4].event_id.clone(),
            limit: 4,
            filter: None,
        })
        .unwrap();
    let body = |event: &serde_json::value::RawValue| -> String {
        let event: Json = serde_json::from_str(event.get()).unwrap();
        event["content"]["body"].as_str().unwrap().to_owned()
    };
    let all = |events: &[Box<serde_json::value::RawValue>]| -> Vec<String> {
        events.iter().map(|event| body(event)).collect()
    };
    assert_eq!(all(&context.events_before), ["3", "2"]);
    assert_eq!(all(&context.events_after), ["5", "6"]);
    assert_eq!(bodies(&page(&room, "alice", Some(context.end), false)), ["7", "8"]);
    assert_eq!(bodies(&page(&room, "alice", Some(context.start), true))[..2], ["1", "0"]);
}
