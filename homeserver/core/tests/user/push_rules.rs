//! Reading and changing push rules.

use hubbub_core::{
    contract::user::{Caller, PushRuleOperation, UserCommand},
    error::Result,
};
use serde_json::{Value as Json, json};

use crate::{
    room::raw,
    support::{BOB, User, next, refusal},
};

fn ask(user: &User, caller: &Caller, operation: PushRuleOperation) -> Result<Json> {
    user.ask(UserCommand::PushRules { caller: caller.clone(), operation })
}

fn put(kind: &str, rule_id: &str, rule: &Json) -> PushRuleOperation {
    PushRuleOperation::Put {
        kind: kind.to_owned(),
        rule_id: rule_id.to_owned(),
        rule: raw(rule),
        before: None,
        after: None,
    }
}

fn get(kind: &str, rule_id: &str) -> PushRuleOperation {
    PushRuleOperation::Get { kind: kind.to_owned(), rule_id: rule_id.to_owned() }
}

fn delete(kind: &str, rule_id: &str) -> PushRuleOperation {
    PushRuleOperation::Delete { kind: kind.to_owned(), rule_id: rule_id.to_owned() }
}

fn set_enabled(kind: &str, rule_id: &str, enabled: bool) -> PushRuleOperation {
    PushRuleOperation::SetEnabled { kind: kind.to_owned(), rule_id: rule_id.to_owned(), enabled }
}

fn set_actions(kind: &str, rule_id: &str, actions: &Json) -> PushRuleOperation {
    PushRuleOperation::SetActions { kind: kind.to_owned(), rule_id: rule_id.to_owned(), actions: raw(actions) }
}

#[test]
fn retired_actions_are_kept_as_they_are() {
    let (user, caller) = User::with_device("A");
    ask(&user, &caller, put("sender", BOB, &json!({"actions": ["dont_notify"]}))).unwrap();
    for _ in 0..2 {
        let all = ask(&user, &caller, PushRuleOperation::GetAll).unwrap();
        assert_eq!(all["global"]["sender"][0]["actions"], json!(["dont_notify"]));
        let global = ask(&user, &caller, PushRuleOperation::GetGlobal).unwrap();
        assert_eq!(global, all["global"]);
    }
}

#[test]
fn each_change_comes_down_sync() {
    let (user, caller) = User::with_device("A");
    let mut since = next(&user.sync(&caller, None)).to_owned();
    let changes = [
        put("room", "!r:hub", &json!({"actions": ["notify"]})),
        set_enabled("room", "!r:hub", false),
        set_enabled("room", "!r:hub", true),
        set_actions("room", "!r:hub", &json!(["dont_notify"])),
        delete("room", "!r:hub"),
    ];
    for change in changes {
        assert_eq!(ask(&user, &caller, change).unwrap(), Json::Null);
        let body = user.sync(&caller, Some(&since));
        let event = &body["account_data"]["events"][0];
        assert_eq!(event["type"], "m.push_rules");
        assert!(event["content"]["global"]["override"].is_array());
        since = next(&body).to_owned();
    }
}

#[test]
fn a_rule_is_read_back_in_all_its_parts() {
    let (user, caller) = User::with_device("A");
    let rule = json!({"actions": ["notify"], "pattern": "hub*"});
    ask(&user, &caller, put("content", "mine", &rule)).unwrap();
    let read = ask(&user, &caller, get("content", "mine")).unwrap();
    assert_eq!(
        read,
        json!({"actions": ["notify"], "default": false, "enabled": true, "rule_id": "mine", "pattern": "hub*"})
    );
    let enabled = PushRuleOperation::GetEnabled { kind: "content".to_owned(), rule_id: "mine".to_owned() };
    assert_eq!(ask(&user, &caller, enabled).unwrap(), json!({"enabled": true}));
    let actions = PushRuleOperation::GetActions { kind: "content".to_owned(), rule_id: "mine".to_owned() };
    assert_eq!(ask(&user, &caller, actions).unwrap(), json!({"actions": ["notify"]}));
    // A default rule can be switched off.
    ask(&user, &caller, set_enabled("override", ".m.rule.reaction", false)).unwrap();
    let read = ask(&user, &caller, get("override", ".m.rule.reaction")).unwrap();
    assert_eq!(read["enabled"], false);
}

