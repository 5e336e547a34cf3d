//! What makes a bridged room a room like others: how loud it is, what is read, how it is called, who is in it.

use hubbub_bridge::contract::LoginCommand;
use serde_json::{Value as Json, json};

use crate::{
    slack::OWNER,
    world::{ALICE, World},
};

const CHANNEL: &str = "C0GENERAL";
const ANNA: &str = "@_slack_t0team_u0anna:hub.test";

fn rules(world: &World, room: &str) -> Vec<Json> {
    let rules = world.homeserver.push_rules.borrow();
    rules.get(&(ALICE.to_owned(), room.to_owned())).cloned().unwrap_or_default()
}

fn receipts(world: &World, room: &str) -> Vec<String> {
    let receipts = world.homeserver.receipts.borrow();
    receipts.get(&(room.to_owned(), ALICE.to_owned())).cloned().unwrap_or_default()
}

fn receipt(user: &str, event_id: &str, thread: Option<&str>) -> Json {
    let mut data = json!({ "ts": 1 });
    if let Some(thread) = thread {
        data["thread_id"] = thread.into();
    }
    json!({ "type": "m.receipt", "content": { event_id: { "m.read": { user: data } } } })
}

fn says(world: &World, login_id: &str, user: &str, text: &str) -> String {
    let event = world.slack.says(CHANNEL, user, text);
    world.deliver(login_id, &event);
    world.settle();
    event["ts"].as_str().unwrap().to_owned()
}

fn last_event(world: &World, room: &str) -> String {
    world.homeserver.room(room).events.last().unwrap().event_id.clone()
}

fn change_channel(world: &World, login_id: &str, kind: &str, field: &str, value: Json) {
    world.slack.channels.borrow_mut().get_mut(CHANNEL).unwrap()[field] = value;
    world.deliver(login_id, &json!({ "type": kind, "channel": CHANNEL }));
    world.settle();
}

#[test]
fn a_channel_notifies_on_mentions_and_a_chat_on_everything_set_once() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    assert_eq!(rules(&world, room), [json!([])]);
    world.slack_says(&login_id, "D0ANNA", "U0ANNA", "psst");
    world.settle();
    let direct = world.status(&login_id).portals.into_iter().find(|portal| portal.id == "D0ANNA").unwrap();
    let direct = world.portal_status(&direct.portal_id.unwrap()).room_id.unwrap();
    assert_eq!(rules(&world, direct.as_str())[0][0], "notify");

    // Bridged again, the room is as loud as its owner left it.
    world.login::<()>(&login_id, LoginCommand::Unbridge { channel: CHANNEL.to_owned() }).unwrap();
    world.settle();
    assert_eq!(world.bridge(&login_id, CHANNEL).unwrap().room_id, portal.room_id);
    world.settle();
    assert_eq!(rules(&world, room).len(), 1);
}

#[test]
fn receipts_reach_slack_as_one_after_five_seconds() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let mut events = Vec::new();
    for number in 0..3 {
        let ts = says(&world, &login_id, "U0ANNA", &format!("m{number}"));
        events.push((last_event(&world, room), ts));
    }
    let before = world.now.get();
    for (event_id, _) in &events {
        world.hand_over(room, vec![receipt(ALICE, event_id, None)]);
    }
    // Those of others, of threads, and older ones mean nothing.
    world.hand_over(room, vec![receipt(ANNA, &events[2].0, None), receipt(ALICE, &events[0].0, Some("$thread"))]);
    world.hand_over(room, vec![receipt(ALICE, &events[0].0, None)]);
    world.settle();

    assert_eq!(world.slack.last_read.borrow()[CHANNEL], events[2].1);
    let calls = world.slack.calls.borrow();
    let marks: Vec<_> = calls.iter().filter(|(method, _)| method == "conversations.mark").collect();
    assert_eq!(marks.len(), 1);
    assert!(marks[0].1 - before >= 5_000);
}

#[test]
fn what_was_read_survives_a_crash_and_an_event_of_the_room_alone_counts() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "read me");
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$x", "key": "👍" } });
    let event = world.homeserver.human_sends(room, "@bob:hub.test", "m.reaction", reaction);
    let event_id = event["event_id"].as_str().unwrap().to_owned();
    // Its time is that of the server.
    world.homeserver.rooms.borrow_mut().get_mut(room).unwrap().events.last_mut().unwrap().ts =
        Some(world.now.get() + 1);
    world.hand_over(room, vec![receipt(ALICE, &event_id, None)]);
    world.crash();
    world.settle();
    assert_eq!(world.slack.last_read.borrow()[CHANNEL], ts);
}

