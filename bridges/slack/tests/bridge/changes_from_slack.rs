//! What Slack says later about a message: edits, deletions, threads, reactions.

use serde_json::{Value as Json, json};

use crate::{
    homeserver::BOT,
    slack::OWNER,
    world::{ALICE, World},
};

const ANNA: &str = "@_slack_t0team_u0anna:hub.test";
const BEN: &str = "@_slack_t0team_u0ben:hub.test";

fn says(world: &World, login_id: &str, user: &str, text: &str) -> String {
    let event = world.slack.says("C0GENERAL", user, text);
    world.deliver(login_id, &event);
    world.settle();
    event["ts"].as_str().unwrap().to_owned()
}

fn pass(world: &World, milliseconds: i64) {
    world.now.set(world.now.get() + milliseconds);
    world.slack.set_clock(world.now.get());
}

fn bodies(world: &World, room: &str) -> Vec<String> {
    world.homeserver.shown(room).into_iter().map(|(_, body)| body).collect()
}

#[test]
fn an_edit_is_shown_as_an_edit_by_its_author_that_pings_nobody_again() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "hello <@U0BEN>");
    pass(&world, 5_000);

    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, "hello *dear* <@U0BEN>"));
    world.settle();

    let events = world.homeserver.room(room).events;
    let (first, edit) = (&events[events.len() - 2], events.last().unwrap());
    assert_eq!(edit.sender, ANNA);
    assert_eq!(edit.content["m.relates_to"], json!({ "rel_type": "m.replace", "event_id": first.event_id }));
    assert_eq!(edit.content["body"], "* hello dear Ben");
    assert_eq!(edit.content["m.new_content"]["body"], "hello dear Ben");
    assert_eq!(edit.content["m.mentions"], json!({}));
    assert_eq!(edit.content["m.new_content"]["m.mentions"]["user_ids"], json!([BEN]));
}

#[test]
fn fake_edits_are_no_edits() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let edits = || {
        let events = world.homeserver.room(room).events.into_iter();
        events.filter(|event| event.content["m.relates_to"]["rel_type"] == "m.replace").count()
    };
    let ts = says(&world, &login_id, "U0ANNA", "see https://example.org");
    world.deliver(&login_id, &world.slack.unfurls("C0GENERAL", &ts));
    world.settle();
    assert_eq!(edits(), 0);

    pass(&world, 5_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, "edited"));
    world.deliver(&login_id, &world.slack.unfurls("C0GENERAL", &ts));
    world.settle();
    assert_eq!(edits(), 1, "the preview of an edited message is no second edit");
}

#[test]
fn a_preview_is_told_once_by_the_bot_and_goes_with_its_message() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "see https://example.org");
    let unfurl = world.slack.unfurls("C0GENERAL", &ts);
    for _ in 0..3 {
        world.deliver(&login_id, &unfurl);
        world.settle();
        world.crash();
    }
    let events = world.homeserver.room(room).events;
    assert_eq!(events.len(), 2);
    assert_eq!((events[1].sender.as_str(), events[1].content["body"].as_str()), (BOT, Some("> A page")));
    assert_eq!(events[1].content["msgtype"], "m.notice");
    assert_eq!(events[1].content["m.mentions"], json!({}));
    assert_eq!(events[1].content["m.relates_to"]["m.in_reply_to"]["event_id"], events[0].event_id.as_str());

    pass(&world, 5_000);
    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &ts));
    world.settle();
    assert!(bodies(&world, room).is_empty());
}

#[test]
fn a_preview_in_a_thread_stays_there_and_one_that_an_edit_says_anew_goes() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let root = says(&world, &login_id, "U0ANNA", "root");
    let reply = world.slack.replies("C0GENERAL", "U0BEN", &root, "see https://example.org");
    world.deliver(&login_id, &reply);
    let ts = reply["ts"].as_str().unwrap();
    world.deliver(&login_id, &world.slack.unfurls("C0GENERAL", ts));
    world.settle();
    let preview = world.homeserver.room(room).events.pop().unwrap();
    assert_eq!(preview.content["m.relates_to"]["rel_type"], "m.thread");

    pass(&world, 5_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", ts, "see there"));
    world.settle();
    assert_eq!(bodies(&world, room), ["root", "see there\n> A page"]);
}

