//! Account data, filters and push rules.

use http::Method;
use hubbub_native::{Client, Reply, TestServer};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

#[test]
fn account_data_is_replaced_and_read_back_global_and_by_room() {
    let (_, alice, _) = two();
    let room = alice.create_room(&json!({}));
    let places = [vec!["user", &alice.user_id], vec!["user", &alice.user_id, "rooms", &room]];
    for place in places {
        let path = |event_type| [place.as_slice(), &["account_data", event_type]].concat();
        alice.get(path("test.key")).refused(404, "M_NOT_FOUND");
        for value in ["first", "second"] {
            alice.put(path("test.key"), &json!({"value": value})).ok();
            assert_eq!(alice.get(path("test.key")).ok(), json!({"value": value}));
        }
        alice.get(path("other.key")).refused(404, "M_NOT_FOUND");
    }
}

#[test]
fn account_data_is_ones_own() {
    let (_, alice, bob) = two();
    let path = ["user", &alice.user_id, "account_data", "test.key"];

    bob.put(path, &json!({})).refused(403, "M_FORBIDDEN");
    bob.get(path).refused(403, "M_FORBIDDEN");
    let room = ["user", &alice.user_id, "rooms", "!r:hub.example", "account_data", "test.key"];
    bob.put(room, &json!({})).refused(403, "M_FORBIDDEN");
    bob.get(room).refused(403, "M_FORBIDDEN");
}

#[test]
fn what_the_server_sets_cannot_be_set_as_account_data() {
    let (_, alice, _) = two();
    let put = |event_type: &str, body: &Json| alice.put(["user", &alice.user_id, "account_data", event_type], body);

    put("m.push_rules", &json!({})).refused(405, "M_BAD_JSON");
    put("m.fully_read", &json!({})).refused(405, "M_BAD_JSON");
    put("test.key", &json!([])).refused(400, "M_BAD_JSON");
    put(&"x".repeat(256), &json!({})).refused(400, "M_INVALID_PARAM");
}

#[test]
fn account_data_comes_down_the_sync_of_all_devices() {
    let (_, alice, _) = two();
    let since = alice.sync(None).next_batch();

    alice.put(["user", &alice.user_id, "account_data", "test.key"], &json!({"value": 1})).ok();

    assert_eq!(alice.sync(Some(&since)).account_data("test.key"), json!({"value": 1}));
    assert_eq!(alice.sync(None).account_data("test.key"), json!({"value": 1}));
}

#[test]
fn a_filter_is_stored_and_read_back_as_it_was() {
    let (_, alice, bob) = two();
    let filter = json!({"room": {"timeline": {"limit": 10}}, "org.example.key": [1]});

    let stored = alice.post(["user", &alice.user_id, "filter"], &filter).ok();

    let filter_id = stored["filter_id"].as_str().expect("a string");
    assert_eq!(alice.get(["user", &alice.user_id, "filter", filter_id]).ok(), filter);
    alice.get(["user", &alice.user_id, "filter", "nothing"]).refused(404, "M_NOT_FOUND");
    bob.get(["user", &alice.user_id, "filter", filter_id]).refused(403, "M_FORBIDDEN");
    bob.post(["user", &alice.user_id, "filter"], &filter).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_filter_of_the_wrong_shape_is_refused() {
    let (_, alice, _) = two();
    let text = "text";
    for bad in [
        json!({"presence": text}),
        json!({"room": {"timeline": text}}),
        json!({"room": {"state": text}}),
        json!({"room": {"ephemeral": text}}),
        json!({"room": {"account_data": text}}),
        json!({"room": {"timeline": {"rooms": text}}}),
        json!({"room": {"timeline": {"not_rooms": text}}}),
        json!({"room": {"timeline": {"senders": text}}}),
        json!({"room": {"timeline": {"not_senders": text}}}),
        json!({"room": {"timeline": {"types": text}}}),
        json!({"room": {"timeline": {"not_types": text}}}),
        json!({"room": {"timeline": {"types": [1]}}}),
        json!({"room": {"timeline": {"rooms": ["not a room"]}}}),
        json!({"room": {"timeline": {"senders": ["not a user"]}}}),
    ] {
        let reply = alice.post(["user", &alice.user_id, "filter"], &bad);
        assert_eq!((reply.status, &reply.json()["errcode"]), (400, &json!("M_BAD_JSON")), "{bad}");
    }
}

const RULES: [&str; 2] = ["pushrules", "global"];

fn rule<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [RULES.as_slice(), rest].concat()
}

