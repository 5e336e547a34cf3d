//! Everything about encryption at once while objects die: no key is given twice, no message is lost or
//! doubled once it was acknowledged, no change of keys is missed.
//!
//! The seed of a run is printed; `HUBBUB_SEED` repeats one, `HUBBUB_SEEDS` tries so many.

use std::collections::BTreeSet;

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, Options, Reply, SyncBody, TestServer,
    client::path,
    crypto::{SigningKey, device_keys},
    scheduler::Started,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value as Json, json};

const CLAIMS: usize = 200;
const MESSAGES: usize = 200;
const CHANGES: usize = 30;
/// How many requests are under way together.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy)]
enum Deed {
    Claim,
    Send(usize),
    Change,
}

/// A run: alice's keys are claimed and changed, bob gets messages and follows alice's keys.
struct Run {
    server: TestServer,
    alice: Client,
    bob: Client,
    carol: Client,
    room: String,
    /// Bob's token.
    since: String,
    /// How many changes of alice's keys were acknowledged, and after how many of them bob heard of one.
    changes: usize,
    heard: usize,
    /// The keys that alice uploaded last.
    published: Json,
    /// The keys that were given.
    given: BTreeSet<String>,
    /// The numbers of bob's messages, as they came.
    arrived: Vec<u64>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
        let room = alice.public_room();
        bob.join(&room);
        let keys = (0..CLAIMS).map(|number| (format!("signed_curve25519:{number:04}"), json!({"key": number})));
        for some in keys.collect::<Vec<_>>().chunks(50) {
            let some: serde_json::Map<String, Json> = some.iter().cloned().collect();
            alice.post(["keys", "upload"], &json!({"one_time_keys": some})).ok();
        }
        server.advance(60_000);
        let since = bob.sync(None).next_batch();
        let (given, arrived) = (BTreeSet::new(), Vec::new());
        Self { server, alice, bob, carol, room, since, changes: 0, heard: 0, published: Json::Null, given, arrived }
    }

    /// The keys of a device that was set up anew.
    fn new_keys(&self) -> Json {
        device_keys(&self.alice.user_id, &self.alice.device_id, &SigningKey::new(Some(&self.alice.device_id)))
    }

    fn start(&self, deed: Deed, keys: &Json) -> Started<Reply> {
        let (client, method, uri, body) = match deed {
            Deed::Claim => {
                let wanted = json!({&self.alice.user_id: {&self.alice.device_id: "signed_curve25519"}});
                (&self.carol, Method::POST, path(["keys", "claim"]), json!({"one_time_keys": wanted}))
            }
            Deed::Send(number) => {
                let messages = json!({&self.bob.user_id: {&self.bob.device_id: {"n": number}}});
                let uri = path(["sendToDevice", "m.test", &format!("t{number}")]);
                (&self.carol, Method::PUT, uri, json!({"messages": messages}))
            }
            Deed::Change => (&self.alice, Method::POST, path(["keys", "upload"]), json!({"device_keys": keys})),
        };
        self.server.start(client.request(method, &uri, Some(&body)))
    }

    /// Finishes a request. What may be repeated is, until it is acknowledged: a claim is a client's to repeat
    /// or not.
    fn finish(&mut self, deed: Deed, keys: &Json, started: &Started<Reply>) {
        let mut reply = self.server.finish(started);
        for _ in 0..10 {
            if reply.status == 200 || matches!(deed, Deed::Claim) {
                break;
            }
            assert_eq!(reply.status, 500, "{}", reply.text());
            reply = self.server.finish(&self.start(deed, keys));
        }
        match deed {
            Deed::Claim if reply.status == 200 => {
                let keys = reply.ok()["one_time_keys"][&self.alice.user_id][&self.alice.device_id].clone();
                for id in keys.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    assert!(self.given.insert(id.clone()), "{id} was given twice");
                }
            }
            Deed::Claim => assert_eq!(reply.status, 500, "{}", reply.text()),
            Deed::Send(_) => drop(reply.ok()),
            Deed::Change => {
                reply.ok();
                self.changes += 1;
                self.published = keys.clone();
            }
        }
    }

    /// Kills one of the objects a little later.
    fn kill(&self, random: &mut StdRng) {
        let room: ruma::OwnedRoomId = self.room.parse().expect("a room id");
        let of = |class, client: &Client| Address::new(class, client.user_id.clone());
        let victims = [
            of(Class::User, &self.alice),
            of(Class::UserKeys, &self.alice),
            of(Class::User, &self.bob),
            of(Class::User, &self.carol),
            Address::room(&room),
        ];
        let victim = victims[random.random_range(0..victims.len())].clone();
        self.server.crash_after(victim, random.random_range(0..40));
    }

    /// Bob syncs. An answer that is lost leaves his token where it was.
    fn follow(&mut self) {
        let reply = self.bob.query(["sync"], &[("since", self.since.as_str())]);
        if reply.status != 200 {
            return;
        }
        let sync = SyncBody(reply.ok());
        let changed = sync.0["device_lists"]["changed"].as_array().cloned().unwrap_or_default();
        if changed.iter().any(|user| *user == self.alice.user_id.as_str()) {
            self.heard = self.changes;
        }
        let events = sync.0["to_device"]["events"].as_array().cloned().unwrap_or_default();
        self.arrived.extend(events.iter().map(|event| event["content"]["n"].as_u64().expect("a number")));
        self.since = sync.next_batch();
    }

    fn judge(&mut self) {
        assert_eq!(self.heard, self.changes, "a change of keys was missed");
        let answer = self.bob.post(["keys", "query"], &json!({"device_keys": {&self.alice.user_id: []}})).ok();
        let shown = &answer["device_keys"][&self.alice.user_id][&self.alice.device_id];
        assert_eq!(shown["keys"], self.published["keys"], "not the keys that were acknowledged last");
        self.arrived.sort_unstable();
        let all: Vec<u64> = (0..MESSAGES).map(|number| u64::try_from(number).expect("a small number")).collect();
        assert_eq!(self.arrived, all, "messages were lost or doubled");
        let quiet = self.bob.sync(Some(&self.since));
        assert!(quiet.0["to_device"]["events"].as_array().is_none_or(Vec::is_empty));
    }
}

