//! What Slack does not tell is read again by Cron: after downtime, and once an hour.

use hubbub_bridge::{contract::LoginCommand, failpoints::FAILPOINTS};
use serde_json::json;

use crate::{
    homeserver::BOT,
    slack::{Fault, OWNER},
    world::{ALICE, World},
};

const CHANNEL: &str = "C0GENERAL";
const HOUR: i64 = 3_600_000;

fn bodies(world: &World, room: &str) -> Vec<String> {
    world.homeserver.shown(room).into_iter().map(|(_, body)| body).collect()
}

fn ts_of(event: &serde_json::Value) -> String {
    event["ts"].as_str().unwrap().to_owned()
}

/// What the bot said in the management room, but for what came in.
fn told(world: &World) -> Vec<String> {
    let Some(room) = world.homeserver.room_of_alias("#_slack_management_alice:hub.test") else { return Vec::new() };
    world
        .homeserver
        .said(&room)
        .into_iter()
        .filter(|(sender, _)| sender == BOT)
        .map(|(_, body)| body)
        .filter(|body| !body.contains("general: "))
        .collect()
}

fn pass(world: &World, milliseconds: i64) {
    world.now.set(world.now.get() + milliseconds);
    world.slack.set_clock(world.now.get());
}

#[test]
fn backfill_duplicates_nothing_and_gaps_are_filled_in_order() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    for number in 0..430 {
        world.slack.says(CHANNEL, "U0ANNA", &format!("missed {number:03}"));
    }
    let live = world.slack.says(CHANNEL, "U0BEN", "live");
    world.deliver(&login_id, &live);
    world.settle();

    world.cron(HOUR);
    world.cron(HOUR);

    let shown = bodies(&world, room);
    assert_eq!(shown.len(), 432);
    let mut sorted = shown.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 432, "each once");
}

#[test]
fn gaps_that_cannot_be_read_at_once_are_filled_later_whatever_happens() {
    for (fault, dies) in [(Some(Fault::Close), false), (Some(Fault::RateLimited(9)), false), (None, true)] {
        let (world, login_id, portal) = World::bridged();
        world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
        world.settle();
        for number in 0..300 {
            world.slack.says(CHANNEL, "U0ANNA", &format!("missed {number:03}"));
        }
        world.slack.history_faults.borrow_mut().extend([None, fault]);
        if dies {
            world.die_at("portal.after_catch_up_commit", 0);
            pass(&world, HOUR);
            let _ = world.try_ask::<()>(hubbub_core::contract::Class::Login, &login_id, &LoginCommand::Poke);
            world.settle_through_crashes();
        } else {
            world.cron(HOUR);
        }
        world.cron(HOUR);
        assert_eq!(bodies(&world, portal.room_id.as_str()).len(), 301, "{fault:?}");
    }
}

#[test]
fn edits_deletions_and_reactions_that_were_missed_are_made_up_for() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let says = |user: &str, text: &str| {
        let event = world.slack.says(CHANNEL, user, text);
        world.deliver(&login_id, &event);
        world.settle();
        ts_of(&event)
    };
    says("U0CARL", "first");
    let (one, two, three) = (says("U0ANNA", "one"), says("U0BEN", "two"), says(OWNER, "three"));
    world.deliver(&login_id, &world.slack.reacts(CHANNEL, &three, "U0BEN", "eyes", true).unwrap());
    let mine = world.matrix_says(room, ALICE, "mine");
    world.settle();
    world.deliver_echoes(&login_id);
    world.settle();
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": mine, "key": "👍" } });
    world.matrix_sends(room, ALICE, "m.reaction", reaction);
    world.settle();
    world.slack.echoes.take();
    let last = says("U0BEN", "last");
    pass(&world, 60_000);

    world.slack.edits(CHANNEL, &one, "one, edited");
    world.slack.deletes(CHANNEL, &two);
    world.slack.deletes(CHANNEL, &last);
    world.slack.reacts(CHANNEL, &one, "U0ANNA", "tada", true);
    world.slack.reacts(CHANNEL, &three, "U0BEN", "eyes", false);
    for _ in 0..2 {
        world.cron(HOUR);
        world.crash();
    }

    assert_eq!(bodies(&world, room), ["first", "one, edited", "three", "mine"]);
    let reactions: Vec<_> = world.homeserver.reactions(room).into_iter().map(|(_, key)| key).collect();
    assert_eq!(reactions, ["👍", "🎉"]);
    let calls = world.slack.calls.borrow();
    assert!(calls.iter().all(|(method, _)| method != "chat.delete" && method != "chat.update"));
}

