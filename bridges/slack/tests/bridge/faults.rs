//! Deaths at every failpoint, in both directions: nothing is lost, nothing doubled.

use hubbub_bridge::{
    contract::LoginCommand,
    failpoints::{self, FAILPOINTS},
};
use hubbub_core::contract::Class;
use proptest::{prelude::*, test_runner::Config};
use serde_json::json;

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

/// Where somebody connects: `cargo xtask soak` strikes there.
const CONNECTING: [&str; 2] = [failpoints::LOGIN_AFTER_START, failpoints::LOGIN_AFTER_FINISH];

#[test]
fn the_bridge_really_dies_at_each_failpoint_and_everything_arrives() {
    for failpoint in FAILPOINTS.iter().filter(|failpoint| !CONNECTING.contains(failpoint)) {
        let (world, login_id, portal) = World::bridged();
        let room = portal.room_id.as_str();
        world.slack.suffer_next([Fault::Error("is_archived")]);
        // Coming to rest disarms it.
        let arm = || {
            if world.died.borrow().is_empty() {
                world.die_at(failpoint, 0);
            }
        };
        arm();
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "in");
        world.slack_says(&login_id, "D0ANNA", "U0ANNA", "opens a chat");
        world.settle_through_crashes();
        arm();
        world.matrix_says(room, ALICE, "refused");
        world.matrix_says(room, ALICE, "out");
        let url = world.homeserver.human_uploads(b"bytes");
        let file = json!({ "msgtype": "m.file", "body": "a.bin", "url": url });
        world.matrix_sends(room, ALICE, "m.room.message", file);
        let event = world.slack.posts_file("C0GENERAL", "U0ANNA", "", json!({ "name": "b.bin" }), b"bytes");
        world.deliver(&login_id, &event);
        world.settle_through_crashes();
        // Said while nobody listens: Cron reads it again.
        world.slack.says("C0GENERAL", "U0ANNA", "missed");
        world.now.set(world.now.get() + 3_600_000);
        world.slack.set_clock(world.now.get());
        arm();
        while world.try_ask::<()>(Class::Login, &login_id, &LoginCommand::Poke).is_err() {}
        world.settle_through_crashes();

        assert_eq!(*world.died.borrow(), [*failpoint], "nothing passed it");
        let said: Vec<_> = world.homeserver.said(room).into_iter().map(|(_, body)| body).collect();
        for body in ["in", "missed", "b.bin"] {
            assert_eq!(said.iter().filter(|said| *said == body).count(), 1, "{failpoint}: {body} in {said:?}");
        }
        let posted = world.slack.posted("C0GENERAL");
        assert_eq!(posted.iter().filter(|text| *text == "out").count(), 1, "{failpoint}: {posted:?}");
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

/// What somebody does in a run of changes.
#[derive(Clone, Copy, Debug)]
enum Act {
    SlackSays,
    MatrixSays,
    SlackEdits(usize),
    MatrixEdits(usize),
    SlackDeletes(usize),
    MatrixRedacts(usize),
    SlackReacts(usize, bool),
    MatrixReacts(usize),
    MatrixTakesReactionBack(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::SlackSays),
        3 => Just(Act::MatrixSays),
        2 => (0..9_usize).prop_map(Act::SlackEdits),
        2 => (0..9_usize).prop_map(Act::MatrixEdits),
        1 => (0..9_usize).prop_map(Act::SlackDeletes),
        1 => (0..9_usize).prop_map(Act::MatrixRedacts),
        3 => (0..9_usize, any::<bool>()).prop_map(|(at, ben)| Act::SlackReacts(at, ben)),
        2 => (0..9_usize).prop_map(Act::MatrixReacts),
        1 => (0..9_usize).prop_map(Act::MatrixTakesReactionBack),
    ]
}

/// The texts, and people with their reactions.
type Shown = (Vec<String>, Vec<(String, String)>);

/// A world in which things are changed on both sides.
struct Changing {
    world: std::rc::Rc<World>,
    login_id: String,
    room: String,
    /// Of Slack's messages the timestamps, of Matrix's the events.
    said: Vec<String>,
    written: Vec<String>,
    reactions: Vec<String>,
    count: usize,
}

impl Changing {
    fn tell(&self, event: &serde_json::Value) {
        // A lost hook is made up for by the catch-up at the end.
        if self.count % 7 != 3 {
            self.world.deliver(&self.login_id, event);
        }
    }

