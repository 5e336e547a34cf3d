//! The owner sees in the management room what comes in from histories, and nothing when nothing does.

use crate::{homeserver::BOT, slack::Fault, world::World};

const CHANNEL: &str = "C0GENERAL";
const HOUR: i64 = 3_600_000;

fn management(world: &World) -> Option<String> {
    world.homeserver.room_of_alias("#_slack_management_alice:hub.test")
}

/// What the bot's lines say now.
fn lines(world: &World) -> Vec<String> {
    let Some(room) = management(world) else { return Vec::new() };
    world.homeserver.shown(&room).into_iter().filter(|(sender, _)| sender == BOT).map(|(_, body)| body).collect()
}

/// How many events said that.
fn events(world: &World) -> usize {
    management(world).map_or(0, |room| world.homeserver.room(&room).events.len())
}

fn missed(world: &World, count: usize) {
    for number in 0..count {
        world.slack.says(CHANNEL, "U0ANNA", &format!("missed {number:03}"));
    }
}

#[test]
fn the_first_history_is_one_line_that_ends_with_what_came() {
    let (world, login_id) = World::connected();
    missed(&world, 70);
    world.bridge(&login_id, "#general").unwrap();
    world.settle();
    assert_eq!(lines(&world), ["general: 50 of its last messages are here. Older history is not imported."]);
    assert!(events(&world) <= 3, "{} events", events(&world));
}

#[test]
fn a_channel_without_history_and_a_look_that_finds_nothing_say_nothing() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "told");
    world.settle();
    for _ in 0..5 {
        world.cron(HOUR);
    }
    assert_eq!(lines(&world), [] as [&str; 0]);
}

#[test]
fn a_catch_up_is_one_line_that_is_edited_as_pages_come_in() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    missed(&world, 430);
    world.cron(HOUR);
    let said = lines(&world);
    let expected = "general: 430 messages that Slack had not told me, which come into the room now. \
                    Older history is not imported.";
    assert_eq!(said.iter().filter(|line| line.starts_with("general: ")).collect::<Vec<_>>(), [expected]);
    let before = events(&world);
    world.cron(HOUR);
    world.cron(HOUR);
    assert_eq!(events(&world), before, "nothing more was missed");
}

#[test]
fn a_catch_up_that_stops_says_so_and_the_next_one_goes_on_with_its_line() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    missed(&world, 300);
    world.slack.history_faults.borrow_mut().extend([None, Some(Fault::Close)]);
    world.cron(HOUR);
    let general = |world: &World| -> Vec<String> {
        lines(world).into_iter().filter(|line| line.starts_with("general: ")).collect()
    };
    assert_eq!(general(&world), ["general: 50 messages that Slack had not told me; I go on with the next look."]);
    world.crash();
    world.cron(HOUR);
    let said = general(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("general: 250 messages"), "{said:?}");
}

#[test]
fn a_line_is_not_edited_for_each_page() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, CHANNEL, "U0ANNA", "known");
    world.settle();
    missed(&world, 3_000);
    let before = events(&world);
    world.cron(HOUR);
    // The first word, the last one, and what the watchdog has to say: no time passed between the pages.
    assert!(events(&world) - before <= 3, "{}", events(&world) - before);
}
