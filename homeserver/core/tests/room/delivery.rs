//! Followers get everything once and in order, whatever fails.

use hubbub_core::contract::room::{MembershipAction, RoomCommand};

use crate::support::{TestRoom, user};

#[test]
fn a_member_gets_each_event_once_and_in_order() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    for number in 0..250 {
        room.text("alice", &number.to_string()).unwrap();
        if number % 7 == 0 {
            room.work();
        }
    }
    room.work();
    let mut expected = vec!["m.room.member".to_owned()];
    expected.extend((0..250).map(|number| number.to_string()));
    assert_eq!(room.delivered("bob"), expected);
}

#[test]
fn a_join_comes_with_a_snapshot_of_state_and_history() {
    let room = TestRoom::new();
    room.text("alice", "before").unwrap();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.work();
    let deliveries = room.inboxes.deliveries.borrow();
    let first = &deliveries[user("bob").as_str()][0];
    let snapshot = first.snapshot.as_ref().unwrap();
    let types: Vec<_> = snapshot.state.iter().map(|event| event.event_type.as_str()).collect();
    assert!(types.contains(&"m.room.create") && types.contains(&"m.room.power_levels"));
    assert!(snapshot.history.iter().any(|event| event.event.get().contains("before")));
    assert_eq!(first.events.len(), 1);
    assert_eq!(first.room.joined, 2);
}

#[test]
fn an_invited_user_gets_the_invite_and_nothing_that_follows() {
    let room = TestRoom::new();
    room.member("alice", MembershipAction::Invite, "bob").unwrap();
    room.text("alice", "secret").unwrap();
    room.work();
    assert_eq!(room.delivered("bob"), ["m.room.member"]);
    let deliveries = room.inboxes.deliveries.borrow();
    let invite = &deliveries[user("bob").as_str()][0];
    assert!(invite.snapshot.is_none());
    assert!(invite.room.invite_state.iter().any(|event| event.get().contains("m.room.join_rules")));
}

#[test]
fn kicks_bans_and_rejections_arrive_and_end_the_span() {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    room.work();
    room.member("alice", MembershipAction::Kick, "bob").unwrap();
    room.text("alice", "gone").unwrap();
    room.member("alice", MembershipAction::Invite, "bob").unwrap();
    room.member("bob", MembershipAction::Leave, "bob").unwrap();
    room.text("alice", "still gone").unwrap();
    room.work();
    let expected = vec!["m.room.member"; 4];
    assert_eq!(room.delivered("bob"), expected);
}

#[test]
fn a_follower_that_was_away_catches_up_without_gap() {
    let room = TestRoom::new();
    room.inboxes.down.set(true);
    for number in 0..150 {
        room.text("alice", &number.to_string()).unwrap();
        room.work();
    }
    room.inboxes.down.set(false);
    room.work();
    let delivered = room.delivered("alice");
    let texts = &delivered[delivered.len() - 150..];
    assert_eq!(texts, (0..150).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_follower_that_lost_its_inbox_gets_a_snapshot_again() {
    let room = TestRoom::new();
    room.text("alice", "one").unwrap();
    room.work();
    room.inboxes.held.borrow_mut().clear();
    room.inboxes.deliveries.borrow_mut().clear();
    room.text("alice", "two").unwrap();
    room.work();
    let deliveries = room.inboxes.deliveries.borrow();
    assert!(deliveries[user("alice").as_str()][0].snapshot.is_some());
    assert!(room.delivered("alice").ends_with(&["one".to_owned(), "two".to_owned()]));
}

#[test]
fn an_unreachable_archive_never_blocks_a_send() {
    let room = TestRoom::new();
    room.directory.refuse.set(true);
    room.text("alice", "sent all the same").unwrap();
    room.work();
    assert!(room.delivered("alice").contains(&"sent all the same".to_owned()));
    room.directory.refuse.set(false);
    room.work();
}

#[test]
fn typing_ends_by_itself() {
    let room = TestRoom::new();
    let typing = |timeout_ms| RoomCommand::SetTyping { user_id: user("alice"), timeout_ms };
    room.ask::<()>(typing(Some(10_000))).unwrap();
    room.work();
    room.clock.0.set(room.clock.0.get() + 10_001);
    room.work();
    room.work();
    let deliveries = room.inboxes.deliveries.borrow();
    let typing: Vec<usize> = deliveries[user("alice").as_str()]
        .iter()
        .filter_map(|delivery| delivery.typing.as_ref().map(Vec::len))
        .collect();
    assert_eq!(typing, [1, 0]);
}

#[test]
fn a_send_costs_the_same_in_a_small_and_in_a_large_room() {
    let cost = |messages: usize| {
        let room = TestRoom::new();
        for number in 0..messages {
            room.text("alice", &number.to_string()).unwrap();
        }
        room.work();
        let before = room.database.counts();
        room.text("alice", "measured").unwrap();
        room.database.counts().since(before)
    };
    assert_eq!(cost(10), cost(1_000));
}

#[test]
fn a_crash_before_the_cursors_are_stored_repeats_nothing_that_was_taken() {
    let mut room = TestRoom::new();
    for number in 0..30 {
        room.text("alice", &number.to_string()).unwrap();
        room.work();
    }
    room.crash();
    room.text("alice", "after").unwrap();
    room.work();
    let delivered = room.delivered("alice");
    let mut expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    expected.push("after".to_owned());
    assert_eq!(delivered[delivered.len() - 31..], expected);
    assert_eq!(delivered.iter().filter(|body| *body == "7").count(), 1);
}

#[test]
fn the_archive_and_the_cursors_are_written_when_the_alarm_rings() {
    let room = TestRoom::new();
    room.work();
    let before = room.directory.counts();
    room.text("alice", "hello").unwrap();
    room.work();
    assert_eq!(room.directory.counts(), before);
    let alarm = room.database.alarm().unwrap();
    room.clock.0.set(alarm);
    room.work();
    assert_eq!(room.directory.counts().commits, before.commits + 1);
    let settled = room.database.counts();
    room.work();
    assert_eq!(room.database.counts().commits, settled.commits, "an idle room sleeps");
}
