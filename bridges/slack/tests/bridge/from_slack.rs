//! From Slack to the room: once, in order, as the right person.

use proptest::{prelude::*, test_runner::Config};
use serde_json::json;

use crate::{
    homeserver::BOT,
    slack::{OWNER, TEAM},
    world::{ALICE, World},
};

const ANNA: &str = "@_slack_t0team_u0anna:hub.test";
const BEN: &str = "@_slack_t0team_u0ben:hub.test";

#[test]
fn a_message_comes_into_the_room_as_its_ghost_with_its_name_and_time() {
    let (world, login_id, portal) = World::bridged();

    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "hello <@U0BEN>");
    world.settle();

    let room = world.homeserver.room(portal.room_id.as_str());
    let event = room.events.last().unwrap();
    assert_eq!(event.sender, ANNA);
    assert_eq!(event.content["body"], "hello Ben");
    assert_eq!(event.content["m.mentions"]["user_ids"], json!([BEN]));
    assert!(event.ts.unwrap() / 1_000 <= world.now.get() / 1_000);
    assert_eq!(world.homeserver.names.borrow()[ANNA], "Anna");
    assert!(room.joined.contains(ANNA));
    assert!(!room.joined.contains(BEN), "a ghost joins with its first message");
}

#[test]
fn a_repeated_event_is_shown_once() {
    let (world, login_id, portal) = World::bridged();
    let event = world.slack.says("C0GENERAL", "U0ANNA", "once");
    let body = world.envelope(&event);

    for _ in 0..3 {
        assert_eq!(world.hook(&login_id, &body), 200);
        world.settle();
    }
    // The same message under another event id: another app of the same person.
    world.deliver(&login_id, &event);
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["once"]);
    assert_eq!(world.status(&login_id).counters.duplicates, 2);
}

#[test]
fn a_late_message_is_not_waited_for_and_still_shown() {
    let (world, login_id, portal) = World::bridged();
    let first = world.slack.says("C0GENERAL", "U0ANNA", "first");
    let second = world.slack.says("C0GENERAL", "U0ANNA", "second");

    world.deliver(&login_id, &second);
    world.settle();
    world.deliver(&login_id, &first);
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["second", "first"]);
}

#[test]
fn the_owners_own_words_are_shown_as_the_owner_and_do_not_loop() {
    let (world, login_id, portal) = World::bridged();

    world.slack_says(&login_id, "C0GENERAL", OWNER, "typed at Slack");
    world.settle();

    let room = world.homeserver.room(portal.room_id.as_str());
    let event = room.events.last().unwrap();
    assert_eq!(event.sender, ALICE);
    assert_eq!(event.content["com.hubbub.double_puppet"], "slack");
    let echoed = json!({
        "type": "m.room.message", "event_id": event.event_id, "sender": ALICE, "content": event.content,
    });
    world.hand_over(portal.room_id.as_str(), vec![echoed]);
    world.settle();
    assert_eq!(world.slack.calls_of("chat.postMessage"), 0);
}

#[test]
fn an_app_is_a_ghost_with_its_own_name() {
    let (world, login_id, portal) = World::bridged();
    let mut event = world.slack.says("C0GENERAL", "U0ANNA", "build passed");
    let fields = event.as_object_mut().unwrap();
    fields.remove("user");
    fields.insert("subtype".to_owned(), "bot_message".into());
    fields.insert("bot_id".to_owned(), "B0CI".into());
    fields.insert("username".to_owned(), "Build".into());

    world.deliver(&login_id, &event);
    world.settle();

    let ghost = "@_slack_t0team_b0ci:hub.test";
    assert_eq!(world.homeserver.said(portal.room_id.as_str()), [(ghost.to_owned(), "build passed".to_owned())]);
    assert_eq!(world.homeserver.names.borrow()[ghost], "Build");
}

#[test]
fn a_homeserver_that_fails_after_doing_it_gets_nothing_twice() {
    let (world, login_id, portal) = World::bridged();
    world.homeserver.failing.set(5);

    for number in 0..5 {
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", &format!("m{number}"));
    }
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["m0", "m1", "m2", "m3", "m4"]);
}

