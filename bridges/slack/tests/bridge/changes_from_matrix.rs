//! What is done in the room to a message: edits, redactions, reactions, replies and threads.

use hubbub_bridge::contract::LoginCommand;
use serde_json::{Value as Json, json};

use crate::{
    homeserver::BOT,
    slack::{Fault, OWNER},
    world::{ALICE, World},
};

const CHANNEL: &str = "C0GENERAL";

fn bridged() -> (std::rc::Rc<World>, String, String) {
    let (world, login_id, portal) = World::bridged();
    world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
    world.settle();
    (world, login_id, portal.room_id.to_string())
}

fn edit(event_id: &str, body: &str) -> Json {
    json!({
        "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": { "msgtype": "m.text", "body": body },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event_id },
    })
}

fn annotation(event_id: &str, key: &str) -> Json {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event_id, "key": key } })
}

fn says(world: &World, room: &str, body: &str) -> (String, String) {
    let event_id = world.matrix_says(room, ALICE, body);
    world.settle();
    let ts = world.slack.history.borrow()[CHANNEL].last().unwrap()["ts"].as_str().unwrap().to_owned();
    (event_id, ts)
}

fn slack_says(world: &World, login_id: &str, room: &str, user: &str, text: &str) -> (String, String) {
    let event = world.slack.says(CHANNEL, user, text);
    world.deliver(login_id, &event);
    world.settle();
    let event_id = world.homeserver.room(room).events.last().unwrap().event_id.clone();
    (event_id, event["ts"].as_str().unwrap().to_owned())
}

fn pass(world: &World, milliseconds: i64) {
    world.now.set(world.now.get() + milliseconds);
    world.slack.set_clock(world.now.get());
}

fn sends(world: &World, room: &str, kind: &str, content: Json) -> String {
    let event_id = world.matrix_sends(room, ALICE, kind, content);
    world.settle();
    event_id
}

fn notices(world: &World, room: &str) -> Vec<String> {
    world.homeserver.said(room).into_iter().filter(|(sender, _)| sender == BOT).map(|(_, body)| body).collect()
}

#[test]
fn echo_of_an_edit_is_not_shown_whenever_it_comes() {
    for echo_metadata in [true, false] {
        for fault in
            [None, Some(Fault::DropAnswer), Some(Fault::Close), Some(Fault::RateLimited(3)), Some(Fault::NotSent)]
        {
            let (world, login_id, room) = bridged();
            world.slack.echo_metadata.set(echo_metadata);
            let (event_id, _) = says(&world, &room, "one");
            world.deliver_echoes(&login_id);
            pass(&world, 3_000);
            world.slack.change_faults.borrow_mut().push_back(fault);

            world.matrix_sends(&room, ALICE, "m.room.message", edit(&event_id, "two"));
            world.try_settle_for_a_while();
            world.deliver_echoes(&login_id);
            world.settle();
            world.deliver_echoes(&login_id);
            world.settle();

            assert_eq!(world.slack.posted(CHANNEL), ["two"]);
            let events = world.homeserver.room(&room).events;
            assert_eq!(events.len(), 2, "{fault:?} {echo_metadata}: {events:?}");
            // Slack's own edit of the same message afterwards is one.
            pass(&world, 3_000);
            let ts = world.slack.history.borrow()[CHANNEL].last().unwrap()["ts"].as_str().unwrap().to_owned();
            world.deliver(&login_id, &world.slack.edits(CHANNEL, &ts, "three"));
            world.settle();
            assert_eq!(world.homeserver.shown(&room), [(ALICE.to_owned(), "three".to_owned())]);
        }
    }
}

#[test]
fn edit_races_send_and_waits_for_its_message() {
    let (world, login_id, room) = bridged();
    world.slack.suffer_next([Fault::DropAnswer]);
    let event_id = world.matrix_says(&room, ALICE, "one");
    for body in ["two", "three", "four"] {
        world.matrix_sends(&room, ALICE, "m.room.message", edit(&event_id, body));
    }
    world.settle();
    world.deliver_echoes(&login_id);
    world.settle();

    assert_eq!(world.slack.posted(CHANNEL), ["four"]);
    assert_eq!(world.slack.calls_of("chat.update"), 1, "edits that wait are one");
    assert_eq!(world.homeserver.shown(&room), [(ALICE.to_owned(), "four".to_owned())]);
}

