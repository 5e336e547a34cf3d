//! `device_lists` of `/sync`, `/keys/changes`, and that `/keys/query` then gives the newest keys.

use hubbub_conformance::{Homeserver, SyncAnswer, User};
use serde_json::{Value, json};

fn names(list: &Value, user: &User) -> bool {
    list.as_array().is_some_and(|users| users.iter().any(|id| *id == user.id.as_str()))
}

fn changed(sync: &SyncAnswer, user: &User) -> bool {
    names(&sync["device_lists"]["changed"], user)
}

fn left(sync: &SyncAnswer, user: &User) -> bool {
    names(&sync["device_lists"]["left"], user)
}

/// 32 random bytes as unpadded base64: four and two bits in the last characters.
fn random_key() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let character = |mask: u8| char::from(ALPHABET[usize::from(rand::random::<u8>() & mask)]);
    let start: String = (0..42).map(|_| character(0b11_1111)).collect();
    start + &character(0b11_1100).to_string()
}

/// Uploads new identity keys for the session's device, and returns them.
async fn upload_keys(user: &User) -> Value {
    let device = &user.device_id;
    let keys = json!({
        format!("ed25519:{device}"): random_key(),
        format!("curve25519:{device}"): random_key(),
    });
    let device_keys = json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": keys,
        "signatures": {},
    });
    user.post(["keys", "upload"]).json(json!({ "device_keys": device_keys })).await.ok();
    keys
}

/// The devices that `/keys/query` shows of a user.
async fn query(asking: &User, user: &User) -> Value {
    let answer = asking.post(["keys", "query"]).json(json!({"device_keys": { &user.id: [] }})).await.ok();
    answer["device_keys"][&user.id].clone()
}

