//! What ignoring somebody hides.

use hubbub_conformance::Homeserver;
use serde_json::json;

/// Suite: TestInviteFromIgnoredUsersDoesNotAppearInSync
#[tokio::test]
async fn an_invite_of_an_ignored_user_does_not_come_down_sync() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let (bob, chris) = (server.register("bob").await, server.register("chris").await);
    let list = json!({"ignored_users": {(bob.id.as_str()): {}}});
    alice.put(["user", &alice.id, "account_data", "m.ignored_user_list"], list).await.ok();
    let what = "the list of ignored users";
    let since = alice.sync().until(what, |sync| sync.account_data("m.ignored_user_list").is_some()).await.next_batch();

    let invite = json!({"preset": "private_chat", "invite": [alice.id]});
    let of_bob = bob.create_room(invite.clone()).await;
    let of_chris = chris.create_room(invite).await;

    let what = "the other invite";
    let sync =
        alice.sync().since(&since).timeout(0).until_from_same_token(what, |sync| !sync.invited(&of_chris).is_null());
    assert!(sync.await.invited(&of_bob).is_null());
    let first = alice.sync().until(what, |sync| !sync.invited(&of_chris).is_null()).await;
    assert!(first.invited(&of_bob).is_null());
}
