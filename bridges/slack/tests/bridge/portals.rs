//! How a channel becomes a room, and stops being one.

use hubbub_bridge::{contract::LoginCommand, failpoints::FAILPOINTS};
use serde_json::json;

use crate::{
    homeserver::BOT,
    slack::{Fault, OWNER},
    world::{ALICE, World},
};

#[test]
fn a_channel_becomes_an_unfederated_room_in_the_workspaces_space() {
    let (world, login_id, portal) = World::bridged();

    let room = world.homeserver.room(portal.room_id.as_str());
    assert_eq!(room.body["creation_content"]["m.federate"], false);
    assert_eq!(room.body["name"], "general");
    assert_eq!(room.body["topic"], "Anything goes");
    assert_eq!(room.body["room_alias_name"], format!("_slack_{}", portal.portal_id));
    assert!(room.joined.contains(ALICE) && room.joined.contains(BOT));
    let levels = &room.body["power_level_content_override"];
    let owner = levels["users"][ALICE].as_i64().unwrap();
    for kind in ["m.room.encryption", "m.room.tombstone", "m.room.server_acl"] {
        assert!(levels["events"][kind].as_i64().unwrap() > owner, "{kind}");
    }
    let initial = room.body["initial_state"].as_array().unwrap();
    assert!(initial.iter().any(|event| event["type"] == "m.bridge"));
    let space = world.homeserver.room_of_alias(&format!("#_slack_space_{login_id}:hub.test")).unwrap();
    assert!(initial.iter().any(|event| event["type"] == "m.space.parent" && event["state_key"] == space.as_str()));
    let space = world.homeserver.room(&space);
    assert_eq!(space.body["creation_content"]["type"], "m.space");
    assert_eq!(space.body["name"], "Acme");
    assert!(space.state.contains_key(&("m.space.child".to_owned(), portal.room_id.to_string())));
    assert_eq!(world.routes.borrow()[portal.room_id.as_str()].as_ref(), Some(&portal.portal_id));
    let rows = world.d1("SELECT room_id, name, kind FROM portals", vec![]);
    assert_eq!(rows, [[portal.room_id.as_str().into(), "general".into(), "channel".into()]]);
}

#[test]
fn bridging_twice_or_by_id_is_the_same_portal() {
    let (world, login_id, portal) = World::bridged();
    assert_eq!(world.bridge(&login_id, "general").unwrap(), portal);
    assert_eq!(world.bridge(&login_id, "C0GENERAL").unwrap(), portal);
    assert_eq!(world.bridge(&login_id, "nowhere").unwrap_err().status, 404);
}

#[test]
fn a_new_portal_starts_with_the_last_fifty_messages_in_their_order() {
    let (world, login_id) = World::connected();
    for number in 0..60 {
        let user = if number % 2 == 0 { "U0ANNA" } else { OWNER };
        world.slack.says("C0GENERAL", user, &format!("h{number}"));
    }

    let portal = world.bridge(&login_id, "#general").unwrap();
    let live = world.slack.says("C0GENERAL", "U0BEN", "live");
    world.deliver(&login_id, &live);
    world.settle();

    let mut expected: Vec<_> = (11..60).map(|number| format!("h{number}")).collect();
    expected.push("live".to_owned());
    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), expected);
}

#[test]
fn a_direct_chat_gets_its_room_with_its_first_message() {
    let (world, login_id) = World::connected();

    world.slack_says(&login_id, "D0ANNA", "U0ANNA", "psst");
    world.settle();

    let portal_id = world.status(&login_id).portals[0].portal_id.clone().unwrap();
    let room_id = world.portal_status(&portal_id).room_id.unwrap();
    let room = world.homeserver.room(room_id.as_str());
    assert_eq!(room.body["is_direct"], true);
    assert_eq!(room.body["name"], "Anna");
    assert_eq!(world.homeserver.bodies(room_id.as_str()), ["psst"]);
    let direct = world.homeserver.account_data.borrow()[&(ALICE.to_owned(), "m.direct".to_owned())].clone();
    assert_eq!(direct, json!({ "@_slack_t0team_u0anna:hub.test": [room_id] }));

    world.matrix_says(room_id.as_str(), ALICE, "what?");
    world.settle();
    assert_eq!(world.slack.posted("D0ANNA"), ["what?"]);
}

#[test]
fn a_channel_join_makes_no_room_of_a_direct_chat() {
    let (world, login_id) = World::connected();
    let mut event = world.slack.says("D0ANNA", "U0ANNA", "joined");
    event.as_object_mut().unwrap().insert("subtype".to_owned(), "channel_join".into());

    world.deliver(&login_id, &event);
    world.settle();

    assert!(world.status(&login_id).portals.is_empty());
}