#[test]
fn rules_are_placed_before_and_after_others() {
    let (user, caller) = User::with_device("A");
    let rule = json!({"actions": [], "conditions": []});
    let placed = |rule_id: &str, before: Option<&str>, after: Option<&str>| {
        ask(
            &user,
            &caller,
            PushRuleOperation::Put {
                kind: "underride".to_owned(),
                rule_id: rule_id.to_owned(),
                rule: raw(&rule),
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
            },
        )
    };
    placed("b", None, None).unwrap();
    placed("a", Some("b"), None).unwrap();
    placed("c", None, Some("b")).unwrap();
    let all = ask(&user, &caller, PushRuleOperation::GetGlobal).unwrap();
    let ids: Vec<&Json> = all["underride"].as_array().unwrap().iter().map(|rule| &rule["rule_id"]).collect();
    assert_eq!(ids[..3], [&json!("a"), &json!("b"), &json!("c")]);
    assert_eq!(refusal(placed("d", Some("nowhere"), None)), (400, "M_UNKNOWN".to_owned()));
    assert_eq!(refusal(placed("d", Some(".m.rule.call"), None)).0, 400);
}

#[test]
fn unknown_rules_and_kinds_are_not_found() {
    let (user, caller) = User::with_device("A");
    let enabled = |kind: &str| PushRuleOperation::GetEnabled { kind: kind.to_owned(), rule_id: "x".to_owned() };
    for kind in ["override", "postcontent", "nonsense", "room"] {
        for operation in [
            get(kind, ".io.element.msc4306.rule.subscribed_thread"),
            delete(kind, "x"),
            set_enabled(kind, "x", true),
            set_actions(kind, "x", &json!([])),
            enabled(kind),
        ] {
            let refused = ask(&user, &caller, operation);
            assert_eq!(refusal(refused), (404, "M_NOT_FOUND".to_owned()), "{kind}");
        }
    }
}

#[test]
fn impossible_rules_are_refused() {
    let (user, caller) = User::with_device("A");
    let actions = json!({"actions": []});
    for (kind, rule_id, rule, status) in [
        ("nonsense", "x", &actions, (400, "M_INVALID_PARAM")),
        ("override", ".mine", &actions, (400, "M_INVALID_PARAM")),
        ("override", "a/b", &actions, (400, "M_INVALID_PARAM")),
        ("content", "x", &actions, (400, "M_INVALID_PARAM")),
        ("room", "not a room", &actions, (400, "M_INVALID_PARAM")),
        ("sender", "not a user", &actions, (400, "M_INVALID_PARAM")),
        ("override", "x", &json!({}), (400, "M_BAD_JSON")),
        ("override", "x", &json!({"actions": "notify"}), (400, "M_BAD_JSON")),
    ] {
        let refused = ask(&user, &caller, put(kind, rule_id, rule));
        assert_eq!(refusal(refused), (status.0, status.1.to_owned()), "{kind} {rule_id}");
    }
    let refused = ask(&user, &caller, delete("override", ".m.rule.master"));
    assert_eq!(refusal(refused), (400, "M_INVALID_PARAM".to_owned()));
    let bad = set_actions("override", ".m.rule.master", &json!("notify"));
    assert_eq!(refusal(ask(&user, &caller, bad)), (400, "M_BAD_JSON".to_owned()));
    let large = json!({"actions": [], "pattern": "x".repeat(300_000)});
    let refused = ask(&user, &caller, put("content", "x", &large));
    assert_eq!(refusal(refused), (413, "M_TOO_LARGE".to_owned()));
}
