//! What a client sends with an operation.

use serde_json::{Value as Json, json};

use super::{keys, specification::Operation, world::World};

/// The body of an operation: one of ours where it has to fit the world, else the specification's example.
pub fn body_of(operation: &Operation, world: &World) -> Option<Json> {
    ours(&operation.id, world).or_else(|| operation.example())
}

fn ours(id: &str, world: &World) -> Option<Json> {
    let (alice, bob) = (&world.alice, &world.bob);
    let password = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": alice.user_id},
        "password": World::PASSWORD,
    });
    Some(match id {
        "createRoom" => json!({
            "preset": "public_chat",
            "room_alias_name": "made-by-openapi",
            "name": "The Grand Duke Pub",
            "topic": "All about happy hour",
            "creation_content": {"m.federate": false},
        }),
        "setRoomAlias" => json!({"room_id": world.room}),
        "inviteUser" | "unban" => json!({"user_id": world.carol.user_id, "reason": "Welcome!"}),
        "inviteBy3PID" => json!({"user_id": world.carol.user_id}),
        "ban" | "kick" => json!({"user_id": bob.user_id, "reason": "Telling unfunny jokes"}),
        "joinRoomById" | "joinRoom" | "knockRoom" => json!({"reason": "Looking for support"}),
        "login" => password,
        "register" => json!({"username": "newcomer", "password": "wordpass", "auth": {"type": "m.login.dummy"}}),
        "setReadMarker" => {
            json!({"m.fully_read": world.event, "m.read": world.event, "m.read.private": world.event})
        }
        "postReceipt" => json!({"thread_id": "main"}),
        "sendToDevice" => json!({"messages": { &bob.user_id: {"*": {"example_content_key": "value"}} }}),
        "setTyping" => json!({"typing": true, "timeout": 30_000}),
        "setProfileField" => json!({"displayname": "Alice Wonderland"}),
        "setPushRule" => json!({
            "conditions": [{"kind": "event_match", "key": "content.body", "pattern": "cake*lie"}],
            "actions": ["notify"],
        }),
        "setPushRuleActions" => json!({"actions": ["notify", {"set_tweak": "highlight"}]}),
        "setRoomStateWithKey" => json!({"name": "Renamed"}),
        "setAccountData" | "setAccountDataPerRoom" => json!({"custom_account_data_key": "custom_config_value"}),
        "sendMessage" => json!({"msgtype": "m.text", "body": "hello"}),
        "changePassword" => json!({"new_password": "ihatebananas", "logout_devices": true, "auth": password}),
        "deactivateAccount" => json!({"auth": password, "erase": false}),
        "deleteDevice" => json!({"auth": password}),
        "deleteDevices" => json!({"devices": [world.other_device], "auth": password}),
        "generateLoginToken" => json!({"auth": password}),
        "refresh" => json!({"refresh_token": world.refresh_token()}),
        "queryPublicRooms" => json!({"limit": 10, "filter": {"generic_search_term": "public"}}),
        "updateAppserviceRoomDirectoryVisibility" => json!({"visibility": "public"}),
        "upgradeRoom" => json!({"new_version": "11"}),
        "reportEvent" => json!({"score": -100, "reason": "this makes me sad"}),
        "search" => json!({"search_categories": {"room_events": {
            "search_term": "hello",
            "keys": ["content.body"],
            "order_by": "recent",
            "groupings": {"group_by": [{"key": "room_id"}]},
        }}}),
        "searchUserDirectory" => json!({"search_term": "bob", "limit": 10}),
        "postPusher" => json!({
            "app_display_name": "Mat Rix",
            "app_id": "com.example.app.ios",
            "append": false,
            "data": {"format": "event_id_only", "url": "https://push-gateway.example.org/_matrix/push/v1/notify"},
            "device_display_name": "EyePhone 9",
            "kind": "http",
            "lang": "en",
            "profile_tag": "xxyyzz",
            "pushkey": "APA91bHPRgkF3JUikC4ENAHEeMrd41Zxv3hVZjC9KtT8OvPVGJ",
        }),
        "pingAppservice" => json!({"transaction_id": "mautrix-go_1683636478256400935_123"}),
        "uploadContent" | "uploadContentToMXC" => json!({"any": "bytes"}),
        "requestOpenIdToken" => json!({}),
        _ => return keys::ours(id, world),
    })
}
