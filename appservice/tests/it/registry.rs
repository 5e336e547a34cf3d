//! The registry: tokens at rest, conflicts, the cache, and whom a double puppet may act as.

use std::rc::Rc;

use hubbub_appservice::builtin::builtin_token;
use hubbub_core::context::{Appservice, Appservices as _};
use hubbub_core::error::MatrixError;
use ruma::{room_alias_id, room_id, user_id};

use crate::support::{World, irc_yaml, ready, secrets};

const AS_TOKEN: &str = "as_0123456789abcdef";

fn list(world: &World) -> Rc<Vec<Rc<dyn Appservice>>> {
    ready(world.registry.list()).unwrap()
}

fn find(world: &World, id: &str) -> Option<Rc<dyn Appservice>> {
    list(world).iter().find(|appservice| appservice.id() == id).cloned()
}

fn owner_of(world: &World, token: &str) -> Option<String> {
    list(world).iter().find(|appservice| appservice.owns_token(token)).map(|appservice| appservice.id().to_owned())
}

fn irc() -> String {
    irc_yaml("https://irc.example/as")
}

fn other(users: &str) -> String {
    irc()
        .replace("id: irc", "id: other")
        .replace("as_0123456789abcdef", "as_fedcba9876543210")
        .replace("ircbot", "otherbot")
        .replace("@irc_.*:hub\\\\.example", users)
        .replace("#irc_", "#other_")
}

fn refusal(outcome: Result<impl std::fmt::Debug, MatrixError>) -> (u16, String) {
    let error = outcome.unwrap_err();
    assert!(error.error.ends_with('.'), "a sentence: {}", error.error);
    (error.status, error.errcode)
}

#[test]
fn tokens_at_rest_are_not_readable() {
    let world = World::with_irc();
    for column in [
        "SELECT registration FROM appservices",
        "SELECT as_token_hash FROM appservices",
        "SELECT hs_token_enc FROM appservices",
    ] {
        let stored = world.d1(column);
        assert_eq!(stored.len(), 1);
        assert!(!stored[0].contains("0123456789abcdef"), "{column}");
    }
    let before = world.d1("SELECT hs_token_enc FROM appservices");
    world.register(&irc()).unwrap();
    assert_ne!(before, world.d1("SELECT hs_token_enc FROM appservices"), "a nonce is used once");
    assert_eq!(owner_of(&world, AS_TOKEN).as_deref(), Some("irc"));
    assert_eq!(owner_of(&world, "as_0123456789abcdeg"), None);
    assert_eq!(owner_of(&world, ""), None);
}

#[test]
fn registering_makes_the_bots_account_and_may_be_repeated() {
    let world = World::new();
    let first = world.register(&irc()).unwrap();
    assert_eq!(first.bot, "@ircbot:hub.example");
    let called = world.objects.called.borrow().clone();
    assert_eq!(called[0].0.name, "@ircbot:hub.example");
    assert_eq!(called[0].1["CreateAccount"]["appservice"], "irc");
    world.d1_write(
        "INSERT INTO accounts (user_id, owner, appservice_id, created_at) VALUES ('@ircbot:hub.example', 0, 'irc', 1)",
    );

    world.register(&irc().replace("@irc_", "@ircs_")).unwrap();
    assert_eq!(list(&world).len(), 3);
    let irc = find(&world, "irc").unwrap();
    assert!(irc.is_interested_in_user(user_id!("@ircs_bob:hub.example")));
    assert!(!irc.is_interested_in_user(user_id!("@irc_bob:hub.example")));
}

#[test]
fn a_registered_appservice_owns_its_exclusive_namespaces() {
    let world = World::with_irc();
    let irc = find(&world, "irc").unwrap();
    assert!(irc.owns_user(user_id!("@irc_bob:hub.example")) && irc.owns_user(user_id!("@ircbot:hub.example")));
    assert!(!irc.owns_user(user_id!("@alice:hub.example")));
    assert!(irc.owns_alias(room_alias_id!("#irc_rust:hub.example")));
    assert!(!irc.is_interested_in_room(room_id!("!a:hub.example")));
    assert!(irc.receives() && irc.receives_ephemeral() && !irc.rate_limited());
    assert_eq!(irc.bot(), "@ircbot:hub.example");
}

#[test]
fn what_another_appservice_has_is_refused() {
    let world = World::with_irc();
    let exclusive = (400, "M_EXCLUSIVE".to_owned());
    let invalid = (400, "M_INVALID_PARAM".to_owned());
    let free = other("@other_.*:hub\\\\.example");

    assert_eq!(refusal(world.register(&free.replace("as_fedcba9876543210", AS_TOKEN))), invalid);
    assert_eq!(refusal(world.register(&other("@irc_b.*"))), exclusive);
    assert_eq!(refusal(world.register(&other("@_slack_t1_.*"))), exclusive);
    assert_eq!(refusal(world.register(&other("@slackbot:.*"))), exclusive);
    assert_eq!(refusal(world.register(&free.replace("otherbot", "irc_bot"))), exclusive);
    assert_eq!(refusal(world.register(&free.replace("otherbot", "slackbot"))), exclusive);
    assert_eq!(refusal(world.register(&free.replace("#other_", "#irc_other_"))), exclusive);
    for id in ["slack", "slack-double-puppet"] {
        assert_eq!(refusal(world.register(&free.replace("id: other", &format!("id: {id}")))), invalid);
    }
    let bundled_token = builtin_token(&secrets(), "slack");
    assert_eq!(refusal(world.register(&free.replace("as_fedcba9876543210", &bundled_token))), invalid);

    world.register(&free).unwrap();
    // Merely interested is no conflict: so are double-puppeting bridges.
    let interested = other("@.*:hub\\\\.example").replace("exclusive: true", "exclusive: false");
    world.register(&interested.replace("#other_", "#.*")).unwrap();
}