#[test]
fn a_preview_of_what_was_written_here_is_left_to_the_client() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.matrix_says(room, ALICE, "see https://example.org");
    world.settle();
    world.deliver_echoes(&login_id);
    let ts = world.slack.history.borrow()["C0GENERAL"].last().unwrap()["ts"].as_str().unwrap().to_owned();
    world.deliver(&login_id, &world.slack.unfurls("C0GENERAL", &ts));
    world.settle();
    assert_eq!(world.homeserver.room(room).events.len(), 1);
}

#[test]
fn two_edits_in_one_second_and_a_repeated_one_come_out_once_each() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "one");
    pass(&world, 5_000);
    let edits = ["two", "three"].map(|text| world.slack.edits("C0GENERAL", &ts, text));
    for edit in [&edits[0], &edits[1], &edits[0], &edits[1]] {
        world.deliver(&login_id, edit);
        world.settle();
    }

    assert_eq!(bodies(&world, room), ["three"]);
    assert_eq!(world.homeserver.room(room).events.len(), 3);
}

#[test]
fn ordering_an_edit_that_overtakes_its_message_waits_for_it_and_stops_nobody() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let message = world.slack.says("C0GENERAL", "U0ANNA", "first");
    let ts = message["ts"].as_str().unwrap();
    pass(&world, 2_000);
    let edit = world.slack.edits("C0GENERAL", ts, "edited");
    let reaction = world.slack.reacts("C0GENERAL", ts, "U0BEN", "+1", true).unwrap();
    let late = {
        let mut message = message.clone();
        message["text"] = "first".into();
        message
    };

    world.deliver(&login_id, &edit);
    world.deliver(&login_id, &reaction);
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "meanwhile");
    world.try_settle_for_a_while();
    assert_eq!(bodies(&world, room), ["meanwhile"]);
    world.crash();
    world.deliver(&login_id, &late);
    world.try_settle_for_a_while();

    assert_eq!(bodies(&world, room), ["meanwhile", "edited"]);
    assert_eq!(world.homeserver.reactions(room).len(), 1);
}

#[test]
fn ordering_what_is_about_an_unknown_message_is_given_up_after_a_minute() {
    let (world, login_id, portal) = World::bridged();
    let edit = json!({
        "type": "message", "subtype": "message_changed", "channel": "C0GENERAL", "ts": "1760000050.000001",
        "event_ts": "1760000050.000001",
        "message": { "type": "message", "user": "U0ANNA", "text": "?", "ts": "1750000000.000001",
            "edited": { "user": "U0ANNA", "ts": "1760000050.000000" } },
    });
    let before = world.now.get();
    world.deliver(&login_id, &edit);
    world.try_settle_for_a_while();
    assert_eq!(world.portal_status(&portal.portal_id).inbound, 1);
    for _ in 0..3 {
        // Waking up again and again does not make it wait longer.
        world.crash();
        pass(&world, 15_000);
        world
            .try_ask::<()>(
                hubbub_core::contract::Class::Portal,
                &portal.portal_id,
                &hubbub_bridge::contract::PortalCommand::Poke,
            )
            .unwrap()
            .unwrap();
        world.try_settle_for_a_while();
    }
    world.settle();

    assert!(world.now.get() - before <= 70_000);
    assert_eq!(world.portal_status(&portal.portal_id).inbound, 0);
    assert!(world.homeserver.bodies(portal.room_id.as_str()).is_empty());
}

