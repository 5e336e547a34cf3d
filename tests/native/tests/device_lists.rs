//! Device lists: whoever shares a room learns of changed keys, in every sync from before the change
//! and in none from after it.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_core::contract::{
    Address,
    keys_news::{DeviceKeyCounts, KeysNews},
    user::UserCommand,
};
use hubbub_native::{Client, Options, SyncBody, TestServer};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value as Json, json};

/// The seeds to try: so many, or the one of `HUBBUB_SEED`, or as many as `HUBBUB_SEEDS` says.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
    match number("HUBBUB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HUBBUB_SEEDS").unwrap_or(few),
    }
}

fn address(client: &Client) -> Address {
    Address::user(&client.user_id.parse::<ruma::OwnedUserId>().unwrap())
}

fn news(version: i64, list_changed: bool, counts: Vec<DeviceKeyCounts>) -> UserCommand {
    UserCommand::KeysNews(KeysNews { version, list_changed, counts })
}

/// The user's keys object says that keys changed.
fn change_keys(client: &Client, version: i64) {
    let held: i64 = client.server.call(address(client), news(version, true, Vec::new())).unwrap();
    assert_eq!(held, version);
}

fn set(list: &Json) -> BTreeSet<String> {
    let users = list.as_array().cloned().unwrap_or_default();
    let ids: Vec<String> = users.iter().map(|user| user.as_str().unwrap().to_owned()).collect();
    let set: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "nobody is named twice");
    set
}

fn changed(sync: &SyncBody) -> BTreeSet<String> {
    set(&sync.0["device_lists"]["changed"])
}

fn left(sync: &SyncBody) -> BTreeSet<String> {
    set(&sync.0["device_lists"]["left"])
}

fn ids(clients: &[&Client]) -> BTreeSet<String> {
    clients.iter().map(|client| client.user_id.clone()).collect()
}

fn private_room(owner: &Client, guests: &[&Client]) -> String {
    let invite: Vec<&String> = guests.iter().map(|guest| &guest.user_id).collect();
    let room = owner.create_room(&json!({"preset": "private_chat", "invite": invite}));
    for guest in guests {
        guest.join(&room);
    }
    room
}

fn portal(owner: &Client) -> String {
    owner.create_room(&json!({
        "preset": "public_chat",
        "initial_state": [{"type": "m.bridge", "state_key": "x", "content": {}}],
    }))
}

#[test]
fn a_change_reaches_room_mates_in_every_sync_from_before_it_and_in_none_from_after() {
    let server = TestServer::new();
    let (alice, bob, mallory) = (server.account("alice"), server.account("bob"), server.account("mallory"));
    private_room(&alice, &[&bob]);
    let before = [alice.sync(None).next_batch(), bob.sync(None).next_batch(), mallory.sync(None).next_batch()];
    server.advance(60_000);

    change_keys(&bob, 1);

    let first = alice.sync(Some(&before[0]));
    assert_eq!((changed(&first), left(&first)), (ids(&[&bob]), BTreeSet::new()));
    // The answer may be lost; and the owner of the keys hears of it, too.
    assert_eq!(changed(&alice.sync(Some(&before[0]))), ids(&[&bob]));
    assert_eq!(changed(&bob.sync(Some(&before[1]))), ids(&[&bob]));
    assert!(changed(&alice.sync(Some(&first.next_batch()))).is_empty());
    assert!(mallory.sync(Some(&before[2])).0["device_lists"].is_null());
    // A first sync has none: a client that starts asks for everybody.
    assert!(alice.sync(None).0["device_lists"].is_null());
    // The same news again are none.
    let held: i64 = server.call(address(&bob), news(1, true, Vec::new())).unwrap();
    assert_eq!(held, 1);
    assert!(changed(&alice.sync(Some(&first.next_batch()))).is_empty());
    change_keys(&bob, 5);
    assert_eq!(changed(&alice.sync(Some(&first.next_batch()))), ids(&[&bob]));
    let held: i64 = server.call(address(&bob), news(3, true, Vec::new())).unwrap();
    assert_eq!(held, 5, "older news tell what is held");
}

