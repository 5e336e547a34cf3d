//! Which rooms are direct chats: `m.direct` in the account data, `is_direct` on an invite.

use hubbub_conformance::{Homeserver, SyncAnswer, events};
use serde_json::{Value, json};

/// Suite: TestWriteMDirectAccountData
#[tokio::test]
async fn the_list_of_direct_chats_is_echoed_and_replaced() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let path = ["user", &alice.id, "account_data", "m.direct"];
    let lists = [json!({bob.id.as_str(): ["!one:example.org"]}), json!({bob.id.as_str(): ["!two:example.org"]})];
    let shows = |sync: &SyncAnswer, list: &Value| sync.account_data("m.direct").is_some_and(|m| m["content"] == *list);

    alice.put(path, lists[0].clone()).await.ok();
    let since = alice.sync().until("the first list", |sync| shows(sync, &lists[0])).await.next_batch();
    alice.put(path, lists[1].clone()).await.ok();
    let news = alice.sync().since(&since).until("the second list", |sync| shows(sync, &lists[1])).await;

    let of_type = |event: &&Value| event["type"] == "m.direct";
    assert_eq!(events(&news["account_data"]).iter().filter(of_type).count(), 1, "the new list only");
    assert_eq!(alice.get(path).await.ok(), lists[1]);
}

/// Suite: TestIsDirectFlagLocal
#[tokio::test]
async fn an_invite_to_a_direct_chat_says_so() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);

    let room = alice.create_room(json!({"invite": [bob.id], "is_direct": true})).await;

    let is_direct_invite = |event: &Value| {
        event["state_key"] == bob.id.as_str()
            && event["content"]["membership"] == "invite"
            && event["content"]["is_direct"] == true
    };
    let shows = |sync: &SyncAnswer| events(&sync.invited(&room)["invite_state"]).iter().any(is_direct_invite);
    bob.sync().until("a direct invite", shows).await;
}