#[test]
fn a_deletion_and_a_tombstone_take_the_message_back_as_its_sender() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let gone = says(&world, &login_id, "U0ANNA", "gone");
    let root = says(&world, &login_id, OWNER, "had replies");
    says(&world, &login_id, "U0BEN", "stays");

    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &gone));
    let tombstone = json!({
        "type": "message", "subtype": "message_changed", "channel": "C0GENERAL", "hidden": true,
        "ts": "1760000100.000001", "event_ts": "1760000100.000001",
        "message": { "type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": root, "thread_ts": root },
    });
    world.deliver(&login_id, &tombstone);
    world.deliver(&login_id, &tombstone);
    world.settle();

    assert_eq!(bodies(&world, room), ["stays"]);
    assert_eq!(world.slack.calls_of("chat.delete"), 0);
    // A late edit or reaction brings nothing back.
    let edit = json!({
        "type": "message", "subtype": "message_changed", "channel": "C0GENERAL", "ts": "1760000200.000001",
        "message": { "type": "message", "user": "U0ANNA", "text": "?", "ts": gone, "edited": { "ts": "1760000199.0" } },
    });
    world.deliver(&login_id, &edit);
    world.settle();
    assert_eq!(bodies(&world, room), ["stays"]);
}

#[test]
fn redaction_of_a_long_message_reaches_all_its_parts() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", &"word ".repeat(12_000));
    assert!(bodies(&world, room).len() > 1);

    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &ts));
    world.settle();

    assert!(bodies(&world, room).is_empty());
}

#[test]
fn an_edit_may_make_a_message_shorter_and_longer() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", &"word ".repeat(12_000));
    let long = bodies(&world, room).len();

    pass(&world, 2_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, "short"));
    world.settle();
    assert_eq!(bodies(&world, room), ["short"]);

    pass(&world, 2_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, &"word ".repeat(12_000)));
    world.settle();
    assert_eq!(bodies(&world, room).len(), long);

    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &ts));
    world.settle();
    assert!(bodies(&world, room).is_empty());
}

#[test]
fn what_the_owner_typed_at_slack_is_edited_and_deleted_as_the_owner_without_a_loop() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, OWNER, "mine");
    pass(&world, 2_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, "mine, too"));
    world.settle();
    assert_eq!(world.homeserver.shown(room), [(ALICE.to_owned(), "mine, too".to_owned())]);

    let event_id = world.homeserver.room(room).events[0].event_id.clone();
    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &ts));
    world.settle();
    assert!(bodies(&world, room).is_empty());
    // The double puppet's redaction comes back from the room.
    let redaction = json!({
        "type": "m.room.redaction", "event_id": "$r", "sender": ALICE, "content": { "redacts": event_id },
    });
    world.hand_over(room, vec![redaction]);
    world.settle();
    assert_eq!(world.slack.calls_of("chat.delete"), 0);
}

#[test]
fn reactions_come_go_and_come_again() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "like me");
    let react = |user: &str, name: &str, added: bool| {
        let event = world.slack.reacts("C0GENERAL", &ts, user, name, added).unwrap();
        for _ in 0..2 {
            world.deliver(&login_id, &event);
            world.settle();
        }
    };

    react("U0BEN", "thumbsup", true);
    react("U0BEN", "party_parrot", true);
    react(OWNER, "heart", true);
    let expected = [(BEN, "👍"), (BEN, ":party_parrot:"), (ALICE, "❤️")];
    assert_eq!(world.homeserver.reactions(room), expected.map(|(who, key)| (who.to_owned(), key.to_owned())));

    react("U0BEN", "thumbsup", false);
    react("U0BEN", "thumbsup", true);
    react("U0BEN", "thumbsup", false);
    react("U0BEN", "thumbsup", true);
    assert_eq!(world.homeserver.reactions(room).len(), 3);
    react(OWNER, "heart", false);
    react("U0BEN", "party_parrot", false);
    assert_eq!(world.homeserver.reactions(room), [(BEN.to_owned(), "👍".to_owned())]);
    assert_eq!(world.slack.calls_of("reactions.add") + world.slack.calls_of("reactions.remove"), 0);
}