#[test]
fn a_change_ends_a_room_mates_poll() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    private_room(&alice, &[&bob]);
    let poll = alice.start_sync(&alice.sync(None).next_batch());
    server.settle();
    change_keys(&bob, 1);
    assert!(poll.is_finished());
    let sync = SyncBody(server.finish(&poll).ok());
    assert_eq!(changed(&sync), ids(&[&bob]));
    // No answer makes another: the next poll waits for its full time.
    let before = server.now();
    server.finish(&alice.start_sync(&sync.next_batch())).ok();
    assert_eq!(server.now() - before, 30_000);
}

#[test]
fn who_comes_to_share_a_room_changed_and_who_ceases_to_left() {
    let server = TestServer::new();
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let room = alice.public_room();
    let since = alice.sync(None).next_batch();
    bob.join(&room);
    assert_eq!(changed(&alice.sync(Some(&since))), ids(&[&bob]));
    // Who joins meets everybody.
    let carols = carol.sync(None).next_batch();
    carol.join(&room);
    assert_eq!(changed(&carol.sync(Some(&carols))), ids(&[&alice, &bob]));

    // A second shared room: nothing changes when the first is left, by whatever way.
    let other = private_room(&alice, &[&bob]);
    let since = alice.sync(None).next_batch();
    bob.leave(&room);
    let sync = alice.sync(Some(&since));
    assert_eq!((changed(&sync), left(&sync)), (BTreeSet::new(), BTreeSet::new()));
    assert_eq!(left(&carol.sync(Some(&carols))), ids(&[&bob]));
    alice.member(&other, "kick", &bob).ok();
    assert_eq!(left(&alice.sync(Some(&since))), ids(&[&bob]));
    assert_eq!(left(&alice.sync(Some(&sync.next_batch()))), ids(&[&bob]));
    // No room is shared, so no change is heard of.
    let quiet = alice.sync(None).next_batch();
    change_keys(&bob, 1);
    assert!(alice.sync(Some(&quiet)).0["device_lists"].is_null());
    // Leaving and coming back is a change, for tokens from before both.
    bob.join(&room);
    let sync = alice.sync(Some(&since));
    assert_eq!((changed(&sync), left(&sync)), (ids(&[&bob]), BTreeSet::new()));
    // A ban counts as leaving.
    let since = alice.sync(None).next_batch();
    alice.member(&room, "ban", &bob).ok();
    assert_eq!(left(&alice.sync(Some(&since))), ids(&[&bob]));
}

#[test]
fn who_leaves_a_room_has_left_all_that_were_in_it_and_nowhere_else() {
    let server = TestServer::new();
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let room = alice.public_room();
    bob.join(&room);
    carol.join(&room);
    private_room(&alice, &[&carol]);
    let since = alice.sync(None).next_batch();

    alice.leave(&room);

    let sync = alice.sync(Some(&since));
    assert_eq!((changed(&sync), left(&sync)), (BTreeSet::new(), ids(&[&bob])));
    assert!(sync.0["rooms"]["leave"][&room].is_object());
    assert!(alice.sync(Some(&sync.next_batch())).0["device_lists"].is_null());
    // Back again while bob has gone: since before all that, he left; since after it, nothing of him.
    bob.leave(&room);
    alice.join(&room);
    assert_eq!(left(&alice.sync(Some(&since))), ids(&[&bob]));
    assert!(left(&alice.sync(Some(&sync.next_batch()))).is_empty());
    assert!(changed(&alice.sync(Some(&since))).contains(&carol.user_id));
}

#[test]
fn a_bridged_room_shares_no_keys() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = portal(&alice);
    let since = alice.sync(None).next_batch();
    bob.join(&room);
    change_keys(&bob, 1);
    assert!(alice.sync(Some(&since)).0["device_lists"].is_null());
    bob.leave(&room);
    assert!(alice.sync(Some(&since)).0["device_lists"].is_null());
    // A room that comes to be bridged shares none from then on.
    let room = private_room(&alice, &[&bob]);
    let since = alice.sync(None).next_batch();
    alice.set_state(&room, "m.bridge", "x", &json!({})).ok();
    assert_eq!(left(&alice.sync(Some(&since))), ids(&[&bob]));
    let since = alice.sync(None).next_batch();
    change_keys(&bob, 2);
    assert!(alice.sync(Some(&since)).0["device_lists"].is_null());
}