    fn perform(&mut self, act: Act) {
        use serde_json::json;
        self.count += 1;
        let world = std::rc::Rc::clone(&self.world);
        let text = format!("x{}", self.count);
        match act {
            Act::SlackSays => {
                let event = world.slack.says("C0GENERAL", "U0ANNA", &text);
                self.said.push(event["ts"].as_str().unwrap().to_owned());
                self.tell(&event);
            }
            Act::MatrixSays => self.written.push(world.matrix_says(&self.room, ALICE, &text)),
            Act::SlackEdits(at) if at < self.said.len() => {
                self.tell(&world.slack.edits("C0GENERAL", &self.said[at], &text));
            }
            Act::MatrixEdits(at) if at < self.written.len() => {
                let content = json!({
                    "msgtype": "m.text", "body": format!("* {text}"),
                    "m.new_content": { "msgtype": "m.text", "body": text },
                    "m.relates_to": { "rel_type": "m.replace", "event_id": self.written[at] },
                });
                world.matrix_sends(&self.room, ALICE, "m.room.message", content);
            }
            Act::SlackDeletes(at) if at < self.said.len() => {
                let ts = self.said.remove(at);
                self.tell(&world.slack.deletes("C0GENERAL", &ts));
            }
            Act::MatrixRedacts(at) if at < self.written.len() => {
                let redacts = self.written.remove(at);
                world.matrix_sends(&self.room, ALICE, "m.room.redaction", json!({ "redacts": redacts }));
            }
            Act::SlackReacts(at, ben) if at < self.said.len() => {
                let user = if ben { "U0BEN" } else { "U0ANNA" };
                let there = world.slack.reactions("C0GENERAL", &self.said[at]);
                let added = !there.iter().any(|(name, users)| name == "eyes" && users.iter().any(|one| one == user));
                let event = world.slack.reacts("C0GENERAL", &self.said[at], user, "eyes", added).unwrap();
                self.tell(&event);
            }
            Act::MatrixReacts(at) if at < self.written.len() => {
                let reaction = json!({
                    "m.relates_to": { "rel_type": "m.annotation", "event_id": self.written[at], "key": "👍" },
                });
                let there = world
                    .homeserver
                    .room(&self.room)
                    .events
                    .into_iter()
                    .any(|event| event.kind == "m.reaction" && !event.redacted && event.content == reaction);
                if !there {
                    self.reactions.push(world.matrix_sends(&self.room, ALICE, "m.reaction", reaction));
                }
            }
            Act::MatrixTakesReactionBack(at) if at < self.reactions.len() => {
                let redacts = self.reactions.remove(at);
                world.matrix_sends(&self.room, ALICE, "m.room.redaction", json!({ "redacts": redacts }));
            }
            _ => {}
        }
    }

    /// What both sides show: texts, and people with their reactions.
    fn both(&self) -> [Shown; 2] {
        let history = self.world.slack.history.borrow().get("C0GENERAL").cloned().unwrap_or_default();
        let mut texts: Vec<String> = history.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect();
        let mut reactions = Vec::new();
        for message in &history {
            for (name, users) in self.world.slack.reactions("C0GENERAL", message["ts"].as_str().unwrap()) {
                let key = if name == "eyes" { "👀" } else { "👍" };
                let user = |user: &String| match user.as_str() {
                    "U0OWNER" => ALICE.to_owned(),
                    ghost => format!("@_slack_t0team_{}:hub.test", ghost.to_lowercase()),
                };
                reactions.extend(users.iter().map(|one| (user(one), key.to_owned())));
            }
        }
        let shown = self.world.homeserver.shown(&self.room);
        let mut bodies: Vec<String> =
            shown.into_iter().filter(|(sender, _)| sender != crate::homeserver::BOT).map(|(_, body)| body).collect();
        let of_what_is_there = |event: &crate::homeserver::Event| {
            let target = event.content["m.relates_to"]["event_id"].as_str().unwrap();
            !self.world.homeserver.event(&self.room, target).redacted
        };
        let events = self.world.homeserver.room(&self.room).events.into_iter();
        let there = events.filter(|event| event.kind == "m.reaction" && !event.redacted);
        let mut shown: Vec<_> = there
            .filter(of_what_is_there)
            .map(|event| (event.sender, event.content["m.relates_to"]["key"].as_str().unwrap().to_owned()))
            .collect();
        texts.sort();
        bodies.sort();
        reactions.sort();
        shown.sort();
        [(texts, reactions), (bodies, shown)]
    }
}

proptest! {
    #![proptest_config(Config { cases: 100, ..Config::default() })]

    /// However messages are changed on both sides, whatever is lost and wherever the bridge dies, both sides
    /// agree in the end.
    #[test]
    fn both_sides_agree_after_any_mix_of_changes_faults_and_deaths(
        acts in proptest::collection::vec(act(), 4..30),
        faults in proptest::collection::vec(fault(), 0..12),
        deaths in proptest::collection::vec((0..FAILPOINTS.len(), 0..6_u32), 0..4),
        echo_metadata in any::<bool>(),
    ) {
        let (world, login_id, portal) = World::bridged();
        world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
        world.settle();
        world.slack.echo_metadata.set(echo_metadata);
        world.slack.change_faults.borrow_mut().extend(faults.iter().copied());
        world.slack.faults.borrow_mut().extend(faults.into_iter().rev());
        let room = portal.room_id.to_string();
        // Of what stands before all that a history shows nobody can tell whether it is gone.
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "the first");
        world.settle();
        let mut changing =
            Changing { world, login_id, room, said: vec![], written: vec![], reactions: vec![], count: 0 };
        let mut deaths = deaths.into_iter();
        for (number, act) in acts.into_iter().enumerate() {
            let world = std::rc::Rc::clone(&changing.world);
            if number % 4 == 1 && let Some((failpoint, earlier)) = deaths.next() {
                world.die_at(FAILPOINTS[failpoint], earlier);
            }
            changing.perform(act);
            if number % 3 == 2 {
                world.settle_through_crashes();
            } else if world.try_a_while().is_err() {
                world.survive();
            }
            world.deliver_echoes(&changing.login_id);
            world.now.set(world.now.get() + 3_000);
            world.slack.set_clock(world.now.get());
        }
        let world = std::rc::Rc::clone(&changing.world);
        world.survive();
        world.settle_through_crashes();
        world.deliver_echoes(&changing.login_id);
        world.settle_through_crashes();
        world.cron(7_200_000);
        world.cron(7_200_000);

        let [slack, matrix] = changing.both();
        prop_assert_eq!(&slack, &matrix);
    }
}