#[test]
fn a_ghost_that_was_removed_comes_back_with_its_next_message() {
    let (world, login_id, portal) = World::bridged();
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "one");
    world.settle();
    world.homeserver.rooms.borrow_mut().get_mut(portal.room_id.as_str()).unwrap().joined.remove(ANNA);

    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "two");
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["one", "two"]);
}

#[test]
fn what_a_banned_ghost_or_an_absent_owner_said_is_shown_by_the_bot() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.homeserver.banned.borrow_mut().insert(ANNA.to_owned());
    world.homeserver.rooms.borrow_mut().get_mut(room).unwrap().joined.remove(ALICE);

    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "banned");
    world.slack_says(&login_id, "C0GENERAL", OWNER, "absent");
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "next");
    world.settle();

    assert_eq!(world.homeserver.bodies(room), ["Anna: banned", "olga: absent", "next"]);
    assert!(!world.homeserver.room(room).joined.contains(ALICE), "nobody is brought back");
}

#[test]
fn the_map_reaches_d1() {
    let (world, login_id, portal) = World::bridged();
    for number in 0..45 {
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", &format!("m{number}"));
    }
    world.directory.refuse.set(true);
    world.try_settle_for_a_while();
    world.directory.refuse.set(false);
    world.settle();

    let rows = world.d1("SELECT remote_id FROM message_map WHERE portal_id = ?", vec![portal.portal_id.into()]);
    assert_eq!(rows.len(), 45);
}

#[test]
fn a_name_is_asked_for_once_a_day() {
    let (world, login_id, _) = World::bridged();
    for _ in 0..20 {
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "again");
        world.settle();
    }
    assert_eq!(world.slack.calls_of("users.info"), 1);

    world.slack.people.borrow_mut().insert("U0ANNA".to_owned(), "Anna B.".to_owned());
    world.now.set(world.now.get() + 90_000_000);
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "tomorrow");
    world.settle();

    assert_eq!(world.slack.calls_of("users.info"), 2);
    assert_eq!(world.homeserver.names.borrow()[ANNA], "Anna B.");
    let ghosts = world.d1("SELECT name FROM ghosts WHERE user_id = ?", vec![ANNA.into()]);
    assert_eq!(ghosts, [["Anna B.".into()]]);
}

#[test]
fn a_changed_name_is_shown_at_once() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "hi");
    world.settle();
    let user = json!({ "id": "U0ANNA", "team_id": TEAM, "profile": { "display_name": "Anne" } });

    world.deliver(&login_id, &json!({ "type": "user_change", "user": user }));

    assert_eq!(world.homeserver.names.borrow()[ANNA], "Anne");
}

#[test]
fn the_bot_never_speaks_for_anybody() {
    let (world, login_id, portal) = World::bridged();
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "hi");
    world.settle();
    assert!(world.homeserver.said(portal.room_id.as_str()).iter().all(|(sender, _)| sender != BOT));
}

proptest! {
    #![proptest_config(Config { cases: 40, ..Config::default() })]

    /// A held portal shows a group of up to 20 in the order of Slack's timestamps, each message
    /// once, however it was shuffled and repeated.
    #[test]
    fn a_shuffled_group_comes_out_in_order(
        order in Just((0..20_usize).collect::<Vec<_>>()).prop_shuffle(),
        size in 1..=20_usize,
        repeated in proptest::collection::vec(any::<bool>(), 20),
    ) {
        let (world, login_id, portal) = World::bridged();
        let events: Vec<_> =
            (0..size).map(|number| world.slack.says("C0GENERAL", "U0ANNA", &format!("m{number:02}"))).collect();
        for number in order.into_iter().filter(|number| *number < size) {
            let body = world.envelope(&events[number]);
            for _ in 0..=usize::from(repeated[number]) {
                prop_assert_eq!(world.hook(&login_id, &body), 200);
            }
        }
        world.settle();

        let expected: Vec<_> = (0..size).map(|number| format!("m{number:02}")).collect();
        prop_assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), expected);
    }
}
