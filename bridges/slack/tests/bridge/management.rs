//! The chat with the bot, the page that takes secrets, and the operator's endpoints.

use serde_json::{Value as Json, json};

use crate::{
    homeserver::BOT,
    slack::{SIGNING_SECRET, TOKEN},
    world::{ADMIN_TOKEN, ALICE, World},
};

fn invited(world: &World) -> String {
    let (room, invite) = world.homeserver.human_invites_bot(ALICE);
    world.hand_over(&room, vec![invite]);
    world.settle();
    room
}

fn ask(world: &World, room: &str, text: &str) -> String {
    world.matrix_says(room, ALICE, text);
    world.settle();
    // What came in from a history is told by itself.
    let mut said = world.homeserver.said(room).into_iter();
    let (sender, body) = said.rfind(|(_, body)| !body.contains("Older history")).unwrap();
    assert_eq!(sender, BOT);
    body
}

fn link_in(text: &str) -> String {
    let link = text.split_whitespace().find(|word| word.contains("/_hubbub/slack/login/")).unwrap();
    link.strip_prefix("https://hub.test").unwrap().to_owned()
}

fn form(signing_secret: &str, token: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("signing_secret", signing_secret)
        .append_pair("token", token)
        .finish()
}

#[test]
fn an_invited_bot_joins_and_says_what_it_can_do() {
    let world = World::new();
    let room = invited(&world);
    assert!(world.homeserver.room(&room).joined.contains(BOT));
    assert!(world.homeserver.bodies(&room)[0].contains("`connect`"));
    assert!(ask(&world, &room, "help").contains("bridge #channel"));
    assert!(ask(&world, &room, "dance").contains("`help`"));
}

#[test]
fn a_ghost_or_a_stranger_cannot_invite_the_bot() {
    let world = World::new();
    for stranger in ["@eve:elsewhere.test", "@_slack_t_u:hub.test", "@nobody:hub.test"] {
        let (room, invite) = world.homeserver.human_invites_bot(stranger);
        world.hand_over(&room, vec![invite]);
        assert!(!world.homeserver.room(&room).joined.contains(BOT), "{stranger}");
    }
}

#[test]
fn connecting_by_chat_and_page_puts_no_secret_into_the_room() {
    let world = World::new();
    let room = invited(&world);

    let reply = ask(&world, &room, "connect");
    assert!(reply.contains("request_url"), "the manifest is there");
    let link = link_in(&reply);
    let page = world.request(http::Request::get(&link).body(Vec::new()).unwrap()).unwrap().unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!String::from_utf8_lossy(page.body()).contains("<script"));

    let wrong = world.post(&link, &form(SIGNING_SECRET, "xoxb-1"));
    assert_eq!(wrong.status(), 400);
    assert!(String::from_utf8_lossy(wrong.body()).contains("bot token"));
    assert_eq!(world.post(&link, &form(SIGNING_SECRET, TOKEN)).status(), 200);
    assert_eq!(world.post(&link, &form(SIGNING_SECRET, TOKEN)).status(), 403, "a link works once");
    world.settle();

    assert!(ask(&world, &room, "status").contains("olga in Acme: connected"));
    assert!(ask(&world, &room, "list").contains("#general"));
    assert!(ask(&world, &room, "bridge #general").contains("https://matrix.to/#/!room"));
    assert!(ask(&world, &room, "list").contains("#general — bridged"));
    assert!(ask(&world, &room, "unbridge #general").contains("unbridge #general keep"));
    assert!(ask(&world, &room, "unbridge #general keep").contains("not bridged any more"));
    assert!(ask(&world, &room, "disconnect").contains("disconnect keep"));
    assert!(ask(&world, &room, "disconnect keep").contains("Disconnected"));
    let said = world.homeserver.bodies(&room).join("\n");
    assert!(!said.contains(TOKEN) && !said.contains(SIGNING_SECRET));
}

#[test]
fn a_forged_or_expired_link_shows_no_form() {
    let world = World::new();
    let room = invited(&world);
    let link = link_in(&ask(&world, &room, "connect"));
    let status =
        |link: &str| world.request(http::Request::get(link).body(Vec::new()).unwrap()).unwrap().unwrap().status();

    assert_eq!(status(&format!("{}A", &link[..link.len() - 1])), 404);
    assert_eq!(status("/_hubbub/slack/login/x.1.y.z"), 404);
    world.now.set(world.now.get() + 3_600_001);
    assert_eq!(status(&link), 404);
}

#[test]
fn a_command_that_comes_again_is_carried_out_once() {
    let world = World::new();
    let room = invited(&world);
    let event =
        world.homeserver.human_sends(&room, ALICE, "m.room.message", json!({ "msgtype": "m.text", "body": "connect" }));

    for _ in 0..3 {
        world.hand_over(&room, vec![event.clone()]);
    }
    world.settle();

    let replies = world.homeserver.said(&room).iter().filter(|(sender, _)| sender == BOT).count();
    assert_eq!(replies, 2, "the greeting and one answer");
    assert_eq!(world.d1("SELECT login_id FROM bridge_logins", vec![]).len(), 1);
}