#[test]
fn a_deactivated_user_has_left() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.register("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let since = alice.sync(None).next_batch();
    let auth = json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "bob"}, "password": "bob's password"});
    bob.post(["account", "deactivate"], &json!({ "auth": auth })).ok();
    assert_eq!(left(&alice.sync(Some(&since))), ids(&[&bob]));
}

#[test]
fn lazy_loading_makes_no_difference() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    let filter = r#"{"room":{"state":{"lazy_load_members":true}}}"#;
    let sync = |since: &str| alice.sync_with(&[("since", since), ("filter", filter)]);
    let first = alice.sync(None).next_batch();
    bob.join(&room);
    let second = sync(&first);
    assert_eq!(changed(&second), ids(&[&bob]));
    bob.send_text(&room, "hello");
    bob.leave(&room);
    for _ in 0..2 {
        assert_eq!(left(&sync(&second.next_batch())), ids(&[&bob]));
    }
}

#[test]
fn a_new_name_of_a_device_is_a_change_for_whoever_has_keys() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    private_room(&alice, &[&bob]);
    let since = alice.sync(None).next_batch();
    let rename = |name: &str| bob.put(["devices", &bob.device_id], &json!({"display_name": name})).ok();
    rename("without keys");
    assert!(alice.sync(Some(&since)).0["device_lists"].is_null());
    let device_keys = json!({
        "user_id": bob.user_id, "device_id": bob.device_id, "algorithms": [], "signatures": {},
        "keys": { format!("ed25519:{}", bob.device_id): "A".repeat(43) },
    });
    bob.post(["keys", "upload"], &json!({ "device_keys": device_keys })).ok();
    assert_eq!(changed(&alice.sync(Some(&since))), ids(&[&bob]));
    let since = alice.sync(None).next_batch();
    rename("with keys");
    assert_eq!(changed(&alice.sync(Some(&since))), ids(&[&bob]));
    let since = alice.sync(None).next_batch();
    rename("with keys");
    assert!(alice.sync(Some(&since)).0["device_lists"].is_null());
}

#[test]
fn keys_changes_tells_the_same_and_its_user_last() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = private_room(&alice, &[&bob]);
    let from = alice.sync(None).next_batch();
    change_keys(&alice, 1);
    change_keys(&bob, 1);
    let to = alice.sync(None).next_batch();
    let ask = |from: &str| alice.query(["keys", "changes"], &[("from", from), ("to", &to)]);
    assert_eq!(ask(&from).ok(), json!({"changed": [bob.user_id, alice.user_id], "left": []}));
    assert_eq!(ask(&to).ok(), json!({"changed": [], "left": []}));
    bob.leave(&room);
    assert_eq!(ask(&to).ok(), json!({"changed": [], "left": [bob.user_id]}));
    ask("yesterday").refused(400, "M_INVALID_PARAM");
    alice.query(["keys", "changes"], &[("to", &to)]).refused(400, "M_INVALID_PARAM");
    server.get("/_matrix/client/v3/keys/changes?from=s1_1&to=s1_1").refused(401, "M_MISSING_TOKEN");
}

#[test]
fn each_device_sees_what_is_left_of_its_keys_in_every_answer() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let phone = server.login("alice", Some("PHONE"));
    let none = (json!({"signed_curve25519": 0}), json!([]));
    let counts = |sync: &SyncBody| {
        (sync.0["device_one_time_keys_count"].clone(), sync.0["device_unused_fallback_key_types"].clone())
    };
    let first = alice.sync(None);
    assert_eq!(counts(&first), none);
    let since = first.next_batch();
    assert_eq!(counts(&alice.sync(Some(&since))), none);
    let poll = phone.start_sync(&phone.sync(None).next_batch());
    let other = alice.start_sync(&since);
    server.settle();

    let told = DeviceKeyCounts {
        device_id: "PHONE".into(),
        one_time_keys: BTreeMap::from([("signed_curve25519".into(), 49)]),
        unused_fallback_keys: vec!["signed_curve25519".into()],
    };
    let unknown = DeviceKeyCounts { device_id: "NONE".into(), ..told.clone() };
    let _held: i64 = server.call(address(&alice), news(1, false, vec![told, unknown])).unwrap();

    let some = (json!({"signed_curve25519": 49}), json!(["signed_curve25519"]));
    assert!(poll.is_finished() && !other.is_finished());
    let sync = SyncBody(server.finish(&poll).ok());
    assert_eq!(counts(&sync), some);
    assert_eq!(counts(&phone.sync(Some(&sync.next_batch()))), some, "also when nothing is new");
    assert_eq!(counts(&SyncBody(server.finish(&other).ok())), none);
    assert!(sync.0["device_lists"].is_null());
    // A device that was deleted leaves no count.
    phone.post(["logout"], &json!({})).ok();
    assert_eq!(counts(&server.login("alice", Some("PHONE")).sync(None)), none);
}