#[test]
fn short_and_empty_pages_end_nothing() {
    let (world, login_id, portal) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    for number in 0..120 {
        world.slack.says(CHANNEL, "U0ANNA", &format!("missed {number:03}"));
    }
    world.slack.ragged_pages.set(12);
    world.cron(HOUR);
    world.cron(HOUR);
    assert_eq!(bodies(&world, portal.room_id.as_str()).len(), 121);
}

#[test]
fn live_threads_are_read_again() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let root = world.slack.says(CHANNEL, "U0ANNA", "root");
    world.deliver(&login_id, &root);
    let known = world.slack.replies(CHANNEL, "U0BEN", &ts_of(&root), "known");
    world.deliver(&login_id, &known);
    let gone = world.slack.replies(CHANNEL, "U0BEN", &ts_of(&root), "gone");
    world.deliver(&login_id, &gone);
    world.settle();
    pass(&world, 60_000);

    world.slack.deletes(CHANNEL, &ts_of(&gone));
    world.slack.edits(CHANNEL, &ts_of(&known), "edited");
    world.slack.replies(CHANNEL, "U0ANNA", &ts_of(&root), "missed");
    world.cron(HOUR);
    world.cron(HOUR);

    assert_eq!(bodies(&world, room), ["root", "edited", "missed"]);
    let missed = world.homeserver.room(room).events.into_iter().find(|event| event.content["body"] == "missed");
    assert_eq!(missed.unwrap().content["m.relates_to"]["rel_type"], "m.thread");
}

#[test]
fn a_tombstone_in_the_history_takes_the_first_message_of_a_thread_back() {
    let (world, login_id, portal) = World::bridged();
    let root = world.slack.says(CHANNEL, "U0ANNA", "root");
    world.deliver(&login_id, &root);
    world.deliver(&login_id, &world.slack.replies(CHANNEL, "U0BEN", &ts_of(&root), "reply"));
    world.deliver(&login_id, &world.slack.says(CHANNEL, "U0BEN", "before"));
    world.settle();
    pass(&world, 60_000);
    let mut history = world.slack.history.borrow_mut();
    let message = history.get_mut(CHANNEL).unwrap().iter_mut().find(|one| one["ts"] == root["ts"]).unwrap();
    message["subtype"] = "tombstone".into();
    message["user"] = "USLACKBOT".into();
    drop(history);
    world.cron(HOUR);
    world.cron(HOUR);
    assert_eq!(bodies(&world, portal.room_id.as_str()), ["reply", "before"]);
}

#[test]
fn a_post_into_a_thread_whose_answer_was_lost_is_found_in_the_thread() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let root = world.slack.says(CHANNEL, "U0ANNA", "root");
    world.deliver(&login_id, &root);
    world.settle();
    let event_id = world.homeserver.room(room).events[0].event_id.clone();
    world.slack.suffer_next([Fault::DropAnswer]);

    let content = json!({
        "msgtype": "m.text", "body": "once", "m.relates_to": { "rel_type": "m.thread", "event_id": event_id },
    });
    world.matrix_sends(room, ALICE, "m.room.message", content);
    world.settle();

    assert_eq!(world.slack.posted(CHANNEL), ["once"]);
}

#[test]
fn skipped_and_overlapping_runs_do_no_harm() {
    let (world, login_id, portal) = World::bridged();
    let history = |world: &World| world.slack.calls_of("conversations.history");
    world.cron(HOUR);
    let before = history(&world);
    for _ in 0..12 {
        world.cron(300_000);
    }
    assert_eq!(history(&world) - before, 1, "a quiet channel is read once an hour");
    let before = history(&world);
    world.cron(7 * HOUR);
    world.cron(0);
    world.cron(1_000);
    assert_eq!(history(&world) - before, 1, "many skipped runs are one");

    world.slack.says(CHANNEL, "U0ANNA", "missed");
    pass(&world, HOUR);
    for _ in 0..3 {
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
    }
    world.settle();
    assert_eq!(bodies(&world, portal.room_id.as_str()), ["missed"]);
}

