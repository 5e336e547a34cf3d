//! Deaths at every failpoint, in both directions: nothing is lost, nothing doubled.

use hubbub_bridge::{
    contract::LoginCommand,
    failpoints::{self, FAILPOINTS},
};

use crate::{
    slack::Fault,
    world::{ALICE, World},
};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn a_crash_at_any_failpoint_loses_and_doubles_nothing() {
    for failpoint in FAILPOINTS {
        for earlier in [0, 1, 2, 5] {
            for echo_metadata in [true, false] {
                let (world, login_id, portal) = World::bridged();
                world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
                world.settle();
                world.slack.echo_metadata.set(echo_metadata);
                let room = portal.room_id.as_str();
                let events: Vec<_> =
                    (0..6).map(|n| world.slack.says("C0GENERAL", "U0ANNA", &format!("s{n}"))).collect();
                world.slack.faults.borrow_mut().extend([Fault::DropAnswer, Fault::Close, Fault::Error("is_archived")]);
                world.die_at(failpoint, earlier);

                for (number, event) in events.iter().enumerate().rev() {
                    world.deliver(&login_id, event);
                    world.matrix_says(room, ALICE, &format!("m{}", 5 - number));
                }
                world.settle_through_crashes();
                world.deliver_echoes(&login_id);
                world.settle_through_crashes();

                let context = format!("{failpoint} {earlier} {echo_metadata}");
                let shown: Vec<_> = world.homeserver.said(room);
                let from_slack: Vec<_> = shown
                    .iter()
                    .filter(|(sender, _)| sender.contains("u0anna"))
                    .map(|(_, body)| body.clone())
                    .collect();
                let mut sorted = from_slack.clone();
                sorted.sort();
                assert_eq!(sorted, names("s", 6), "{context}");
                let from_matrix: Vec<_> =
                    shown.iter().filter(|(sender, _)| sender == ALICE).map(|(_, body)| body.clone()).collect();
                assert_eq!(from_matrix, names("m", 6), "{context}: no echo is shown");
                let posted = world.slack.posted("C0GENERAL");
                let notices = shown.iter().filter(|(_, body)| body.contains("archived")).count();
                assert_eq!(posted.len() + notices, 6, "{context}: {posted:?}");
                assert!(posted.windows(2).all(|pair| pair[0] < pair[1]), "{context}: {posted:?}");
            }
        }
    }
}

#[test]
fn a_group_that_is_held_comes_out_in_order_even_if_the_portal_dies() {
    for earlier in 0..25 {
        let (world, login_id, portal) = World::bridged();
        let events: Vec<_> = (0..10).map(|n| world.slack.says("C0GENERAL", "U0ANNA", &format!("s{n}"))).collect();
        for index in [7, 2, 9, 0, 4, 1, 8, 3, 6, 5] {
            world.deliver(&login_id, &events[index]);
        }
        world.die_at(failpoints::PORTAL_BEFORE_APPLY, earlier);
        world.settle_through_crashes();
        assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), names("s", 10), "{earlier}");
    }
}

#[test]
fn every_failpoint_is_passed_by_these_tests() {
    let (world, login_id, portal) = World::bridged();
    world.slack.faults.borrow_mut().push_back(Fault::Error("is_archived"));
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "in");
    world.slack_says(&login_id, "D0ANNA", "U0ANNA", "opens a chat");
    world.matrix_says(portal.room_id.as_str(), ALICE, "refused");
    world.matrix_says(portal.room_id.as_str(), ALICE, "out");
    world.settle();
    let passed = world.passed.borrow();
    for failpoint in FAILPOINTS {
        assert!(passed.contains_key(failpoint), "{failpoint}");
    }
}

#[test]
fn a_burst_costs_few_rows_and_few_alarms() {
    let (world, login_id, portal) = World::bridged();
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "warm");
    world.settle();
    let login = world.database("login", &login_id);
    let room = world.database("portal", &portal.portal_id);
    let before = (world.rows_written(&login), world.rows_written(&room));

    for number in 0..100 {
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", &format!("b{number}"));
    }
    world.settle();

    let spent = (world.rows_written(&login) - before.0, world.rows_written(&room) - before.1);
    // The delete of a remembered id, two days later, is the third row of the login.
    assert!(spent.0 <= 210, "login: {} rows", spent.0);
    assert!(spent.1 <= 330, "portal: {} rows", spent.1);
}
