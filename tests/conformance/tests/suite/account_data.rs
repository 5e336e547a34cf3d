//! Account data of the account and of a room, and the list of ignored users.

use hubbub_conformance::Homeserver;
use serde_json::json;

/// Suite: TestAddAccountData/Can add global account data
#[tokio::test]
async fn global_account_data_is_read_back_as_it_was_last_written() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let path = ["user", &alice.id, "account_data", "test.key"];

    for value in ["first", "second"] {
        alice.put(path, json!({"value": value})).await.ok();
        assert_eq!(alice.get(path).await.ok(), json!({"value": value}));
    }
}

/// Suite: TestAddAccountData/Can add room account data
#[tokio::test]
async fn account_data_of_a_room_is_read_back_as_it_was_last_written() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let path = ["user", &alice.id, "rooms", &room, "account_data", "test.key"];

    for value in ["first", "second"] {
        alice.put(path, json!({"value": value})).await.ok();
        assert_eq!(alice.get(path).await.ok(), json!({"value": value}));
    }
}

/// Suite: TestInviteFromIgnoredUsersDoesNotAppearInSync
#[tokio::test]
async fn an_invite_from_an_ignored_user_does_not_come_down_sync() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let ignored = server.register("ignored").await;
    let friend = server.register("friend").await;
    let list = json!({"ignored_users": {ignored.id.as_str(): {}}});
    alice.put(["user", &alice.id, "account_data", "m.ignored_user_list"], list).await.ok();
    let ignoring = alice.sync().until("the list", |sync| sync.account_data("m.ignored_user_list").is_some()).await;

    let body = json!({"preset": "private_chat", "invite": [alice.id.as_str()]});
    let unwanted = ignored.create_room(body.clone()).await;
    let wanted = friend.create_room(body).await;

    let news = alice.sync().since(&ignoring.next_batch()).timeout(0).await;
    assert!(news.invited(&wanted).is_object(), "{:?}", *news);
    assert!(news.invited(&unwanted).is_null());
    let everything = alice.sync().await;
    assert!(everything.invited(&wanted).is_object());
    assert!(everything.invited(&unwanted).is_null());
}
