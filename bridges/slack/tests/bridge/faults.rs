//! Deaths at every failpoint, in both directions: nothing is lost, nothing doubled.

use hubbub_bridge::{
    contract::LoginCommand,
    failpoints::{self, FAILPOINTS},
};

use proptest::{prelude::*, test_runner::Config};

use crate::{
    slack::Fault,
    world::{ALICE, World},
};

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Fault::RateLimited(1))),
        1 => Just(Some(Fault::RateLimitedInBody)),
        1 => Just(Some(Fault::DropAnswer)),
        1 => Just(Some(Fault::Close)),
        1 => Just(Some(Fault::NotSent)),
        1 => Just(Some(Fault::Http(502))),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 60, ..Config::default() })]

    /// Whatever Slack does to calls and wherever the bridge dies, each message gets through once, in
    /// both directions.
    #[test]
    fn any_mix_of_faults_and_deaths_loses_and_doubles_nothing(
        faults in proptest::collection::vec(fault(), 0..16),
        history_faults in proptest::collection::vec(fault(), 0..6),
        deaths in proptest::collection::vec((0..FAILPOINTS.len(), 0..6_u32), 0..5),
        echo_metadata in any::<bool>(),
        echoes_early in any::<bool>(),
    ) {
        let (world, login_id, portal) = World::bridged();
        world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
        world.settle();
        world.slack.echo_metadata.set(echo_metadata);
        world.slack.faults.borrow_mut().extend(faults);
        world.slack.history_faults.borrow_mut().extend(history_faults.into_iter().flatten().filter(|fault| *fault != Fault::DropAnswer).map(Some));
        let room = portal.room_id.as_str();
        let mut deaths = deaths.into_iter();
        for number in 0..8 {
            if let Some((failpoint, earlier)) = deaths.next() {
                world.die_at(FAILPOINTS[failpoint], earlier);
            }
            world.slack_says(&login_id, "C0GENERAL", "U0ANNA", &format!("s{number}"));
            world.matrix_says(room, ALICE, &format!("m{number}"));
            if number % 3 == 2 {
                world.settle_through_crashes();
            } else if world.try_a_while().is_err() {
                world.survive();
            }
            if echoes_early {
                world.deliver_echoes(&login_id);
            }
        }
        world.settle_through_crashes();
        world.deliver_echoes(&login_id);
        world.settle_through_crashes();

        let shown = world.homeserver.said(room);
        let mut from_slack: Vec<_> = shown.iter().filter(|(sender, _)| sender != ALICE).map(|(_, body)| body.clone()).collect();
        from_slack.sort();
        prop_assert_eq!(from_slack, names("s", 8));
        let from_matrix: Vec<_> = shown.iter().filter(|(sender, _)| sender == ALICE).map(|(_, body)| body.clone()).collect();
        prop_assert_eq!(from_matrix, names("m", 8));
        prop_assert_eq!(world.slack.posted("C0GENERAL"), names("m", 8));
    }
}

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
                let faults = [Fault::DropAnswer, Fault::Close, Fault::Error("is_archived")];
                world.slack.faults.borrow_mut().extend(faults.map(Some));
                world.die_at(failpoint, earlier);

                for (number, event) in events.iter().enumerate().rev() {
                    world.deliver(&login_id, event);
                    world.matrix_says(room, ALICE, &format!("m{}", 5 - number));
                }
                world.settle_through_crashes();
                // Nothing has called the bridge since: its own alarms brought it back.
                let shown = world.homeserver.said(room);
                assert_eq!(
                    shown.iter().filter(|(sender, _)| sender.contains("u0anna")).count(),
                    6,
                    "{failpoint} {earlier}"
                );
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
fn what_was_acknowledged_needs_no_further_call_to_arrive() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();

    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "in");
    world.crash();
    world.settle();
    assert_eq!(world.homeserver.bodies(room), ["in"]);

    world.matrix_says(room, ALICE, "out");
    world.crash();
    world.settle();
    assert_eq!(world.slack.posted("C0GENERAL"), ["out"]);

    world.slack_says(&login_id, "D0ANNA", "U0ANNA", "opens a chat");
    world.crash();
    world.settle();
    let portals = world.status(&login_id).portals;
    assert_eq!(portals.len(), 2);
}

#[test]
fn messages_come_in_while_slack_does_not_answer_a_post() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.slack.hangs.set(true);
    world.matrix_says(room, ALICE, "out");
    // The login's work is due as well; its run goes on beside the portal's, which hangs.
    let event = world.slack.says("C0GENERAL", "U0ANNA", "in");

    world
        .block(world.beside_work(async {
            world.wait_for(|world| world.slack.calls_of("chat.postMessage") == 1).await;
            world.hook_beside(&login_id, &event).await;
            world.hand_over_beside(&login_id).await;
            world.wait_for(|world| world.homeserver.bodies(room) == ["out", "in"]).await;
            world.slack.hangs.set(false);
        }))
        .unwrap();
    world.settle();

    assert_eq!(world.slack.posted("C0GENERAL"), ["out"]);
}

#[test]
fn every_failpoint_is_passed_by_these_tests() {
    let (world, login_id, portal) = World::bridged();
    world.slack.suffer_next([Fault::Error("is_archived")]);
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "in");
    world.slack_says(&login_id, "D0ANNA", "U0ANNA", "opens a chat");
    world.matrix_says(portal.room_id.as_str(), ALICE, "refused");
    world.matrix_says(portal.room_id.as_str(), ALICE, "out");
    world.settle();
    world.cron(3_600_000);
    let passed = world.passed.borrow();
    for failpoint in FAILPOINTS {
        assert!(passed.contains_key(failpoint), "{failpoint}");
    }
}

/// What a login and a portal write while `act` happens and all comes to rest; index entries and
/// alarms are not counted.
fn rows_of(world: &World, login_id: &str, portal_id: &str, act: impl FnOnce()) -> (i64, i64) {
    let login = world.database("login", login_id);
    let room = world.database("portal", portal_id);
    let before = (world.rows_written(&login), world.rows_written(&room));
    act();
    world.settle();
    (world.rows_written(&login) - before.0, world.rows_written(&room) - before.1)
}

#[test]
fn a_message_costs_few_rows() {
    let (world, login_id, portal) = World::bridged();
    world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "warm");
    world.settle();
    let rows = |act: &dyn Fn()| rows_of(&world, &login_id, &portal.portal_id, act);
    let slack = |count: usize| {
        rows(&|| {
            for _ in 0..count {
                world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "in");
            }
        })
    };
    let matrix = |count: usize| {
        let cost = rows(&|| {
            for _ in 0..count {
                world.matrix_says(portal.room_id.as_str(), ALICE, "out");
            }
        });
        let echoes = rows(&|| world.deliver_echoes(&login_id));
        (cost.0 + echoes.0, cost.1 + echoes.1)
    };

    let (one_in, many_in, one_out, many_out) = (slack(1), slack(100), matrix(1), matrix(100));
    println!("in: {one_in:?} alone, {many_in:?} for 100; out: {one_out:?} alone, {many_out:?} for 100");

    // The delete of a remembered id, two days later, is the third row of the login.
    assert!(many_in.0 <= 210 && many_in.1 <= 330, "in: {many_in:?}");
    // The index entry of the event id is the fourth row of the portal; the login's are the echo's.
    assert!(many_out.0 <= 210 && many_out.1 <= 330, "out: {many_out:?}");
    assert!(one_in.0 <= 3 && one_in.1 <= 6, "in: {one_in:?}");
    assert!(one_out.0 <= 3 && one_out.1 <= 6, "out: {one_out:?}");
}