#[test]
fn nobody_commands_in_another_users_room() {
    let world = World::new();
    let room = invited(&world);
    world.matrix_says(&room, "@bob:hub.test", "connect");
    world.settle();
    assert!(world.d1("SELECT login_id FROM bridge_logins", vec![]).is_empty());
}

fn admin(world: &World, verb: &str, token: &str, body: &Json) -> (u16, Json) {
    let request = http::Request::post(format!("/_hubbub/admin/v1/slack/{verb}"))
        .header("authorization", format!("Bearer {token}"))
        .body(serde_json::to_vec(body).unwrap())
        .unwrap();
    let answer = world.request(request).unwrap().unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
}

#[test]
fn the_operator_connects_and_bridges_by_json() {
    let world = World::new();
    let (status, started) = admin(&world, "connect/start", ADMIN_TOKEN, &json!({ "owner": ALICE }));
    assert_eq!(status, 200);
    let login_id = started["login_id"].as_str().unwrap();
    let secrets = json!({ "login_id": login_id, "signing_secret": SIGNING_SECRET, "token": TOKEN });
    let (status, finished) = admin(&world, "connect/finish", ADMIN_TOKEN, &secrets);
    assert_eq!((status, finished["team"].as_str()), (200, Some("T0TEAM")));
    let (_, listed) = admin(&world, "list", ADMIN_TOKEN, &json!({ "login_id": login_id }));
    assert_eq!(listed["channels"].as_array().unwrap().len(), 3);
    let (status, bridged) =
        admin(&world, "bridge", ADMIN_TOKEN, &json!({ "login_id": login_id, "channel": "general" }));
    assert_eq!(status, 200, "{bridged}");
    assert!(bridged["room_id"].as_str().unwrap().starts_with('!'));
    let (_, status) = admin(&world, "status", ADMIN_TOKEN, &json!({ "owner": ALICE }));
    assert_eq!(status["logins"][0]["state"], "connected");
}

#[test]
fn without_the_operators_token_nothing_happens() {
    let world = World::new();
    for token in ["", "wrong", TOKEN] {
        assert_eq!(admin(&world, "connect/start", token, &json!({ "owner": ALICE })).0, 401);
    }
    let (status, _) = admin(&world, "connect/start", ADMIN_TOKEN, &json!({ "owner": "@nobody:hub.test" }));
    assert_eq!(status, 404);
    let (status, answer) = admin(&world, "connect/finish", ADMIN_TOKEN, &json!({ "token": [TOKEN] }));
    assert_eq!(status, 400);
    assert!(!answer.to_string().contains(TOKEN));
}

fn connected() -> (std::rc::Rc<World>, String, String) {
    let (world, login_id) = World::connected();
    let room = invited(&world);
    (world, login_id, room)
}

fn room_in(reply: &str) -> String {
    reply.rsplit_once("https://matrix.to/#/").unwrap().1.to_owned()
}

#[test]
fn join_brings_an_open_channel_and_dm_a_chat() {
    let (world, login_id, room) = connected();
    assert!(ask(&world, &room, "join #nowhere").contains("no open channel"));
    let channel = room_in(&ask(&world, &room, "join #open"));
    assert_eq!(world.slack.calls_of("conversations.join"), 1);
    world.slack_says(&login_id, "C0OPEN", "U0ANNA", "welcome");
    world.settle();
    assert_eq!(world.homeserver.bodies(&channel), ["welcome"]);

    assert!(ask(&world, &room, "dm Nobody").contains("Nobody at Slack"));
    let chat = room_in(&ask(&world, &room, "dm ben"));
    assert!(world.homeserver.room(&chat).joined.contains("@_slack_t0team_u0ben:hub.test"));
    world.matrix_says(&chat, ALICE, "hi");
    world.settle();
    assert_eq!(world.slack.posted("D0BEN"), ["hi"]);
    assert_eq!(room_in(&ask(&world, &room, "dm U0BEN")), chat, "there is one chat");

    world.slack.people.borrow_mut().insert("U0BEN2".to_owned(), "Ben".to_owned());
    assert!(ask(&world, &room, "dm Ben").contains("U0BEN2"));
}

