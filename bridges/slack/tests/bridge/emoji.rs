//! Custom emoji, both ways, and the workspace's icon.

use std::rc::Rc;

use serde_json::{Value as Json, json};

use crate::{
    homeserver::Event,
    slack::{Fault, OWNER},
    world::{ALICE, World},
};

const CHANNEL: &str = "C0GENERAL";
const PARROT: &str = "https://emoji.slack-edge.com/T0TEAM/partyparrot/1.png";
const DAY: i64 = 86_400_000;

/// A world whose workspace has the emoji `:partyparrot:` and its alias `:bob_bird:`; login and room.
fn world() -> (Rc<World>, String, String) {
    let (world, login_id, portal) = World::bridged();
    for (name, value) in
        [("partyparrot", PARROT), ("bob_bird", "alias:partyparrot"), ("bad", "https://example.org/x.png")]
    {
        world.slack.emoji.borrow_mut().insert(name.to_owned(), value.to_owned());
    }
    (world, login_id, portal.room_id.to_string())
}

fn says(world: &World, login_id: &str, text: &str) -> String {
    let event = world.slack.says(CHANNEL, "U0ANNA", text);
    world.deliver(login_id, &event);
    world.settle();
    event["ts"].as_str().unwrap().to_owned()
}

fn reacts(world: &World, login_id: &str, ts: &str, name: &str, added: bool) {
    world.now.set(world.now.get() + 1_000);
    world.slack.set_clock(world.now.get());
    let event = world.slack.reacts(CHANNEL, ts, "U0ANNA", name, added).unwrap();
    world.deliver(login_id, &event);
    world.settle();
}

fn last(world: &World, room: &str) -> Event {
    world.homeserver.room(room).events.last().unwrap().clone()
}

fn html(world: &World, room: &str) -> String {
    last(world, room).content["formatted_body"].as_str().unwrap_or_default().to_owned()
}

fn picture(html: &str) -> String {
    html.split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn bytes(world: &World, mxc: &str) -> Vec<u8> {
    world.homeserver.media_at(&json!({ "url": mxc })).bytes.unwrap()
}

fn annotation(event_id: &str, key: &str) -> Json {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event_id, "key": key } })
}

#[test]
fn a_custom_emoji_in_a_message_is_shown_by_its_picture_which_is_copied_once() {
    let (world, login_id, room) = world();
    says(&world, &login_id, "look :partyparrot: at 10:30:45");
    let shown = html(&world, &room);
    let mxc = picture(&shown);
    assert_eq!(
        shown,
        format!(
            "look <img data-mx-emoticon src=\"{mxc}\" alt=\":partyparrot:\" title=\":partyparrot:\" height=\"32\"> at 10:30:45"
        )
    );
    assert_eq!(last(&world, &room).content["body"], "look :partyparrot: at 10:30:45");
    assert_eq!(bytes(&world, &mxc), b"/T0TEAM/partyparrot/1.png");

    world.crash();
    says(&world, &login_id, ":partyparrot: again, and :bob_bird:");
    assert_eq!(html(&world, &room).matches(&mxc).count(), 2, "an alias has the picture of what it stands for");
    assert_eq!(world.slack.calls_of("picture"), 1);
}

#[test]
fn an_emoji_that_nobody_knows_stays_visible_by_its_name_and_the_list_is_not_read_for_each() {
    let (world, login_id, room) = world();
    for _ in 0..5 {
        says(&world, &login_id, "so :strange: and :bad: and :wave:");
        assert_eq!(last(&world, &room).content["body"], "so :strange: and :bad: and 👋");
        assert_eq!(html(&world, &room), "");
    }
    assert_eq!((world.slack.calls_of("emoji.list"), world.slack.calls_of("picture")), (1, 0));
}

#[test]
fn an_emoji_that_is_made_later_is_found_when_slack_tells_of_it() {
    let (world, login_id, room) = world();
    says(&world, &login_id, ":later:");
    assert_eq!(html(&world, &room), "");
    world.deliver(&login_id, &world.slack.adds_emoji("later", "https://emoji.slack-edge.com/T0TEAM/later/1.png"));
    world.now.set(world.now.get() + 61_000);
    says(&world, &login_id, ":later:");
    assert_eq!(bytes(&world, &picture(&html(&world, &room))), b"/T0TEAM/later/1.png");
}

#[test]
fn an_emoji_that_has_another_picture_now_is_shown_with_that() {
    let (world, login_id, room) = world();
    says(&world, &login_id, ":bob_bird:");
    world.deliver(&login_id, &world.slack.removes_emoji("partyparrot"));
    world.deliver(
        &login_id,
        &world.slack.adds_emoji("partyparrot", "https://emoji.slack-edge.com/T0TEAM/partyparrot/2.png"),
    );
    world.now.set(world.now.get() + 601_000);
    for name in [":partyparrot:", ":bob_bird:"] {
        says(&world, &login_id, name);
        assert_eq!(bytes(&world, &picture(&html(&world, &room))), b"/T0TEAM/partyparrot/2.png", "{name}");
    }
}

#[test]
fn a_picture_that_does_not_come_delays_nothing_and_comes_later() {
    let (world, login_id, room) = world();
    for fault in [Fault::Http(503), Fault::Close] {
        world.slack.picture_fault.set(Some(fault));
        says(&world, &login_id, ":partyparrot:");
        assert_eq!(last(&world, &room).content["body"], ":partyparrot:");
        assert_eq!(html(&world, &room), "");
        world.now.set(world.now.get() + 601_000);
    }
    world.slack.picture_fault.set(None);
    says(&world, &login_id, ":partyparrot:");
    assert_eq!(bytes(&world, &picture(&html(&world, &room))), b"/T0TEAM/partyparrot/1.png");
}

