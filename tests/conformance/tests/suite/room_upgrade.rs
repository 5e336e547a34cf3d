//! Replacing a room: what the new one is, and that push rules go along.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Map, Value, json};

async fn upgrade(user: &User, room: &str, body: Value) -> String {
    let answer = user.post(["rooms", room, "upgrade"]).json(body).await.with_status(200);
    answer["replacement_room"].as_str().expect("a room id").to_owned()
}

struct Muted {
    alice: User,
    other: User,
    room: String,
}

impl Muted {
    /// A room with two members who both muted it.
    async fn new(version: &str) -> Self {
        let server = Homeserver::from_env();
        let (alice, other) = (server.register("alice").await, server.register("alice2").await);
        let room = alice.create_room(json!({"preset": "public_chat", "room_version": version})).await;
        other.join(&room).await;
        for user in [&alice, &other] {
            let rule = json!({"actions": ["dont_notify"]});
            user.put(["pushrules", "global", "room", &room], rule).await.ok();
        }
        Self { alice, other, room }
    }

    /// Checks that both have the rule for both rooms, by sync and by its own endpoint.
    async fn check(&self, new_room: &str, since: [String; 2]) {
        for (user, since) in [&self.alice, &self.other].into_iter().zip(since) {
            let has_both = |rules: &Value| {
                let rules = rules["global"]["room"].as_array().cloned().unwrap_or_default();
                let has = |room: &str| {
                    rules.iter().any(|rule| rule["rule_id"] == room && rule["actions"][0] == "dont_notify")
                };
                has(&self.room) && has(new_room)
            };
            let shown = user.sync().since(&since).until("both rules", |sync| {
                sync.account_data("m.push_rules").is_some_and(|data| has_both(&data["content"]))
            });
            shown.await;
            assert!(has_both(&user.get(["pushrules", ""]).await.ok()));
        }
    }

    async fn tokens(&self) -> [String; 2] {
        [self.alice.sync_token().await, self.other.sync_token().await]
    }
}

/// Suite: TestPushRuleRoomUpgrade/parallel/manually upgrading a room carries over existing push rules for local users
#[tokio::test]
async fn push_rules_go_along_when_a_room_is_replaced_by_hand() {
    let muted = Muted::new("10").await;
    let since = muted.tokens().await;
    let body = json!({
        "preset": "public_chat", "room_version": "11", "creation_content": {"predecessor": {"room_id": muted.room}},
    });
    let new_room = muted.alice.create_room(body).await;
    let tombstone = json!({"body": "This room has been replaced", "replacement_room": new_room});
    muted.alice.set_state(&muted.room, "m.room.tombstone", tombstone).await;

    muted.other.join(&new_room).await;

    muted.check(&new_room, since).await;
}

/// Suite: TestPushRuleRoomUpgrade/parallel/upgrading a room carries over existing push rules for local users
#[tokio::test]
async fn push_rules_of_every_member_go_along_when_a_room_is_upgraded() {
    let muted = Muted::new("10").await;
    let since = muted.tokens().await;

    let new_room = upgrade(&muted.alice, &muted.room, json!({"new_version": "11"})).await;

    muted.check(&new_room, since).await;
}

/// Suite: TestMSC4291RoomIDAsHashOfCreateEvent_UpgradedRooms
#[tokio::test]
async fn a_room_upgraded_to_version_12_is_named_by_its_create_event() {
    let alice = Homeserver::from_env().register("alice").await;
    for from in ["12", "11", "10"] {
        let old = alice.create_room(json!({"preset": "public_chat", "room_version": from})).await;

        let new = upgrade(&alice, &old, json!({"new_version": "12"})).await;

        let create = alice.get(["rooms", &new, "state", "m.room.create", ""]).query("format", "event").await.ok();
        assert_eq!(create["event_id"].as_str().map(|id| id.replacen('$', "!", 1)).as_deref(), Some(new.as_str()));
        assert_eq!(create["content"]["predecessor"], json!({"room_id": old}));
        assert_eq!(alice.state(&old, "m.room.tombstone").await["replacement_room"], new.as_str());
    }
}

/// One of the suite's cases: who upgrades a room of which version, who has power in it, and who shall share the
/// creator's power.
struct Case {
    version: &'static str,
    upgrader: usize,
    levels: &'static [(usize, i64)],
    additional: &'static [usize],
}

const CASES: [Case; 6] = [
    Case { version: "11", upgrader: 1, levels: &[(1, 100)], additional: &[] },
    Case { version: "11", upgrader: 1, levels: &[(1, 100), (2, 100)], additional: &[] },
    Case { version: "12", upgrader: 1, levels: &[(1, 150)], additional: &[2] },
    Case { version: "12", upgrader: 1, levels: &[(1, 150), (2, 50)], additional: &[2] },
    Case { version: "11", upgrader: 0, levels: &[(0, 100)], additional: &[1] },
    Case { version: "11", upgrader: 0, levels: &[(0, 100), (2, 50)], additional: &[1] },
];

/// Suite: TestMSC4289PrivilegedRoomCreators_Upgrades
#[tokio::test]
async fn an_upgrade_to_version_12_makes_creators_of_who_upgrades_and_of_nobody_unasked() {
    let server = Homeserver::from_env();
    let users = [server.register("alice").await, server.register("bob").await, server.register("carol").await];
    for (number, case) in CASES.iter().enumerate() {
        let old = users[0].create_room(json!({"preset": "public_chat", "room_version": case.version})).await;
        for user in &users[1..] {
            user.join(&old).await;
        }
        let mut levels = users[0].state(&old, "m.room.power_levels").await;
        let held: Map<String, Value> =
            case.levels.iter().map(|(user, level)| (users[*user].id.clone(), json!(level))).collect();
        levels["users"] = json!(held);
        users[0].set_state(&old, "m.room.power_levels", levels).await;
        let additional: Vec<&str> = case.additional.iter().map(|user| users[*user].id.as_str()).collect();
        let mut body = json!({"new_version": "12"});
        if !additional.is_empty() {
            body["additional_creators"] = json!(additional);
        }

        let upgrader = &users[case.upgrader];
        let new = upgrade(upgrader, &old, body).await;

        let create = upgrader.state(&new, "m.room.create").await;
        assert_eq!(create["room_version"], "12");
        let expected = (!additional.is_empty()).then(|| json!(additional));
        assert_eq!(create.get("additional_creators").cloned(), expected, "case {number}");
        let mut expected = held;
        expected.retain(|user, _| *user != upgrader.id && !additional.contains(&user.as_str()));
        assert_eq!(upgrader.state(&new, "m.room.power_levels").await["users"], json!(expected), "case {number}");
    }
}