#[test]
fn a_thread_is_a_thread_and_a_broadcast_reply_is_shown_in_both() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let root = says(&world, &login_id, "U0ANNA", "root");
    for text in ["one", "two"] {
        world.deliver(&login_id, &world.slack.replies("C0GENERAL", "U0BEN", &root, text));
        world.settle();
    }
    let mut broadcast = world.slack.replies("C0GENERAL", "U0ANNA", &root, "all");
    broadcast["subtype"] = "thread_broadcast".into();
    world.deliver(&login_id, &broadcast);
    world.settle();

    let events = world.homeserver.room(room).events;
    let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
    let thread = |newest: &str| {
        json!({
            "rel_type": "m.thread", "event_id": ids[0], "is_falling_back": true,
            "m.in_reply_to": { "event_id": newest },
        })
    };
    assert_eq!(events[1].content["m.relates_to"], thread(&ids[0]));
    assert_eq!(events[2].content["m.relates_to"], thread(&ids[1]));
    assert_eq!(events[3].content["m.relates_to"], thread(&ids[2]));
    assert_eq!(events[4].content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": ids[0] } }));
    assert_eq!(events[4].content["body"], "all");

    let ts = broadcast["ts"].as_str().unwrap();
    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", ts));
    world.settle();
    assert_eq!(bodies(&world, room), ["root", "one", "two"]);
}

#[test]
fn a_reply_to_an_unknown_root_is_shown_plainly() {
    let (world, login_id, portal) = World::bridged();
    let reply = world.slack.replies("C0GENERAL", "U0BEN", "1600000000.000001", "where am I");
    world.deliver(&login_id, &reply);
    world.settle();

    let event = world.homeserver.room(portal.room_id.as_str()).events.pop().unwrap();
    assert_eq!(event.content["body"], "where am I");
    assert_eq!(event.content.get("m.relates_to"), None);
}

#[test]
fn an_edit_by_a_banned_ghost_and_a_deletion_of_the_bots_words_stop_nothing() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let ts = says(&world, &login_id, "U0ANNA", "before");
    world.homeserver.banned.borrow_mut().insert(ANNA.to_owned());
    world.homeserver.rooms.borrow_mut().get_mut(room).unwrap().joined.remove(ANNA);
    let banned = says(&world, &login_id, "U0ANNA", "banned");
    pass(&world, 2_000);
    world.deliver(&login_id, &world.slack.edits("C0GENERAL", &ts, "after"));
    world.deliver(&login_id, &world.slack.deletes("C0GENERAL", &banned));
    says(&world, &login_id, "U0BEN", "next");

    let shown = world.homeserver.shown(room);
    assert!(shown.iter().all(|(_, body)| body != "Anna: banned"), "{shown:?}");
    assert!(shown.iter().any(|(sender, body)| sender == BOT && body.ends_with("after")), "{shown:?}");
    assert_eq!(shown.last().unwrap().1, "next");
}

#[test]
fn a_late_event_of_an_old_message_finds_its_event_after_a_restart() {
    let (world, login_id, portal) = World::bridged();
    let ts = says(&world, &login_id, "U0ANNA", "old");
    world.crash();
    pass(&world, 86_400_000);

    let reaction = world.slack.reacts("C0GENERAL", &ts, "U0BEN", "wave::skin-tone-3", true).unwrap();
    world.deliver(&login_id, &reaction);
    world.settle();

    let room = portal.room_id.as_str();
    assert_eq!(world.homeserver.reactions(room), [(BEN.to_owned(), "👋🏼".to_owned())]);
    let content: Json = world.homeserver.room(room).events.pop().unwrap().content;
    assert_eq!(content["shortcode"], ":wave::skin-tone-3:");
}