#[test]
fn reading_and_writing_at_slack_reads_here_and_receipts_do_not_loop() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "read there");
    let first = last_event(&world, room);
    world.slack.last_read.borrow_mut().insert(CHANNEL.to_owned(), ts);
    world.cron(300_000);
    assert_eq!(receipts(&world, room), std::slice::from_ref(&first));
    world.cron(300_000);
    assert_eq!(receipts(&world, room).len(), 1);

    says(&world, &login_id, OWNER, "answered there");
    assert_eq!(receipts(&world, room).last().unwrap(), &last_event(&world, room));
    for event_id in receipts(&world, room) {
        world.hand_over(room, vec![receipt(ALICE, &event_id, None)]);
    }
    world.settle();
    assert_eq!(world.slack.calls_of("conversations.mark"), 0);
}

#[test]
fn renames_and_topics_follow_unless_the_owner_chose_others() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let state = |kind: &str| {
        let key = (kind.to_owned(), String::new());
        world.homeserver.room(room).state.get(&key).cloned().unwrap_or_default()
    };
    change_channel(&world, &login_id, "channel_rename", "name", "all".into());
    assert_eq!(state("m.room.name"), json!({ "name": "all" }));
    assert_eq!(world.status(&login_id).portals[0].name, "all");
    assert_eq!(world.d1("SELECT name FROM portals", vec![]), [["all".into()]]);
    change_channel(&world, &login_id, "channel_rename", "topic", json!({ "value": "Plans" }));
    assert_eq!(state("m.room.topic"), json!({ "topic": "Plans" }));

    // Slack itself tells of a topic by a message only.
    world.slack.channels.borrow_mut().get_mut(CHANNEL).unwrap()["topic"] = json!({ "value": "New plans" });
    let mut event = world.slack.says(CHANNEL, "U0ANNA", "set the channel topic: New plans");
    event["subtype"] = "channel_topic".into();
    world.deliver(&login_id, &event);
    world.settle();
    assert_eq!(state("m.room.topic"), json!({ "topic": "New plans" }));

    let own = json!({ "name": "My room" });
    let key = ("m.room.name".to_owned(), String::new());
    world.homeserver.rooms.borrow_mut().get_mut(room).unwrap().state.insert(key, own.clone());
    change_channel(&world, &login_id, "channel_rename", "name", "everybody".into());
    assert_eq!(state("m.room.name"), own);
}

#[test]
fn archived_and_deleted_channels_stay_as_read_only_rooms() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let needed = || {
        let key = ("m.room.power_levels".to_owned(), String::new());
        let levels = world.homeserver.room(room).state.get(&key).cloned().unwrap_or_default();
        levels["events_default"].clone()
    };
    change_channel(&world, &login_id, "channel_archive", "is_archived", true.into());
    assert_eq!(needed(), 96);
    let notices = || world.homeserver.bodies(room).len();
    assert_eq!(notices(), 1);
    world.cron(3_600_000);
    assert_eq!(notices(), 1, "told once");
    change_channel(&world, &login_id, "channel_unarchive", "is_archived", false.into());
    assert_eq!((needed(), notices()), (json!(0), 2));

    // A hook that was missed is made up for by Cron.
    let gone = world.slack.channels.borrow_mut().remove(CHANNEL);
    assert!(gone.is_some());
    world.cron(3_600_000);
    assert_eq!((needed(), notices()), (json!(96), 3));
    assert!(world.homeserver.room(room).joined.contains(ALICE));
}

#[test]
fn a_ghost_leaves_when_its_person_leaves_and_comes_back_with_a_word() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    says(&world, &login_id, "U0ANNA", "bye");
    let mut event = world.slack.says(CHANNEL, "U0ANNA", "<@U0ANNA> has left the channel");
    event["subtype"] = "channel_leave".into();
    world.deliver(&login_id, &event);
    world.settle();
    assert!(!world.homeserver.room(room).joined.contains(ANNA));
    assert_eq!(world.homeserver.bodies(room).len(), 2);

    world.crash();
    says(&world, &login_id, "U0ANNA", "back");
    assert!(world.homeserver.room(room).joined.contains(ANNA));
    let left = json!({
        "type": "member_left_channel", "user": "U0ANNA", "channel": CHANNEL, "channel_type": "C",
        "event_ts": format!("{}.000001", world.now.get() / 1_000 + 1),
    });
    world.deliver(&login_id, &left);
    world.settle();
    assert!(!world.homeserver.room(room).joined.contains(ANNA));
}
