//! What a client sends with an operation about keys.

use hubbub_native::crypto::{Identity, SigningKey, device_keys};
use serde_json::{Value as Json, json};

use super::world::World;

/// The body of an operation about keys.
pub fn ours(id: &str, world: &World) -> Option<Json> {
    let alice = &world.alice;
    Some(match id {
        "uploadKeys" => json!({
            "device_keys": device_keys(&alice.user_id, &alice.device_id, &SigningKey::new(Some(&alice.device_id))),
            "one_time_keys": {"signed_curve25519:AAAAHQ": {
                "key": "zKbLg+NrIjpnagy+pIY6uPL4ZwEG2v+8F9lmgsnlZzs", "signatures": {&alice.user_id: {"ed25519:X": "x"}},
            }},
        }),
        "queryKeys" => json!({"timeout": 10_000, "device_keys": {&alice.user_id: []}}),
        "claimKeys" => {
            json!({"timeout": 10_000, "one_time_keys": {&alice.user_id: {&alice.device_id: "signed_curve25519"}}})
        }
        "uploadCrossSigningKeys" => Identity::new(&alice.user_id).body(),
        "postRoomKeysVersion" | "putRoomKeysVersion" => backup(),
        "putRoomKeys" => json!({"rooms": {&world.room: {"sessions": {"sessionId-1": session()}}}}),
        "putRoomKeysByRoomId" => json!({"sessions": {"sessionId-1": session()}}),
        "putRoomKeyBySessionId" => session(),
        _ => return None,
    })
}

/// What an operation about keys needs: keys to see and to claim, or a backup with a session.
pub fn prepare(operation: &str, world: &World) {
    let alice = &world.alice;
    match operation {
        "queryKeys" | "claimKeys" => {
            let keys = ours("uploadKeys", world).expect("a body");
            alice.post(["keys", "upload"], &keys).ok();
            alice.post(["keys", "device_signing", "upload"], &Identity::new(&alice.user_id).body()).ok();
        }
        "postRoomKeysVersion" => {}
        _ if operation.contains("RoomKey") => {
            alice.post(["room_keys", "version"], &backup()).ok();
            let uri = format!("/_matrix/client/v3/room_keys/keys/{}/sessionId-1?version=1", world.room);
            alice.ask(http::Method::PUT, &uri, Some(&session())).ok();
        }
        _ => {}
    }
}

fn backup() -> Json {
    json!({"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "abcdefg", "signatures": {}}})
}

fn session() -> Json {
    json!({
        "first_message_index": 1, "forwarded_count": 0, "is_verified": true,
        "session_data": {"ciphertext": "base64+ciphertext", "ephemeral": "base64+key", "mac": "base64+mac"},
    })
}