fn run(seed: u64) -> u32 {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut run = Run::new(seed);
    let mut deeds: Vec<Deed> = (0..CLAIMS).map(|_| Deed::Claim).collect();
    deeds.extend((0..MESSAGES).map(Deed::Send));
    deeds.extend((0..CHANGES).map(|_| Deed::Change));
    deeds.shuffle(&mut random);
    run.server.set_settling(false);
    for some in deeds.chunks(AT_ONCE) {
        // Two changes of one device at once have no order.
        let keys = run.new_keys();
        let mut changed = false;
        let mut later = Vec::new();
        let mut started = Vec::new();
        for deed in some {
            if matches!(deed, Deed::Change) && std::mem::replace(&mut changed, true) {
                later.push(*deed);
            } else {
                started.push((*deed, run.start(*deed, &keys)));
            }
        }
        for _ in 0..random.random_range(0..3) {
            run.kill(&mut random);
        }
        for (deed, started) in &started {
            run.finish(*deed, &keys, started);
        }
        for deed in later {
            let keys = run.new_keys();
            let started = run.start(deed, &keys);
            run.finish(deed, &keys, &started);
        }
        if random.random_bool(0.5) {
            run.follow();
        }
    }
    run.server.settle();
    run.server.advance(120_000);
    run.server.set_settling(true);
    for _ in 0..4 {
        run.follow();
    }
    run.judge();
    run.server.host().interrupted()
}

#[test]
fn claims_messages_and_changes_of_keys_survive_objects_that_die() {
    let number = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
    let seeds = match number("HUBBUB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HUBBUB_SEEDS").unwrap_or(4),
    };
    let interrupted: u32 = seeds.map(run).sum();
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 10, "the kills hit nothing: {interrupted}");
}