#[test]
fn a_human_is_not_made_a_bot() {
    let world = World::new();
    world.d1_write("INSERT INTO accounts (user_id, owner, created_at) VALUES ('@ircbot:hub.example', 0, 1)");
    assert_eq!(refusal(world.register(&irc())), (400, "M_EXCLUSIVE".to_owned()));
    assert!(world.d1("SELECT id FROM appservices").is_empty());
}

#[test]
fn bad_registrations_are_refused_with_a_sentence() {
    let world = World::new();
    assert_eq!(refusal(world.register("nonsense")), (400, "M_BAD_JSON".to_owned()));
    assert_eq!(refusal(world.register(&irc().replace("ircbot", "IRC"))), (400, "M_INVALID_PARAM".to_owned()));
    assert_eq!(refusal(world.register(&format!("id: {}", "x".repeat(70_000)))), (413, "M_TOO_LARGE".to_owned()));
}

#[test]
fn a_removed_appservice_is_gone_at_once_here_and_within_a_minute_elsewhere() {
    let world = World::with_irc();
    assert!(find(&world, "irc").is_some());
    world.d1_write("DELETE FROM appservices");
    world.pass(59_999);
    assert!(find(&world, "irc").is_some(), "another isolate's list is kept");
    world.pass(1);
    assert!(find(&world, "irc").is_none());

    world.register(&irc()).unwrap();
    assert!(find(&world, "irc").is_some());
    ready(world.registry.unregister(&world.context, "irc")).unwrap();
    assert!(find(&world, "irc").is_none());
    let again = ready(world.registry.unregister(&world.context, "irc"));
    assert_eq!(refusal(again), (404, "M_NOT_FOUND".to_owned()));
    let bundled = ready(world.registry.unregister(&world.context, "slack"));
    assert_eq!(refusal(bundled), (400, "M_INVALID_PARAM".to_owned()));
}

#[test]
fn a_list_is_read_once_a_minute() {
    let world = World::with_irc();
    list(&world);
    let before = world.directory.counts().statements;
    for _ in 0..100 {
        list(&world);
    }
    assert_eq!(world.directory.counts().statements, before);
}

#[test]
fn the_operator_sees_all_appservices_without_their_tokens() {
    let world = World::with_irc();
    let summaries = ready(world.registry.summaries(&world.context)).unwrap();
    let ids: Vec<_> = summaries.iter().map(|summary| (summary.id.as_str(), summary.bundled)).collect();
    assert_eq!(ids, [("slack", true), ("slack-double-puppet", true), ("irc", false)]);
    let json = serde_json::to_string(&summaries).unwrap();
    assert!(!json.contains("0123456789abcdef") && json.contains("@_slack_.*:hub"));
}

#[test]
fn a_bundled_bridge_receives_and_its_token_is_stored_nowhere() {
    let world = World::new();
    let slack = find(&world, "slack").unwrap();
    assert!(slack.receives() && !slack.rate_limited());
    assert!(slack.owns_user(user_id!("@_slack_t1_u1:hub.example")));
    assert!(!slack.owns_user(user_id!("@_slack_t1_u1:elsewhere.example")));
    assert!(slack.owns_alias(room_alias_id!("#_slack_p1:hub.example")));
    assert!(slack.owns_user(user_id!("@slackbot:hub.example")));
    let token = builtin_token(&secrets(), "slack");
    assert_eq!(token, builtin_token(&secrets(), "slack"));
    assert_eq!(owner_of(&world, &token).as_deref(), Some("slack"));
    assert!(world.d1("SELECT id FROM appservices").is_empty());
}

#[test]
fn a_double_puppet_may_act_as_exactly_those_who_hold_a_login() {
    let world = World::new();
    world.d1_write(
        "INSERT INTO bridge_logins (login_id, owner, network, team, remote_user, state, updated_at) VALUES
            ('l1', '@alice:hub.example', 'slack', 'T1', 'U1', 'connected', 1),
            ('l2', '@bob:hub.example', 'slack', 'T1', 'U2', 'bad_credentials', 1),
            ('l3', '@carol:hub.example', 'slack', NULL, NULL, 'pending', 1),
            ('l4', '@dora:hub.example', 'slack', 'T1', 'U4', 'disconnected', 1),
            ('l5', '@emil:hub.example', 'discord', 'T1', 'U5', 'connected', 1)",
    );
    let puppet = find(&world, "slack-double-puppet").unwrap();
    let acts_as = |user| puppet.is_interested_in_user(user);
    assert!(acts_as(user_id!("@alice:hub.example")) && acts_as(user_id!("@bob:hub.example")));
    for user in [
        user_id!("@carol:hub.example"),
        user_id!("@dora:hub.example"),
        user_id!("@emil:hub.example"),
        user_id!("@alice:hub.example.evil"),
        user_id!("@_slack_t1_u1:hub.example"),
        user_id!("@slackbot:hub.example"),
    ] {
        assert!(!acts_as(user), "{user}");
    }
    assert!(!puppet.owns_user(user_id!("@alice:hub.example")), "it shares the human");
    assert!(!puppet.receives());
    let token = builtin_token(&secrets(), puppet.id());
    assert_eq!(owner_of(&world, &token).as_deref(), Some("slack-double-puppet"));

    world.d1_write("UPDATE bridge_logins SET state = 'disconnected'");
    world.registry.forget();
    let puppet = find(&world, "slack-double-puppet").unwrap();
    assert!(!puppet.is_interested_in_user(user_id!("@alice:hub.example")));
}
