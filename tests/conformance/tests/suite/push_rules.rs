//! Push rules: stored as they are sent, and pushed down a waiting sync.

use std::time::Duration;

use hubbub_conformance::{Call, Homeserver, User, random_name};
use serde_json::json;

/// Suite: TestPushRuleCacheHealth
#[tokio::test]
async fn a_retired_action_is_kept_and_reading_does_not_alter_it() {
    let alice = Homeserver::from_env().register("alice").await;

    let rule = json!({"actions": ["dont_notify"]});
    alice.put(["pushrules", "global", "sender", &alice.id], rule).await.ok();

    for _ in 0..2 {
        let rules = alice.get(["pushrules", ""]).await.ok();
        assert_eq!(rules["global"]["sender"][0]["actions"][0], "dont_notify");
    }
}

/// Suite: TestPushSync/Push rules come down in an initial /sync
#[tokio::test]
async fn an_initial_sync_has_the_default_push_rules() {
    let alice = Homeserver::from_env().register("alice").await;

    let sync = alice.sync().await;

    let rules = sync.account_data("m.push_rules").expect("push rules are account data");
    assert!(rules["content"]["global"].is_object());
}

struct Rule {
    alice: User,
    room: String,
}

impl Rule {
    /// A user without rules of their own, and the id of a room that the server does not know.
    async fn unset() -> Self {
        let alice = Homeserver::from_env().register("alice").await;
        let room = format!("!{}:{}", random_name("room"), alice.server_name());
        Self { alice, room }
    }

    async fn set() -> Self {
        let rule = Self::unset().await;
        rule.put().await.ok();
        rule
    }

    fn put(&self) -> Call {
        self.alice.put(["pushrules", "global", "room", &self.room], json!({"actions": ["notify"]}))
    }

    fn put_attribute(&self, attribute: &str, body: serde_json::Value) -> Call {
        self.alice.put(["pushrules", "global", "room", &self.room, attribute], body)
    }

    /// Makes the change while a sync waits; the one answer to that sync must have the rules.
    async fn change_wakes_a_sync(&self, change: Call) {
        let sync = self.alice.sync().until("push rules", |sync| sync.account_data("m.push_rules").is_some()).await;
        let waiting = tokio::spawn(self.alice.sync().since(&sync.next_batch()).timeout(10_000).into_future());
        // Long enough for the sync to be waiting.
        tokio::time::sleep(Duration::from_millis(500)).await;
        change.await.ok();
        let answer = waiting.await.expect("the sync is answered");
        let rules = answer.account_data("m.push_rules");
        assert!(rules.is_some_and(|rules| rules["content"]["global"].is_object()), "no push rules: {:?}", *answer);
    }
}

/// Suite: TestPushSync/Adding a push rule wakes up an incremental /sync
#[tokio::test]
async fn a_new_rule_wakes_a_sync() {
    let rule = Rule::unset().await;

    rule.change_wakes_a_sync(rule.put()).await;
}

/// Suite: TestPushSync/Disabling a push rule wakes up an incremental /sync
#[tokio::test]
async fn disabling_a_rule_wakes_a_sync() {
    let rule = Rule::set().await;

    rule.change_wakes_a_sync(rule.put_attribute("enabled", json!({"enabled": false}))).await;
}

/// Suite: TestPushSync/Enabling a push rule wakes up an incremental /sync
#[tokio::test]
async fn enabling_a_rule_wakes_a_sync() {
    let rule = Rule::set().await;
    rule.put_attribute("enabled", json!({"enabled": false})).await.ok();

    rule.change_wakes_a_sync(rule.put_attribute("enabled", json!({"enabled": true}))).await;
}

/// Suite: TestPushSync/Setting actions for a push rule wakes up an incremental /sync
#[tokio::test]
async fn new_actions_of_a_rule_wake_a_sync() {
    let rule = Rule::set().await;

    rule.change_wakes_a_sync(rule.put_attribute("actions", json!({"actions": ["dont_notify"]}))).await;
}