/// What a client of the observer's knows, kept up by `/sync` alone, against who shares what.
struct Model {
    /// Rooms → who is in them.
    rooms: BTreeMap<String, BTreeSet<String>>,
    /// The rooms through which nothing is shared.
    portals: BTreeSet<String>,
    observer: String,
    /// The time of each user's newest change of keys.
    keys: BTreeMap<String, u64>,
    /// When a user last was not shared with, and last was.
    apart: BTreeMap<String, u64>,
    together: BTreeMap<String, u64>,
    /// When the observer last joined a room: then people may be told of who were known already.
    joined: u64,
    time: u64,
}

impl Model {
    fn shared(&self) -> BTreeSet<String> {
        let rooms = self.rooms.iter().filter(|(room, _)| !self.portals.contains(*room));
        let shared = rooms.filter(|(_, members)| members.contains(&self.observer));
        shared.flat_map(|(_, members)| members.clone()).filter(|member| *member != self.observer).collect()
    }

    fn step(&mut self, users: &[String]) {
        self.time += 1;
        let shared = self.shared();
        for user in users {
            let log = if shared.contains(user) { &mut self.together } else { &mut self.apart };
            log.insert(user.clone(), self.time);
        }
    }

    fn check(&self, since: u64, sync: &SyncBody, hint: &str) {
        let shared = self.shared();
        let after = |log: &BTreeMap<String, u64>, user: &String| log.get(user).is_some_and(|at| *at > since);
        let at_or_after = |log: &BTreeMap<String, u64>, user: &String| log.get(user).is_some_and(|at| *at >= since);
        let must: BTreeSet<String> =
            shared.iter().filter(|user| after(&self.keys, user) || at_or_after(&self.apart, user)).cloned().collect();
        let may = if self.joined > since { &shared } else { &must };
        let gone: BTreeSet<String> = self
            .together
            .iter()
            .filter(|(user, at)| !shared.contains(*user) && **at >= since && **user != self.observer)
            .map(|(user, _)| user.clone())
            .collect();
        let mut told = changed(sync);
        assert_eq!(told.remove(&self.observer), after(&self.keys, &self.observer), "{hint}: the observer's own keys");
        assert!(told.is_superset(&must), "{hint}: {must:?} changed, told were {told:?}");
        assert!(told.is_subset(may), "{hint}: only {may:?} may be told, told were {told:?}");
        assert_eq!(left(sync), gone, "{hint}");
    }
}