#[test]
fn push_rules_start_with_the_defaults() {
    let (_, alice, _) = two();

    let all = alice.get(["pushrules", ""]).ok();

    assert_eq!(all["global"], alice.get(["pushrules", "global", ""]).ok());
    assert_eq!(all["global"]["override"][0]["rule_id"], ".m.rule.master");
    let master = alice.get(rule(&["override", ".m.rule.master"])).ok();
    assert_eq!((&master["enabled"], &master["default"]), (&json!(false), &json!(true)));
}

#[test]
fn a_rule_of_ones_own_is_made_changed_and_removed() {
    let (_, alice, _) = two();
    let body = json!({"actions": ["notify", {"set_tweak": "sound", "value": "default"}], "pattern": "cake"});

    alice.put(rule(&["content", "cake"]), &body).ok();
    let made = alice.get(rule(&["content", "cake"])).ok();
    assert_eq!(made["pattern"], "cake");
    assert_eq!(made["actions"], body["actions"]);
    assert_eq!((&made["enabled"], &made["default"]), (&json!(true), &json!(false)));

    alice.put(rule(&["content", "cake", "enabled"]), &json!({"enabled": false})).ok();
    assert_eq!(alice.get(rule(&["content", "cake", "enabled"])).ok(), json!({"enabled": false}));
    alice.put(rule(&["content", "cake", "actions"]), &json!({"actions": ["dont_notify"]})).ok();
    assert_eq!(alice.get(rule(&["content", "cake", "actions"])).ok(), json!({"actions": ["dont_notify"]}));

    alice.delete(rule(&["content", "cake"])).ok();
    alice.get(rule(&["content", "cake"])).refused(404, "M_NOT_FOUND");
    alice.delete(rule(&["content", "cake"])).refused(404, "M_NOT_FOUND");
}

#[test]
fn a_retired_action_is_stored_and_returned_as_it_is() {
    let (_, alice, _) = two();
    alice.put(rule(&["sender", &alice.user_id]), &json!({"actions": ["dont_notify"]})).ok();
    for _ in 0..2 {
        let rules = alice.get(["pushrules", ""]).ok();
        assert_eq!(rules["global"]["sender"][0]["actions"][0], "dont_notify");
    }
}

#[test]
fn rules_are_placed_before_and_after_others() {
    let (_, alice, _) = two();
    let put = |rule_id: &str, query: &[(&str, &str)]| -> Reply {
        let path = hubbub_native::client::path(rule(&["room", rule_id]));
        let uri = hubbub_native::client::with_query(path, query);
        alice.ask(Method::PUT, &uri, Some(&json!({"actions": ["notify"]})))
    };
    put("!a:hub.example", &[]).ok();
    put("!b:hub.example", &[("after", "!a:hub.example")]).ok();
    put("!c:hub.example", &[("before", "!b:hub.example")]).ok();
    assert!(put("!d:hub.example", &[("before", "!nothing:hub.example")]).status >= 400);

    let rules = alice.get(["pushrules", ""]).ok();
    let ids: Vec<_> = rules["global"]["room"].as_array().unwrap().iter().map(|rule| rule["rule_id"].clone()).collect();
    assert_eq!(ids, ["!a:hub.example", "!c:hub.example", "!b:hub.example"]);
}

#[test]
fn a_rule_that_cannot_be_is_refused() {
    let (_, alice, _) = two();
    let actions = json!({"actions": ["notify"]});

    alice.get(rule(&["postcontent", "x"])).refused(404, "M_NOT_FOUND");
    alice.get(rule(&["override", "nothing"])).refused(404, "M_NOT_FOUND");
    assert!(alice.put(rule(&["override", ".m.rule.mine"]), &actions).status == 400);
    assert!(alice.put(rule(&["nonsense", "x"]), &actions).status >= 400);
    assert!(alice.put(rule(&["content", "x"]), &actions).status == 400, "a content rule needs its pattern");
    assert!(alice.put(rule(&["override", "x"]), &json!({"actions": 7})).status == 400);
    alice.put(rule(&["override", "nothing", "enabled"]), &json!({"enabled": true})).refused(404, "M_NOT_FOUND");
    alice.put(rule(&["override", ".m.rule.master", "enabled"]), &json!({})).refused(400, "M_BAD_JSON");
    assert!(alice.delete(rule(&["override", ".m.rule.master"])).status >= 400);
    alice.get(["pushrules", "device", ""]).refused(404, "M_UNRECOGNIZED");
}