#[test]
fn what_slack_refuses_to_edit_delete_or_react_to_is_told() {
    let (world, _, room) = bridged();
    let (event_id, ts) = says(&world, &room, "one");
    let refuse = |code| world.slack.change_faults.borrow_mut().push_back(Some(Fault::Error(code)));

    refuse("edit_window_closed");
    sends(&world, &room, "m.room.message", edit(&event_id, "two"));
    assert_eq!(
        notices(&world, &room).last().unwrap(),
        "Slack did not take this edit: the workspace lets nobody edit so old a message."
    );
    refuse("too_many_reactions");
    let reaction = sends(&world, &room, "m.reaction", annotation(&event_id, "👍"));
    assert!(notices(&world, &room).last().unwrap().starts_with("Slack did not take this reaction: "));
    // It is not there, so that taking it back calls nobody, and another one may come.
    sends(&world, &room, "m.room.redaction", json!({ "redacts": reaction }));
    assert_eq!(world.slack.calls_of("reactions.remove"), 0);
    sends(&world, &room, "m.reaction", annotation(&event_id, "👍"));
    assert_eq!(world.slack.reactions(CHANNEL, &ts), [("+1".to_owned(), vec![OWNER.to_owned()])]);
    refuse("cant_delete_message");
    sends(&world, &room, "m.room.redaction", json!({ "redacts": event_id }));
    assert!(notices(&world, &room).last().unwrap().starts_with("Slack did not take this deletion: "));
    assert_eq!(world.slack.posted(CHANNEL), ["one"]);
}

#[test]
fn redaction_of_a_long_message_deletes_all_its_parts_at_slack() {
    let (world, login_id, room) = bridged();
    let (event_id, _) = says(&world, &room, "word ".repeat(2_000).trim());
    world.deliver_echoes(&login_id);
    assert!(world.slack.posted(CHANNEL).len() > 2);
    world.slack.change_faults.borrow_mut().extend([Some(Fault::DropAnswer), Some(Fault::RateLimited(2))]);

    sends(&world, &room, "m.room.redaction", json!({ "redacts": event_id }));
    world.deliver_echoes(&login_id);
    world.settle();

    assert!(world.slack.posted(CHANNEL).is_empty());
    assert!(notices(&world, &room).is_empty());
}

#[test]
fn an_edit_of_a_long_message_may_be_shorter_but_not_longer() {
    let (world, login_id, room) = bridged();
    let (event_id, _) = says(&world, &room, "word ".repeat(2_000).trim());
    world.deliver_echoes(&login_id);
    pass(&world, 2_000);
    sends(&world, &room, "m.room.message", edit(&event_id, "short"));
    assert_eq!(world.slack.posted(CHANNEL), ["short"]);

    sends(&world, &room, "m.room.message", edit(&event_id, "word ".repeat(2_000).trim()));
    assert_eq!(world.slack.posted(CHANNEL), ["short"]);
    assert!(notices(&world, &room).last().unwrap().contains("too long"));
}

#[test]
fn a_reaction_goes_out_and_is_taken_back_and_its_echoes_are_not_shown() {
    for fault in [None, Some(Fault::DropAnswer), Some(Fault::Close), Some(Fault::RateLimited(3))] {
        let (world, login_id, room) = bridged();
        let (theirs, their_ts) = slack_says(&world, &login_id, &room, "U0ANNA", "like me");
        let (mine, my_ts) = says(&world, &room, "and me");
        world.deliver_echoes(&login_id);
        for (event_id, ts) in [(&theirs, &their_ts), (&mine, &my_ts)] {
            world.slack.change_faults.borrow_mut().push_back(fault);
            let reaction = world.matrix_sends(&room, ALICE, "m.reaction", annotation(event_id, "👍\u{fe0f}"));
            world.try_settle_for_a_while();
            world.deliver_echoes(&login_id);
            world.settle();
            world.deliver_echoes(&login_id);
            world.settle();
            assert_eq!(world.slack.reactions(CHANNEL, ts), [("+1".to_owned(), vec![OWNER.to_owned()])]);
            assert_eq!(world.homeserver.reactions(&room).len(), 1, "{fault:?}");

            world.slack.change_faults.borrow_mut().push_back(fault);
            pass(&world, 5_000);
            world.matrix_sends(&room, ALICE, "m.room.redaction", json!({ "redacts": reaction }));
            world.try_settle_for_a_while();
            world.deliver_echoes(&login_id);
            world.settle();
            world.deliver_echoes(&login_id);
            world.settle();
            assert!(world.slack.reactions(CHANNEL, ts).is_empty());
            assert!(world.homeserver.reactions(&room).is_empty(), "{fault:?}");
        }
        assert!(notices(&world, &room).is_empty());
    }
}