#[test]
fn an_unbridged_channel_is_silent_and_comes_back_as_the_same_room() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.login::<()>(&login_id, LoginCommand::Unbridge { channel: "#general".to_owned() }).unwrap();

    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "unseen at first");
    world.matrix_says(room, ALICE, "not sent");
    world.settle();
    assert_eq!(world.homeserver.bodies(room), ["This channel is not bridged to Slack any more.", "not sent"]);
    assert!(world.slack.posted("C0GENERAL").is_empty());
    assert_eq!(world.status(&login_id).counters.dropped, 1);

    assert_eq!(world.bridge(&login_id, "#general").unwrap(), portal);
    world.settle();
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "seen");
    world.settle();
    assert_eq!(world.homeserver.bodies(room)[2..], ["unseen at first", "seen"]);
}

#[test]
fn what_waited_when_a_channel_was_unbridged_is_not_sent_later() {
    let (world, login_id, portal) = World::bridged();
    world.slack.suffer_next([Fault::RateLimited(60)]);
    world.matrix_says(portal.room_id.as_str(), ALICE, "stale");
    world.try_settle_for_a_while();

    world.login::<()>(&login_id, LoginCommand::Unbridge { channel: "#general".to_owned() }).unwrap();
    world.settle();
    world.bridge(&login_id, "#general").unwrap();
    world.settle();
    world.matrix_says(portal.room_id.as_str(), ALICE, "fresh");
    world.settle();

    assert_eq!(world.slack.posted("C0GENERAL"), ["fresh"]);
}

#[test]
fn a_renamed_channel_id_keeps_its_portal() {
    let (world, login_id, portal) = World::bridged();
    let channel = world.slack.channels.borrow_mut().remove("C0GENERAL").unwrap();
    world.slack.channels.borrow_mut().insert("C9NEW".to_owned(), channel);
    let event = json!({ "type": "channel_id_changed", "old_channel_id": "C0GENERAL", "new_channel_id": "C9NEW" });

    world.deliver(&login_id, &event);
    world.slack_says(&login_id, "C9NEW", "U0ANNA", "same room");
    world.settle();
    world.matrix_says(portal.room_id.as_str(), ALICE, "same channel");
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str())[0], "same room");
    assert_eq!(world.slack.posted("C9NEW"), ["same channel"]);
}

#[test]
fn a_portal_that_lost_its_storage_knows_from_d1_what_is_in_the_room() {
    let (world, login_id, portal) = World::bridged();
    let event = world.slack.says("C0GENERAL", "U0ANNA", "shown before");
    world.deliver(&login_id, &event);
    world.settle();
    world.lose_storage("portal", &portal.portal_id);

    assert_eq!(world.bridge(&login_id, "#general").unwrap(), portal);
    world.deliver(&login_id, &event);
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["shown before"]);
}

#[test]
fn a_crash_at_any_failpoint_makes_one_room_with_all_messages_once() {
    for failpoint in FAILPOINTS {
        for earlier in 0..8 {
            let (world, login_id) = World::connected();
            for number in 0..3 {
                world.slack.says("D0ANNA", "U0ANNA", &format!("h{number}"));
            }
            let live = world.slack.says("D0ANNA", "U0ANNA", "live");
            world.die_at(failpoint, earlier);

            world.deliver(&login_id, &live);
            world.settle_through_crashes();

            let portals = world.status(&login_id).portals;
            assert_eq!(portals.len(), 1, "{failpoint} {earlier}");
            let room = world.portal_status(portals[0].portal_id.as_ref().unwrap()).room_id.unwrap();
            assert_eq!(world.homeserver.bodies(room.as_str()), ["h0", "h1", "h2", "live"], "{failpoint} {earlier}");
            let rooms = world.homeserver.rooms.borrow().len();
            assert_eq!(rooms, 3, "{failpoint} {earlier}: a room, a space, and where its making was told");
        }
    }
}

#[test]
fn ghost_join_storms_do_not_come_only_who_speaks_is_in_the_room() {
    let (world, login_id) = World::connected();
    for number in 0..200 {
        world.slack.people.borrow_mut().insert(format!("U1{number:03}"), format!("Person {number}"));
    }
    world.slack.says("C0GENERAL", "U0ANNA", "before");
    let portal = world.bridge(&login_id, "#general").unwrap();
    world.settle();
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "<@U1007> look");
    world.settle();
    let joined: Vec<_> = world.homeserver.room(portal.room_id.as_str()).joined.into_iter().collect();
    let ghost = |name: &str| format!("@_slack_t0team_u0{name}:hub.test");
    assert_eq!(joined, [ghost("anna"), ghost("ben"), ALICE.to_owned(), BOT.to_owned()]);
    assert!(world.slack.calls_of("users.info") <= 3);
}
