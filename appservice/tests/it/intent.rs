//! The client of our own API: real requests, and what their answers mean.

use hubbub_appservice::{builtin::builtin_token, intent::Intent};
use hubbub_core::error::MatrixError;
use ruma::{event_id, owned_user_id, room_alias_id, room_id, user_id};
use serde_json::{Value as Json, json};

use crate::support::{World, ready, secrets, slack};

fn ghost(world: &World) -> Intent {
    Intent::ghost(world.context.clone(), &slack(), owned_user_id!("@_slack_t1_u1:hub.example"))
}

/// `METHOD path?query` of all requests.
fn sent(world: &World) -> Vec<String> {
    let requests = world.homeserver.requests.borrow();
    requests
        .iter()
        .map(|request| {
            let path = request.uri().path_and_query().unwrap().as_str();
            format!("{} {}", request.method(), path.strip_prefix("/base/_matrix/client/v3/").unwrap())
        })
        .collect()
}

fn body(world: &World, index: usize) -> Json {
    serde_json::from_slice(world.homeserver.requests.borrow()[index].body()).unwrap()
}

fn answer(world: &World, status: u16, body: Json) {
    world.homeserver.answers.borrow_mut().push_back((status, body));
}

const GHOST: &str = "user_id=%40_slack_t1_u1%3Ahub.example";

#[test]
fn a_message_is_sent_as_the_ghost_with_its_timestamp_and_the_derived_token() {
    let world = World::new();
    answer(&world, 200, json!({ "event_id": "$e" }));
    let content = json!({ "msgtype": "m.text", "body": "1.0", "n": 1 });
    let event_id = ready(ghost(&world).send(room_id!("!a:x"), "m.room.message", "t/1", &content, Some(1_234))).unwrap();

    assert_eq!(event_id, "$e");
    assert_eq!(sent(&world), [format!("PUT rooms/!a:x/send/m.room.message/t%2F1?ts=1234&{GHOST}")]);
    assert_eq!(body(&world, 0), content);
    let requests = world.homeserver.requests.borrow();
    let token = format!("Bearer {}", builtin_token(&secrets(), "slack"));
    assert_eq!(requests[0].headers()["authorization"], token.as_str());
}

#[test]
fn a_double_puppet_uses_the_other_registration() {
    let world = World::new();
    answer(&world, 200, json!({ "event_id": "$e" }));
    let alice = Intent::double_puppet(world.context.clone(), &slack(), owned_user_id!("@alice:hub.example"));
    ready(alice.send_state(room_id!("!a:x"), "m.room.topic", "", &json!({}), None)).unwrap();
    let requests = world.homeserver.requests.borrow();
    let token = format!("Bearer {}", builtin_token(&secrets(), "slack-double-puppet"));
    assert_eq!(requests[0].headers()["authorization"], token.as_str());
    assert_eq!(sent(&world), ["PUT rooms/!a:x/state/m.room.topic/?user_id=%40alice%3Ahub.example"]);
}

#[test]
fn registering_an_existing_ghost_is_fine() {
    let world = World::new();
    answer(&world, 400, json!({ "errcode": "M_USER_IN_USE", "error": "taken" }));
    ready(ghost(&world).ensure_registered("_slack_t1_u1")).unwrap();
    assert_eq!(sent(&world), ["POST register"]);
    let expected = json!({ "type": "m.login.application_service", "username": "_slack_t1_u1", "inhibit_login": true });
    assert_eq!(body(&world, 0), expected);

    answer(&world, 400, json!({ "errcode": "M_EXCLUSIVE", "error": "not yours" }));
    let refused = ready(ghost(&world).ensure_registered("alice")).unwrap_err();
    assert!(refused.is("M_EXCLUSIVE") && !refused.retryable());
}

#[test]
fn rooms_are_made_and_joined_and_left() {
    let world = World::new();
    for _ in 0..2 {
        answer(&world, 200, json!({ "room_id": "!new:x" }));
    }
    let bot = Intent::bot(world.context.clone(), &slack());
    let wanted = json!({ "creation_content": { "m.federate": false } });
    assert_eq!(ready(bot.create_room(&wanted)).unwrap(), "!new:x");
    let room = room_id!("!new:x");
    ready(ghost(&world).join(room.into())).unwrap();
    ready(bot.invite(room, user_id!("@alice:x"))).unwrap();
    ready(bot.kick(room, user_id!("@alice:x"), Some("why"))).unwrap();
    ready(ghost(&world).leave(room)).unwrap();

    assert_eq!(
        sent(&world),
        [
            "POST createRoom".to_owned(),
            format!("POST join/!new:x?{GHOST}"),
            "POST rooms/!new:x/invite".to_owned(),
            "POST rooms/!new:x/kick".to_owned(),
            format!("POST rooms/!new:x/leave?{GHOST}"),
        ]
    );
    assert_eq!(body(&world, 0), wanted);
    assert_eq!(body(&world, 3), json!({ "user_id": "@alice:x", "reason": "why" }));
}