#[test]
fn reactions_that_are_there_already_are_fine_and_the_owners_own_can_be_taken_back() {
    let (world, login_id, room) = bridged();
    let (event_id, ts) = slack_says(&world, &login_id, &room, "U0ANNA", "like me");
    // Typed at Slack; the event is late.
    let late = world.slack.reacts(CHANNEL, &ts, OWNER, "tada", true).unwrap();
    sends(&world, &room, "m.reaction", annotation(&event_id, "🎉"));
    world.deliver(&login_id, &late);
    world.settle();
    assert_eq!(world.homeserver.reactions(&room).len(), 1);
    assert!(notices(&world, &room).is_empty());

    let event = world.slack.reacts(CHANNEL, &ts, OWNER, "party_parrot", true).unwrap();
    world.deliver(&login_id, &event);
    world.settle();
    let shown = world.homeserver.room(&room).events.pop().unwrap();
    assert_eq!((shown.sender.as_str(), shown.kind.as_str()), (ALICE, "m.reaction"));
    sends(&world, &room, "m.room.redaction", json!({ "redacts": shown.event_id }));
    assert_eq!(world.slack.reactions(CHANNEL, &ts), [("tada".to_owned(), vec![OWNER.to_owned()])]);
}

#[test]
fn an_emoji_that_slack_does_not_have_is_told() {
    let (world, login_id, room) = bridged();
    let (event_id, _) = slack_says(&world, &login_id, &room, "U0ANNA", "like me");
    sends(&world, &room, "m.reaction", annotation(&event_id, "lol"));
    assert!(notices(&world, &room).last().unwrap().contains("no such emoji"));
    sends(&world, &room, "m.reaction", annotation(&event_id, ":party_parrot:"));
    assert_eq!(world.slack.calls_of("reactions.add"), 1);
}

#[test]
fn replies_and_threads_go_into_the_thread() {
    let (world, login_id, room) = bridged();
    let (root, root_ts) = slack_says(&world, &login_id, &room, "U0ANNA", "root");
    let (other, other_ts) = slack_says(&world, &login_id, &room, "U0BEN", "other");
    let thread_of = |world: &World| world.slack.history.borrow()[CHANNEL].last().unwrap()["thread_ts"].clone();

    let threaded = |newest: &str| {
        json!({
            "msgtype": "m.text", "body": "in the thread", "m.relates_to": {
                "rel_type": "m.thread", "event_id": root, "is_falling_back": true,
                "m.in_reply_to": { "event_id": newest },
            },
        })
    };
    let mine = sends(&world, &room, "m.room.message", threaded(&root));
    assert_eq!(thread_of(&world), root_ts.as_str());

    let reply = |event_id: &str| json!({ "msgtype": "m.text", "body": "answer", "m.relates_to": { "m.in_reply_to": { "event_id": event_id } } });
    sends(&world, &room, "m.room.message", reply(&mine));
    assert_eq!(thread_of(&world), root_ts.as_str(), "an answer to a reply stays in its thread");
    sends(&world, &room, "m.room.message", reply(&other));
    assert_eq!(thread_of(&world), other_ts.as_str());
    sends(&world, &room, "m.room.message", reply("$unknown"));
    assert_eq!(thread_of(&world), Json::Null);
    world.deliver_echoes(&login_id);
    world.settle();

    // What comes from Slack next falls back to the newest of the thread, which is ours.
    let event = world.slack.replies(CHANNEL, "U0ANNA", &root_ts, "next");
    world.deliver(&login_id, &event);
    world.settle();
    let relation = world.homeserver.room(&room).events.pop().unwrap().content["m.relates_to"].clone();
    assert_eq!(relation["rel_type"], "m.thread");
    assert_ne!(relation["m.in_reply_to"]["event_id"], root.as_str());
}

#[test]
fn nobody_else_edits_deletes_or_reacts_at_slack() {
    let (world, login_id, room) = bridged();
    let (event_id, _) = slack_says(&world, &login_id, &room, "U0ANNA", "hands off");
    world.matrix_sends(&room, "@bob:hub.test", "m.reaction", annotation(&event_id, "👍"));
    world.matrix_sends(&room, "@bob:hub.test", "m.room.redaction", json!({ "redacts": event_id }));
    world.settle();

    for method in ["chat.update", "chat.delete", "reactions.add"] {
        assert_eq!(world.slack.calls_of(method), 0, "{method}");
    }
    assert!(notices(&world, &room).is_empty());
}
