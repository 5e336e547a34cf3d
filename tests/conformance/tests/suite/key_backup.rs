//! `/room_keys`: which of two keys a backup keeps.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

const ROOM: &str = "!nowhere:example.org";
const SESSION: &str = "session/with+odd=characters";

fn key(is_verified: bool, first_message_index: u32, forwarded_count: u32) -> Value {
    json!({
        "is_verified": is_verified,
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "session_data": {"a": "b"},
    })
}

/// Begins a backup and returns its version.
async fn backup(user: &User) -> String {
    let body = json!({"algorithm": "m.megolm_backup.v1", "auth_data": {"foo": "bar"}});
    let version = user.post(["room_keys", "version"]).json(body).await.ok()["version"].clone();
    version.as_str().filter(|version| !version.is_empty()).expect("a version").to_owned()
}

/// Stores a key and asserts that each of the worse ones is taken without replacing it.
async fn keeps(kept: Value, worse: &[Value]) {
    let alice = Homeserver::from_env().register("alice").await;
    let version = backup(&alice).await;
    let put = |key: Value| alice.put(["room_keys", "keys", ROOM, SESSION], key).query("version", &version);
    put(kept.clone()).await.ok();
    for key in worse {
        put(key.clone()).await.ok();

        let stored = alice.get(["room_keys", "keys", ROOM, SESSION]).query("version", &version).await;
        let stored = stored.with_status(200);

        for part in ["is_verified", "first_message_index", "forwarded_count"] {
            assert_eq!(stored[part], kept[part], "{part} after {key}");
        }
    }
}

/// Suite: TestE2EKeyBackupReplaceRoomKeyRules/{isVerified:false firstMessageIndex:10 forwardedCount:5}
#[tokio::test]
async fn an_unverified_key_is_kept_before_worse_ones() {
    keeps(key(false, 10, 5), &[key(false, 11, 5), key(false, 10, 6), key(false, 11, 6)]).await;
}

/// Suite: TestE2EKeyBackupReplaceRoomKeyRules/{isVerified:true firstMessageIndex:10 forwardedCount:5}
#[tokio::test]
async fn a_verified_key_is_kept_before_worse_ones() {
    let worse = [false, true].map(|verified| [key(verified, 11, 5), key(verified, 10, 6), key(verified, 11, 6)]);
    keeps(key(true, 10, 5), &worse.concat()).await;
}