#[test]
fn silent_death_of_the_hooks_is_told_once_and_again_when_healed() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    for _ in 0..3 {
        world.cron(HOUR);
    }
    assert!(told(&world).is_empty(), "a quiet channel is no silent one");

    for number in 0..3 {
        world.slack.says(CHANNEL, "U0ANNA", &format!("not told {number}"));
        world.cron(HOUR);
        world.cron(HOUR);
        world.crash();
    }
    assert_eq!(told(&world).len(), 1, "{:?}", told(&world));
    assert!(told(&world)[0].contains("does not tell me any more"));

    world.slack_says(&login_id, CHANNEL, "U0ANNA", "told");
    world.settle();
    assert_eq!(told(&world).len(), 2);
    assert!(told(&world)[1].contains("tells me again"));
}

#[test]
fn silent_death_of_the_token_is_noticed_within_a_day() {
    let (world, login_id, _) = World::bridged();
    world.cron(HOUR);
    let before = world.slack.calls_of("auth.test");
    for _ in 0..20 {
        world.cron(HOUR);
    }
    assert_eq!(world.slack.calls_of("auth.test"), before);

    // In a workspace without a bridged channel nothing else would tell.
    world.login::<()>(&login_id, LoginCommand::Unbridge { channel: CHANNEL.to_owned() }).unwrap();
    *world.slack.dead.borrow_mut() = Some("account_inactive");
    world.cron(24 * HOUR);

    assert_eq!(world.status(&login_id).state.as_str(), "bad_credentials");
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn a_new_token_reads_at_once_what_was_said_meanwhile() {
    let (world, login_id, portal) = World::bridged();
    world.login::<()>(&login_id, LoginCommand::Disconnect).unwrap();
    world.settle();
    pass(&world, 30 * HOUR);
    world.slack.says(CHANNEL, "U0ANNA", "meanwhile");
    world.finish(&login_id, crate::slack::TOKEN).unwrap();
    world.settle();
    assert_eq!(bodies(&world, portal.room_id.as_str()), ["meanwhile"]);
    assert!(told(&world).is_empty(), "that it was not told is no news");
}

#[test]
fn a_crash_at_any_failpoint_of_a_catch_up_loses_and_doubles_nothing() {
    for failpoint in FAILPOINTS {
        for earlier in [0, 1, 3] {
            let (world, login_id, portal) = World::bridged();
            let room = portal.room_id.as_str();
            let kept = world.slack.says(CHANNEL, "U0ANNA", "kept");
            world.deliver(&login_id, &kept);
            let gone = world.slack.says(CHANNEL, "U0ANNA", "gone");
            world.deliver(&login_id, &gone);
            world.settle();
            pass(&world, 60_000);
            world.slack.edits(CHANNEL, &ts_of(&kept), "edited");
            world.slack.deletes(CHANNEL, &ts_of(&gone));
            world.slack.reacts(CHANNEL, &ts_of(&kept), "U0BEN", "tada", true);
            for number in 0..40 {
                world.slack.says(CHANNEL, "U0BEN", &format!("missed {number:02}"));
            }
            pass(&world, HOUR);
            world.die_at(failpoint, earlier);
            let _ = world.try_ask::<()>(hubbub_core::contract::Class::Login, &login_id, &LoginCommand::Poke);
            world.settle_through_crashes();
            world.cron(HOUR);
            world.cron(HOUR);

            let mut shown = bodies(&world, room);
            shown.sort();
            let mut expected = vec!["edited".to_owned()];
            expected.extend((0..40).map(|number| format!("missed {number:02}")));
            assert_eq!(shown, expected, "{failpoint} {earlier}");
            assert_eq!(world.homeserver.reactions(room).len(), 1, "{failpoint} {earlier}");
        }
    }
}

#[test]
fn the_token_is_checked_once_a_day_however_often_cron_runs_or_misses() {
    let (world, login_id, _) = World::bridged();
    world.cron(25 * HOUR);
    let before = world.slack.calls_of("auth.test");
    // Runs that overlap find it checked, and days that were skipped are not made up for one by one.
    for _ in 0..3 {
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
    }
    world.settle();
    assert_eq!(world.slack.calls_of("auth.test"), before);
    world.cron(10 * 24 * HOUR);
    world.cron(HOUR);
    assert_eq!(world.slack.calls_of("auth.test"), before + 1);
}

#[test]
fn the_watchdog_tells_once_although_runs_overlap_and_are_skipped() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    pass(&world, HOUR);
    world.slack.says(CHANNEL, "U0ANNA", "not told");
    pass(&world, 3 * 24 * HOUR);
    for _ in 0..4 {
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
        world.login::<()>(&login_id, LoginCommand::Poke).unwrap();
    }
    world.settle();
    world.crash();
    world.cron(HOUR);
    assert_eq!(told(&world).len(), 1, "{:?}", told(&world));
}