async fn has_keys(asking: &User, user: &User, keys: &Value) {
    let devices = query(asking, user).await;
    let device = &devices[&user.device_id];
    assert_eq!(device["keys"], *keys, "{devices}");
    assert_eq!(device["algorithms"], json!(["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]));
}

/// Syncs until the answer says what is expected, and goes on from there.
async fn until(observer: &User, since: &mut String, what: &str, said: impl Fn(&SyncAnswer) -> bool) {
    let answer = observer.sync().since(since).until(what, said).await;
    *since = answer.next_batch();
}

/// An observer with another user, and a bystander who shares a room with the observer only.
struct Three {
    observer: User,
    other: User,
    bystander: User,
}

impl Three {
    async fn new() -> Self {
        let server = Homeserver::from_env();
        let observer = server.register("observer").await;
        let other = server.register("other").await;
        let bystander = server.register("bystander").await;
        let three = Self { observer, other, bystander };
        let room = three.room_of(&three.observer).await;
        three.bystander.join(&room).await;
        three
    }

    async fn room_of(&self, owner: &User) -> String {
        owner.create_room(json!({"preset": "public_chat"})).await
    }

    /// The other user uploads keys, and the observer's next syncs until the bystander's upload shows.
    async fn unnoticed_upload(&self, since: &mut String) -> Value {
        let keys = upload_keys(&self.other).await;
        has_keys(&self.observer, &self.other, &keys).await;
        upload_keys(&self.bystander).await;
        until(&self.observer, since, "the bystander's change", |sync| {
            assert!(!changed(sync, &self.other), "{}", sync["device_lists"]);
            changed(sync, &self.bystander)
        })
        .await;
        keys
    }

    /// Both are in a room, the other user uploads again: that shows, and the keys are the new ones.
    async fn noticed_upload(&self, since: &mut String) {
        let keys = upload_keys(&self.other).await;
        until(&self.observer, since, "a change", |sync| changed(sync, &self.other)).await;
        has_keys(&self.observer, &self.other, &keys).await;
    }
}

/// Suite: TestDeviceListUpdates/when local user joins a room
#[tokio::test]
async fn who_joins_the_observers_room_is_listed_as_changed() {
    let three = Three::new().await;
    let room = three.room_of(&three.observer).await;
    let keys = upload_keys(&three.other).await;
    let mut since = three.observer.sync_token().await;

    three.other.join(&room).await;

    until(&three.observer, &mut since, "a change", |sync| changed(sync, &three.other)).await;
    has_keys(&three.observer, &three.other, &keys).await;
    three.noticed_upload(&mut since).await;
}

/// Suite: TestDeviceListUpdates/when joining a room with a local user
#[tokio::test]
async fn who_is_in_a_room_that_the_observer_joins_is_listed_as_changed() {
    let three = Three::new().await;
    let room = three.room_of(&three.other).await;
    let keys = upload_keys(&three.other).await;
    let mut since = three.observer.sync_token().await;

    three.observer.join(&room).await;

    until(&three.observer, &mut since, "the join with a change", |sync| {
        !sync.joined(&room).is_null() && changed(sync, &three.other)
    })
    .await;
    has_keys(&three.observer, &three.other, &keys).await;
    three.noticed_upload(&mut since).await;
}

/// Suite: TestDeviceListUpdates/when local user leaves a room
#[tokio::test]
async fn who_leaves_the_last_shared_room_is_listed_as_left_and_heard_of_no_more() {
    let three = Three::new().await;
    let room = three.room_of(&three.observer).await;
    upload_keys(&three.other).await;
    three.other.join(&room).await;
    let mut since = three.observer.wait_for_member(&room, &three.other, "join").await;

    three.other.leave(&room).await;

    until(&three.observer, &mut since, "a leaving", |sync| left(sync, &three.other)).await;
    three.unnoticed_upload(&mut since).await;
}

/// Suite: TestDeviceListUpdates/when leaving a room with a local user
#[tokio::test]
async fn who_was_in_a_room_that_the_observer_leaves_is_listed_as_left() {
    let three = Three::new().await;
    let room = three.room_of(&three.other).await;
    upload_keys(&three.other).await;
    three.observer.join(&room).await;
    let mut since = three.observer.wait_for_member(&room, &three.observer, "join").await;

    three.observer.leave(&room).await;

    until(&three.observer, &mut since, "the own leaving", |sync| {
        !sync.left(&room).is_null() && left(sync, &three.other)
    })
    .await;
    three.unnoticed_upload(&mut since).await;
}

/// Suite: TestDeviceListUpdates/when local user rejoins a room
#[tokio::test]
async fn who_leaves_and_joins_again_is_listed_as_changed_for_a_token_from_before() {
    let three = Three::new().await;
    let room = three.room_of(&three.observer).await;
    upload_keys(&three.other).await;
    three.other.join(&room).await;
    let before = three.observer.wait_for_member(&room, &three.other, "join").await;

    three.other.leave(&room).await;
    until(&three.observer, &mut before.clone(), "a leaving", |sync| left(sync, &three.other)).await;
    let keys = upload_keys(&three.other).await;
    three.other.join(&room).await;

    let sync = three.observer.sync().since(&before).until_from_same_token("the join with a change", |sync| {
        three.observer.sees_member(sync, &room, &three.other, "join") && changed(sync, &three.other)
    });
    let mut since = sync.await.next_batch();
    has_keys(&three.observer, &three.other, &keys).await;
    three.noticed_upload(&mut since).await;
}

/// Suite: TestKeyChangesLocal/New login should create a device_lists.changed entry
#[tokio::test]
async fn keys_of_a_new_login_are_a_change() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    upload_keys(&bob).await;
    alice.wait_for_member(&room, &bob, "join").await;
    let from = alice.sync_token().await;

    let again = bob.login_again(json!({})).await;
    let mut to = from.clone();
    upload_keys(&again).await;
    until(&alice, &mut to, "a change", |sync| changed(sync, &bob)).await;

    let changes = alice.get(["keys", "changes"]).query("from", &from).query("to", &to).await.ok();
    assert_eq!(changes["changed"][0], bob.id.as_str(), "{changes}");
    let devices = query(&alice, &bob).await;
    assert_eq!(devices.as_object().map(serde_json::Map::len), Some(2), "{devices}");
}

/// Suite: TestSync/parallel/Device list tracking/User is correctly listed when they leave, even when lazy loading is enabled
#[tokio::test]
async fn lazy_loading_hides_nobody_who_leaves() {
    let server = Homeserver::from_env();
    let (alice, bob, carol) =
        (server.register("alice").await, server.register("bob").await, server.register("carol").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    let filter = alice.upload_filter(json!({"room": {"state": {"lazy_load_members": true}}})).await;
    let sync = |since: &str| alice.sync().since(since).filter(&filter);
    let first = alice.sync().filter(&filter).await.next_batch();

    carol.join(&room).await;
    let joined = sync(&first).until("a change", |sync| changed(sync, &carol)).await.next_batch();
    let event = carol.send_text(&room, "hello and goodbye").await;
    let spoken = sync(&joined).until("what was said", |sync| sync.has_event(&room, &event)).await.next_batch();
    carol.leave(&room).await;

    sync(&spoken).until_from_same_token("a leaving", |sync| left(sync, &carol)).await;
    let again = sync(&spoken).await;
    assert!(left(&again, &carol), "{}", again["device_lists"]);
}
