//! Logins: secrets, identity, loss and resumption.

use hubbub_bridge::contract::{LoginCommand, LoginState};
use serde_json::json;

use crate::{
    slack::{TEAM, TOKEN},
    world::{ALICE, World},
};

#[test]
fn starting_gives_a_manifest_with_our_address() {
    let world = World::new();

    let started = world.start(ALICE);

    assert!(started.hook_url.starts_with(&format!("https://hub.test/_hubbub/slack/{}/", started.login_id)));
    let settings = &started.manifest["settings"];
    assert_eq!(settings["event_subscriptions"]["request_url"], started.hook_url.as_str());
    assert_eq!(settings["socket_mode_enabled"], false);
    let scopes = started.manifest["oauth_config"]["scopes"].as_object().unwrap();
    assert_eq!(scopes.keys().collect::<Vec<_>>(), ["user"]);
    let rows = world.d1("SELECT login_id, owner, state FROM bridge_logins", vec![]);
    assert_eq!(rows, [[started.login_id.into(), ALICE.into(), "pending".into()]]);
}

#[test]
fn finishing_names_the_account_and_stores_no_secret_in_the_clear() {
    let (world, login_id) = World::connected();

    let status = world.status(&login_id);
    assert_eq!(status.state, LoginState::Connected);
    let account = status.account.unwrap();
    assert_eq!((account.team.as_str(), account.team_name.as_str(), account.user_name.as_str()), (TEAM, "Acme", "olga"));
    let stored = world.everything_in(&world.database("login", &login_id));
    assert!(stored.contains("Acme"));
    assert!(!stored.contains(TOKEN) && !stored.contains(crate::slack::SIGNING_SECRET));
}

#[test]
fn tokens_that_cannot_work_are_refused_with_help() {
    let world = World::new();
    let login_id = world.start(ALICE).login_id;
    for (token, word) in
        [("xoxb-1-2", "bot"), ("xoxc-1", "web page"), ("xoxd-1", "web page"), ("hello", "xoxp-"), ("", "xoxp-")]
    {
        let error = world.finish(&login_id, token).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.error.contains(word), "{}", error.error);
        assert!(token.is_empty() || !error.error.contains(token));
    }
    let error = world.finish(&login_id, "xoxp-unknown").unwrap_err();
    assert!(error.error.contains("invalid_auth"), "{}", error.error);
    assert_eq!(world.status(&login_id).state, LoginState::Pending);
}

#[test]
fn a_token_of_another_account_is_refused() {
    let (world, login_id) = World::connected();
    world.slack.tokens.borrow_mut().insert("xoxp-other".to_owned(), (TEAM.to_owned(), "U0BEN".to_owned()));

    let error = world.finish(&login_id, "xoxp-other").unwrap_err();

    assert_eq!(error.status, 400);
    assert_eq!(world.status(&login_id).account.unwrap().user, "U0OWNER");
}

#[test]
fn a_second_login_of_the_account_resumes_the_first_and_forwards_to_it() {
    let (world, first, portal) = World::bridged();
    let second = world.start(ALICE).login_id;

    assert_eq!(world.finish(&second, TOKEN).unwrap().login_id, first);
    world.settle();
    // Slack calls the new app's address.
    world.slack_says(&second, "C0GENERAL", "U0ANNA", "through the new app");
    world.settle();

    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["through the new app"]);
    assert_eq!(world.status(&second).state, LoginState::Forwarding);
}

#[test]
fn an_account_that_somebody_else_connected_is_refused() {
    let (world, _) = World::connected();
    let other = world.start("@bob:hub.test").login_id;
    assert_eq!(world.finish(&other, TOKEN).unwrap_err().status, 403);
    assert_eq!(world.status(&other).state, LoginState::Pending);
}

#[test]
fn a_lost_token_is_told_once_and_a_new_one_resumes() {
    let (world, login_id, portal) = World::bridged();
    let revoked = json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U0OWNER"], "bot": [] } });

    world.deliver(&login_id, &revoked);
    world.deliver(&login_id, &revoked);
    world.deliver(&login_id, &json!({ "type": "app_uninstalled" }));
    world.settle();

    assert_eq!(world.status(&login_id).state, LoginState::BadCredentials);
    let room = world.homeserver.room_of_alias("#_slack_management_alice:hub.test").unwrap();
    let said = world.homeserver.bodies(&room);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("token_revoked") && said[0].contains("Acme"), "{}", said[0]);

    // Events still come, and are still shown.
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "still here");
    world.settle();
    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["still here"]);

    assert_eq!(world.finish(&login_id, TOKEN).unwrap().login_id, login_id);
    world.settle();
    assert_eq!(world.status(&login_id).state, LoginState::Connected);
    assert_eq!(world.homeserver.bodies(&room).len(), 1);
}

#[test]
fn a_management_room_without_the_bot_is_given_up_for_a_new_one() {
    let (world, login_id) = World::connected();
    let revoked = json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U0OWNER"], "bot": [] } });
    let alias = "#_slack_management_alice:hub.test";
    world.deliver(&login_id, &revoked);
    world.settle();
    let first = world.homeserver.room_of_alias(alias).unwrap();
    world.homeserver.rooms.borrow_mut().get_mut(&first).unwrap().joined.remove(crate::homeserver::BOT);

    world.finish(&login_id, TOKEN).unwrap();
    world.settle();
    world.deliver(&login_id, &revoked);
    world.settle();

    let second = world.homeserver.room_of_alias(alias).unwrap();
    assert_ne!(first, second);
    assert_eq!(world.homeserver.bodies(&second).len(), 1);
}

#[test]
fn disconnecting_forgets_the_secrets_and_keeps_the_rooms() {
    let (world, login_id, portal) = World::bridged();

    world.login::<()>(&login_id, LoginCommand::Disconnect).unwrap();
    world.settle();

    assert_eq!(world.status(&login_id).state, LoginState::Disconnected);
    let event = world.slack.says("C0GENERAL", "U0ANNA", "unheard");
    let body = world.envelope(&event);
    assert_eq!(world.hook(&login_id, &body), 403);

    world.finish(&login_id, TOKEN).unwrap();
    world.settle();
    assert_eq!(world.bridge(&login_id, "#general").unwrap(), portal);
}

#[test]
fn an_unknown_login_conjures_nothing() {
    let world = World::new();
    let error = world.login::<()>("AAAAAAAAAAAAAAAAAAAAAAAA", LoginCommand::Disconnect).unwrap_err();
    assert_eq!(error.status, 404);
    assert_eq!(world.everything_in(&world.database("login", "AAAAAAAAAAAAAAAAAAAAAAAA")), "");
}
