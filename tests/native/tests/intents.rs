//! The bundled bridges' client against the real API: bot, ghosts and double puppets.

use std::rc::Rc;

use hubbub_appservice::{builtin::Builtin, intent::Intent};
use hubbub_native::{Options, TestServer};
use ruma::{OwnedRoomAliasId, OwnedUserId, server_name};
use serde_json::json;

fn builtin() -> Builtin {
    Builtin::with_prefix("slack", "slackbot", "_slack_", server_name!("hub.example"))
}

fn server() -> TestServer {
    TestServer::with(Options { builtins: vec![builtin()], ..Options::default() })
}

fn ghost_id() -> OwnedUserId {
    "@_slack_t1_u1:hub.example".parse().unwrap()
}

#[test]
fn a_bot_makes_a_room_for_a_ghost_that_speaks_in_it() {
    let server = server();
    let alice = server.account("alice");
    let bot = Intent::bot(Rc::clone(server.context()), &builtin());
    let ghost = Intent::ghost(Rc::clone(server.context()), &builtin(), ghost_id());
    let alice_id: OwnedUserId = alice.user_id.parse().unwrap();

    let room = server.run(async move {
        bot.ensure_registered("slackbot").await.unwrap();
        ghost.ensure_registered("_slack_t1_u1").await.unwrap();
        ghost.ensure_registered("_slack_t1_u1").await.unwrap();
        ghost.set_displayname(Some("Mira")).await.unwrap();
        let body = json!({
            "name": "general",
            "room_alias_name": "_slack_portal1",
            "creation_content": {"m.federate": false},
            "invite": [alice_id],
            "power_level_content_override": {"events": {"m.room.encryption": 150}},
        });
        let room = bot.create_room(&body).await.unwrap();
        bot.invite(&room, &ghost_id()).await.unwrap();
        ghost.join((&*room).into()).await.unwrap();
        let content = json!({"msgtype": "m.text", "body": "hello from Slack"});
        let sent = ghost.send(&room, "m.room.message", "remote-1", &content, Some(1_234_567_890_123)).await.unwrap();
        let again = ghost.send(&room, "m.room.message", "remote-1", &content, Some(1_234_567_890_123)).await.unwrap();
        assert_eq!(sent, again);
        ghost.set_displayname(None).await.unwrap();
        let members = ghost.joined_members(&room).await.unwrap();
        assert_eq!(members[&ghost_id()].displayname, None);
        let alias: OwnedRoomAliasId = "#_slack_portal1:hub.example".parse().unwrap();
        assert_eq!(bot.resolve_alias(&alias).await.unwrap().as_ref(), Some(&room));
        room
    });

    alice.join(room.as_str());
    let sync = alice.sync(None);
    let timeline = sync.timeline(room.as_str());
    let message = timeline.iter().find(|event| event["content"]["body"] == "hello from Slack").expect("the message");
    assert_eq!(message["sender"], "@_slack_t1_u1:hub.example");
    assert_eq!(message["origin_server_ts"], 1_234_567_890_123_i64);
    assert_eq!(timeline.iter().filter(|event| event["content"]["body"] == "hello from Slack").count(), 1);
}

#[test]
fn a_double_puppet_acts_as_those_who_hold_a_login_and_nobody_else() {
    let server = server();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let directory = Rc::clone(&server.context().directory);
    let owner = alice.user_id.clone();
    server.run(async move {
        let sql = "INSERT INTO bridge_logins (login_id, owner, network, team, remote_user, name, state, updated_at) VALUES ('l1', ?, 'slack', 'T1', 'U1', 'Alice', 'connected', 0)";
        hubbub_storage::directory::run(&*directory, sql, vec![owner.into()]).await.unwrap();
    });
    server.context().appservices.forget();
    let puppet = |user: &str| Intent::double_puppet(Rc::clone(server.context()), &builtin(), user.parse().unwrap());
    let (as_alice, as_bob) = (puppet(&alice.user_id), puppet(&bob.user_id));
    let room_id: ruma::OwnedRoomId = room.parse().unwrap();

    server.run(async move {
        let content = json!({"msgtype": "m.text", "body": "from my phone", "com.hubbub.bridge": "slack"});
        as_alice.send(&room_id, "m.room.message", "t1", &content, None).await.unwrap();
        let refused = as_bob.send(&room_id, "m.room.message", "t1", &content, None).await.unwrap_err();
        assert!(refused.is("M_FORBIDDEN"));
        as_alice.put_account_data(None, "m.direct", &json!({"@a:b": ["!c:d"]})).await.unwrap();
    });

    let message = bob.sync(None).timeline(&room).pop().unwrap();
    assert_eq!((&message["sender"], &message["content"]["body"]), (&json!(alice.user_id), &json!("from my phone")));
    assert_eq!(alice.sync(None).account_data("m.direct"), json!({"@a:b": ["!c:d"]}));
}