#[test]
fn inviting_a_ghost_to_a_chat_opens_it() {
    let (world, _, management) = connected();
    let ghost = "@_slack_t0team_u0carl:hub.test";
    let (room, _) = world.homeserver.human_invites_bot(ALICE);
    world.homeserver.rooms.borrow_mut().get_mut(&room).unwrap().invited.insert(ghost.to_owned());
    let invite = |sender: &str| {
        json!({
            "type": "m.room.member", "state_key": ghost, "sender": sender, "event_id": "$invite-ghost",
            "content": { "membership": "invite", "is_direct": true },
        })
    };
    world.hand_over(&room, vec![invite("@bob:hub.test")]);
    assert_eq!(world.slack.calls_of("conversations.open"), 0, "bob has no login");

    for _ in 0..2 {
        world.hand_over(&room, vec![invite(ALICE)]);
        world.settle();
    }
    assert!(!world.homeserver.room(&room).invited.contains(ghost));
    let told: Vec<_> =
        world.homeserver.bodies(&management).into_iter().filter(|body| body.contains("Your chat is here")).collect();
    assert_eq!(told.len(), 1);
    assert!(world.homeserver.room(&room_in(&told[0])).joined.contains(ghost));
}

#[test]
fn a_ghost_invited_to_an_encrypted_room_says_why_it_leaves_and_opens_the_plain_chat() {
    let (world, _, management) = connected();
    let ghost = "@_slack_t0team_u0carl:hub.test";
    // A chat of two as Element opens it, and any other room.
    for (direct, event_id) in [(true, "$chat"), (false, "$room")] {
        let (room, _) = world.homeserver.human_invites_bot(ALICE);
        {
            let mut rooms = world.homeserver.rooms.borrow_mut();
            let room = rooms.get_mut(&room).unwrap();
            room.invited.insert(ghost.to_owned());
            let encryption = ("m.room.encryption".to_owned(), String::new());
            room.state.insert(encryption, json!({ "algorithm": "m.megolm.v1.aes-sha2" }));
        }
        let invite = json!({
            "type": "m.room.member", "state_key": ghost, "sender": ALICE, "event_id": event_id,
            "content": { "membership": "invite", "is_direct": direct },
        });
        for _ in 0..2 {
            world.hand_over(&room, vec![invite.clone()]);
            world.settle();
        }

        let said = world.homeserver.said(&room);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].0, ghost);
        assert!(said[0].1.contains("This room is encrypted") && said[0].1.contains("Slack"), "{said:?}");
        let left = world.homeserver.room(&room);
        assert!(!left.joined.contains(ghost) && !left.invited.contains(ghost));
        let portal = world.homeserver.room(&room_in(&said[0].1));
        assert!(portal.joined.contains(ghost) && portal.joined.contains(ALICE));
        assert!(world.homeserver.bodies(&management).last().unwrap().contains("Your chat is here"));
    }
}

#[test]
fn a_ghost_invited_to_a_plain_room_of_many_stays_out_of_it_silently() {
    let (world, _, _) = connected();
    let ghost = "@_slack_t0team_u0carl:hub.test";
    let (room, _) = world.homeserver.human_invites_bot(ALICE);
    let invite = json!({
        "type": "m.room.member", "state_key": ghost, "sender": ALICE, "event_id": "$invite-ghost",
        "content": { "membership": "invite" },
    });
    world.hand_over(&room, vec![invite]);
    world.settle();
    assert_eq!(world.slack.calls_of("conversations.open"), 0);
    assert!(world.homeserver.said(&room).is_empty());
}

#[test]
fn unbridge_delete_empties_the_room_and_bridging_again_makes_a_new_one() {
    let (world, login_id, management) = connected();
    let room = room_in(&ask(&world, &management, "bridge #general"));
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "hello");
    world.matrix_says(&room, ALICE, "hi");
    world.settle();
    assert!(ask(&world, &management, "unbridge #general delete").contains("gone"));
    assert!(world.homeserver.room(&room).joined.is_empty());
    assert!(world.d1("SELECT * FROM message_map", vec![]).is_empty());
    assert_eq!(world.d1("SELECT room_id FROM portals", vec![]), [[hubbub_storage::database::Value::Null]]);
    world.cron(3_600_000);

    let again = room_in(&ask(&world, &management, "bridge #general"));
    assert_ne!(again, room);
    assert_eq!(world.homeserver.bodies(&again), ["hello", "hi"]);
    world.matrix_says(&again, ALICE, "here");
    world.settle();
    assert_eq!(world.slack.posted("C0GENERAL"), ["hi", "here"]);
}

#[test]
fn a_deletion_that_fails_half_way_is_finished_by_the_command_that_comes_again() {
    for failing in 1..9 {
        let (world, _, management) = connected();
        let room = room_in(&ask(&world, &management, "bridge #general"));
        let event = world.homeserver.human_sends(
            &management,
            ALICE,
            "m.room.message",
            json!({ "msgtype": "m.text", "body": "disconnect delete" }),
        );
        world.homeserver.failing.set(failing);
        world.hand_over(&management, vec![event]);
        world.settle();
        assert!(world.homeserver.room(&room).joined.is_empty(), "{failing}");
        assert!(world.homeserver.bodies(&management).last().unwrap().contains("rooms are gone"), "{failing}");
    }
}