#[test]
fn random_joins_leaves_and_changes_are_told_as_a_simple_model_says() {
    for seed in seeds(6) {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let mut random = StdRng::seed_from_u64(seed);
        let clients = ["alice", "bob", "carol", "dave"].map(|name| server.account(name));
        // Its owner is never asked.
        let owner = server.account("owner");
        let rooms = [owner.public_room(), owner.public_room(), owner.public_room(), portal(&owner)];
        let everyone: Vec<String> = clients.iter().chain([&owner]).map(|client| client.user_id.clone()).collect();
        let mut model = Model {
            rooms: rooms.iter().map(|room| (room.clone(), BTreeSet::from([owner.user_id.clone()]))).collect(),
            portals: BTreeSet::from([rooms[3].clone()]),
            observer: clients[0].user_id.clone(),
            keys: BTreeMap::new(),
            apart: BTreeMap::new(),
            together: BTreeMap::new(),
            joined: 0,
            time: 0,
        };
        model.step(&everyone);
        let mut tokens = vec![(model.time, clients[0].sync(None).next_batch())];
        let mut versions = [0_i64; 4];
        for number in 0..60 {
            let who = random.random_range(0..4);
            let client = &clients[who];
            let room = &rooms[random.random_range(0..4)];
            let inside = model.rooms[room].contains(&client.user_id);
            model.step(&everyone);
            // A join just after a change of keys tells of them once more.
            server.advance(6_000);
            match random.random_range(0..10) {
                0..=2 => {
                    versions[who] += 1;
                    change_keys(client, versions[who]);
                    model.keys.insert(client.user_id.clone(), model.time);
                }
                3..=7 if !inside => {
                    client.join(room);
                    model.rooms.get_mut(room).unwrap().insert(client.user_id.clone());
                    if who == 0 && !model.portals.contains(room) {
                        model.joined = model.time;
                    }
                }
                3..=6 => {
                    client.leave(room);
                    model.rooms.get_mut(room).unwrap().remove(&client.user_id);
                }
                7 => {
                    owner.member(room, "kick", client).ok();
                    model.rooms.get_mut(room).unwrap().remove(&client.user_id);
                }
                _ => server.host().crash_all(),
            }
            model.step(&everyone);
            tokens.push((model.time, clients[0].sync(None).next_batch()));
            for _ in 0..3 {
                let (since, token) = &tokens[random.random_range(0..tokens.len())];
                let hint = format!("seed {seed}, step {number}, since {since} of {}", model.time);
                model.check(*since, &clients[0].sync(Some(token)), &hint);
            }
        }
    }
}

#[test]
fn no_change_is_missed_through_crashes_and_joins_at_the_same_time() {
    let mut interrupted = 0;
    for seed in 0..80 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let mut random = StdRng::seed_from_u64(seed);
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        let rooms = [alice.public_room(), alice.public_room()];
        let mut since = alice.sync(None).next_batch();
        let mut version = 0_i64;
        // The version of bob's keys that alice's client has, and whether it tracks him.
        let mut known = None;
        let poll = |since: &mut String, version: i64, known: &mut Option<i64>| {
            let query = [("since", since.as_str())];
            let reply = alice.query(["sync"], &query);
            if reply.status != 200 {
                return;
            }
            let sync = SyncBody(reply.ok());
            if changed(&sync).contains(&bob.user_id) {
                *known = Some(version);
            }
            if left(&sync).contains(&bob.user_id) {
                *known = None;
            }
            *since = sync.next_batch();
        };
        server.set_settling(false);
        for _ in 0..12 {
            match random.random_range(0..6) {
                0 | 1 => {
                    // The keys object has the new keys before it tells of them, and tells until it is heard.
                    version += 1;
                    for _ in 0..5 {
                        let told: Result<i64, _> = server.call(address(&bob), news(version, true, Vec::new()));
                        if told.is_ok() {
                            break;
                        }
                    }
                }
                2 => {
                    let room = &rooms[random.random_range(0..2)];
                    let _maybe = bob.post(["join", room], &json!({}));
                }
                3 => {
                    let room = &rooms[random.random_range(0..2)];
                    let _maybe = bob.post(["rooms", room, "leave"], &json!({}));
                }
                4 => poll(&mut since, version, &mut known),
                _ => {
                    let room: ruma::OwnedRoomId = rooms[random.random_range(0..2)].parse().unwrap();
                    let victim =
                        [address(&alice), address(&bob), Address::room(&room)][random.random_range(0..3)].clone();
                    server.crash_after(victim, random.random_range(0..30));
                }
            }
        }
        server.settle();
        server.advance(120_000);
        server.set_settling(true);
        poll(&mut since, version, &mut known);
        let members = |room: &String| alice.get(["rooms", room, "joined_members"]).ok();
        let shared = rooms.iter().any(|room| members(room)["joined"][&bob.user_id].is_object());
        assert_eq!(known, shared.then_some(version), "seed {seed}");
        let quiet = alice.sync(Some(&since));
        assert!(changed(&quiet).is_empty() && left(&quiet).is_empty(), "seed {seed}");
        interrupted += server.host().interrupted();
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 10, "the crashes hit nothing: {interrupted}");
}