#[test]
fn what_is_not_there_is_none() {
    let world = World::new();
    let ghost = ghost(&world);
    for _ in 0..3 {
        answer(&world, 404, json!({ "errcode": "M_NOT_FOUND", "error": "no" }));
    }
    assert_eq!(ready(ghost.get_state(room_id!("!a:x"), "m.room.name", "")).unwrap(), None);
    assert_eq!(ready(ghost.resolve_alias(room_alias_id!("#_slack_p:x"))).unwrap(), None);
    assert_eq!(ready(ghost.get_account_data(None, "m.direct")).unwrap(), None);

    answer(&world, 200, json!({ "name": "General" }));
    answer(&world, 200, json!({ "room_id": "!a:x", "servers": ["x"] }));
    answer(&world, 200, json!({ "@a:x": ["!a:x"] }));
    let name = ready(ghost.get_state(room_id!("!a:x"), "m.room.name", "")).unwrap();
    assert_eq!(name, Some(json!({ "name": "General" })));
    assert_eq!(ready(ghost.resolve_alias(room_alias_id!("#_slack_p:x"))).unwrap().unwrap(), "!a:x");
    let direct = ready(ghost.get_account_data(Some(room_id!("!a:x")), "m.tag")).unwrap();
    assert_eq!(direct, Some(json!({ "@a:x": ["!a:x"] })));
    let user = "user/@_slack_t1_u1:hub.example";
    assert_eq!(sent(&world)[2], format!("GET {user}/account_data/m.direct?{GHOST}"));
    assert_eq!(sent(&world)[5], format!("GET {user}/rooms/!a:x/account_data/m.tag?{GHOST}"));
}

#[test]
fn a_profile_is_set_and_removed() {
    let world = World::new();
    ready(ghost(&world).set_displayname(Some("Bo"))).unwrap();
    ready(ghost(&world).set_avatar_url(None)).unwrap();
    let user = "profile/@_slack_t1_u1:hub.example";
    assert_eq!(sent(&world), [format!("PUT {user}/displayname?{GHOST}"), format!("PUT {user}/avatar_url?{GHOST}")]);
    assert_eq!(body(&world, 0), json!({ "displayname": "Bo" }));

    // The bot does not know its own id: it asks first.
    answer(&world, 200, json!({ "user_id": "@slackbot:hub.example" }));
    ready(Intent::bot(world.context.clone(), &slack()).set_displayname(Some("Slack"))).unwrap();
    assert_eq!(sent(&world)[2..], ["GET account/whoami", "PUT profile/@slackbot:hub.example/displayname"]);
}

#[test]
fn redactions_aliases_members_and_account_data_have_their_requests() {
    let world = World::new();
    let ghost = ghost(&world);
    let room = room_id!("!a:x");
    answer(&world, 200, json!({ "event_id": "$r" }));
    answer(&world, 200, json!({}));
    answer(&world, 200, json!({ "joined": { "@b:x": { "display_name": "B" } } }));
    let redaction = ready(ghost.redact(room, event_id!("$e"), "t", Some("gone"))).unwrap();
    assert_eq!(redaction, "$r");
    ready(ghost.set_alias(room_alias_id!("#_slack_p:x"), room)).unwrap();
    let members = ready(ghost.joined_members(room)).unwrap();
    assert_eq!(members[user_id!("@b:x")].displayname.as_deref(), Some("B"));
    ready(ghost.put_account_data(None, "m.direct", &json!({ "a": 1 }))).unwrap();
    assert_eq!(
        sent(&world),
        [
            format!("PUT rooms/!a:x/redact/$e/t?{GHOST}"),
            format!("PUT directory/room/%23_slack_p:x?{GHOST}"),
            format!("GET rooms/!a:x/joined_members?{GHOST}"),
            format!("PUT user/@_slack_t1_u1:hub.example/account_data/m.direct?{GHOST}"),
        ]
    );
    assert_eq!(body(&world, 0), json!({ "reason": "gone" }));
}

#[test]
fn an_error_says_whether_trying_again_helps() {
    let world = World::new();
    let bot = Intent::bot(world.context.clone(), &slack());
    answer(&world, 429, json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": 500 }));
    answer(&world, 502, json!("not an object"));
    answer(&world, 403, json!({ "errcode": "M_FORBIDDEN", "error": "no" }));
    answer(&world, 200, json!({ "surprise": 1 }));

    let limited = ready(bot.whoami()).unwrap_err();
    assert!(limited.retryable());
    assert_eq!(limited.retry_after_ms, Some(500));
    assert!(ready(bot.whoami()).unwrap_err().retryable());
    let forbidden = ready(bot.whoami()).unwrap_err();
    assert!(!forbidden.retryable());
    assert_eq!(forbidden.to_string(), "403 M_FORBIDDEN: no");
    assert_eq!(MatrixError::from(forbidden), MatrixError::forbidden("no"));
    assert!(!ready(bot.whoami()).unwrap_err().retryable());
}