#[test]
fn reactions_with_a_custom_emoji_come_and_go_and_come_again() {
    let (world, login_id, room) = world();
    let ts = says(&world, &login_id, "hello");
    let mut keys = Vec::new();
    for _ in 0..3 {
        reacts(&world, &login_id, &ts, "partyparrot", true);
        let reaction = last(&world, &room);
        assert_eq!(reaction.kind, "m.reaction");
        assert_eq!(reaction.content["shortcode"], ":partyparrot:");
        let key = reaction.content["m.relates_to"]["key"].as_str().unwrap().to_owned();
        assert_eq!(bytes(&world, &key), b"/T0TEAM/partyparrot/1.png");
        keys.push(key);
        reacts(&world, &login_id, &ts, "partyparrot", false);
        assert!(world.homeserver.reactions(&room).is_empty());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
    reacts(&world, &login_id, &ts, "strange", true);
    assert_eq!(last(&world, &room).content["m.relates_to"]["key"], ":strange:");
}

#[test]
fn a_reaction_here_with_a_picture_or_a_name_becomes_the_custom_emoji_and_comes_again() {
    let (world, login_id, room) = world();
    let ts = says(&world, &login_id, "hello");
    let target = last(&world, &room).event_id;
    reacts(&world, &login_id, &ts, "partyparrot", true);
    let mxc = last(&world, &room).content["m.relates_to"]["key"].as_str().unwrap().to_owned();
    for key in [mxc.as_str(), ":partyparrot:", mxc.as_str()] {
        let reaction = world.matrix_sends(&room, ALICE, "m.reaction", annotation(&target, key));
        world.settle();
        world.deliver_echoes(&login_id);
        let people = vec!["U0ANNA".to_owned(), OWNER.to_owned()];
        assert_eq!(world.slack.reactions(CHANNEL, &ts), [("partyparrot".to_owned(), people)], "{key}");
        world.now.set(world.now.get() + 1_000);
        world.matrix_sends(&room, ALICE, "m.room.redaction", json!({ "redacts": reaction }));
        world.settle();
        world.deliver_echoes(&login_id);
        world.settle();
        assert_eq!(world.slack.reactions(CHANNEL, &ts)[0].1, ["U0ANNA"], "{key}");
        world.now.set(world.now.get() + 1_000);
    }
}

#[test]
fn a_reaction_with_a_picture_that_is_no_emoji_of_slacks_is_explained() {
    let (world, login_id, room) = world();
    says(&world, &login_id, "hello");
    let target = last(&world, &room).event_id;
    world.matrix_sends(&room, ALICE, "m.reaction", annotation(&target, "mxc://hub.test/other"));
    world.settle();
    assert!(last(&world, &room).content["body"].as_str().unwrap().contains("no such emoji"));
}

#[test]
fn an_emoticon_in_a_message_becomes_the_name_that_slack_knows() {
    let (world, login_id, room) = world();
    says(&world, &login_id, ":partyparrot:");
    let mxc = picture(&html(&world, &room));
    // The sender's client may call the same picture otherwise.
    for name in ["partyparrot", "my_bird"] {
        let html = format!("so <img data-mx-emoticon src=\"{mxc}\" alt=\":{name}:\" height=\"32\"> yes");
        let content = json!({
            "msgtype": "m.text", "body": format!("so :{name}: yes"),
            "format": "org.matrix.custom.html", "formatted_body": html,
        });
        world.matrix_sends(&room, ALICE, "m.room.message", content);
        world.settle();
        assert_eq!(world.slack.posted(CHANNEL).pop().unwrap(), "so :partyparrot: yes");
    }
}

#[test]
fn the_space_has_the_workspaces_icon_and_follows_it_once_a_day_unless_its_owner_chose_one() {
    let (world, login_id) = World::connected();
    let icon = |number: u8| json!({ "image_132": format!("https://avatars.slack-edge.com/{number}.png") });
    *world.slack.icon.borrow_mut() = icon(1);
    world.bridge(&login_id, "#general").unwrap();
    world.settle();
    let space = world.homeserver.space();
    let avatar = || {
        let room = world.homeserver.room(&space);
        room.state.get(&("m.room.avatar".to_owned(), String::new())).cloned().unwrap_or_default()
    };
    let first = avatar();
    assert_eq!(world.homeserver.media_at(&first).bytes.unwrap(), b"/1.png");

    *world.slack.icon.borrow_mut() = icon(2);
    world.cron(DAY / 2);
    world.cron(DAY);
    let second = avatar();
    assert_eq!(world.homeserver.media_at(&second).bytes.unwrap(), b"/2.png");
    let copied = world.slack.calls_of("picture");
    for _ in 0..3 {
        world.cron(DAY);
    }
    assert_eq!((avatar(), world.slack.calls_of("picture")), (second, copied), "the same icon is not copied again");

    let own = json!({ "url": "mxc://hub.test/own" });
    let key = ("m.room.avatar".to_owned(), String::new());
    world.homeserver.rooms.borrow_mut().get_mut(&space).unwrap().state.insert(key, own.clone());
    *world.slack.icon.borrow_mut() = icon(3);
    world.cron(DAY);
    assert_eq!(avatar(), own);
}
