//! Who hears of changes of keys: the user's object and D1, also through crashes; and what an object
//! that lost its storage is rebuilt from.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use http::Method;
use hubbub_core::{
    contract::{
        Address, Class, decode_command,
        keys_news::{DeviceKeyCounts, KeysNews},
        user::UserCommand,
    },
    object::Object as _,
    user::UserSyncObject,
};
use hubbub_native::{
    Client, Options, TestServer,
    client::path,
    crypto::{Identity, SigningKey, device_keys},
    host::{Hosted, Shell},
};
use hubbub_storage::native::NativeDatabase;
use serde_json::{Value as Json, json};

type Heard = Rc<RefCell<Vec<(String, KeysNews)>>>;

/// A user's object that notes the news of keys on their way in.
struct Listening {
    name: String,
    object: Rc<Shell<UserSyncObject>>,
    heard: Heard,
}

impl Hosted for Listening {
    fn handle(self: Rc<Self>, command: Vec<u8>) -> LocalBoxFuture<'static, Vec<u8>> {
        if let Ok(UserCommand::KeysNews(news)) = decode_command(&command) {
            self.heard.borrow_mut().push((self.name.clone(), news));
        }
        Rc::clone(&self.object).handle(command)
    }

    fn work(self: Rc<Self>) -> LocalBoxFuture<'static, Option<i64>> {
        Rc::clone(&self.object).work()
    }
}

fn listening(seed: u64) -> (TestServer, Heard) {
    let heard = Heard::default();
    let ears = Rc::clone(&heard);
    let factory = Box::new(move |name: &str, database, context| {
        let object = Rc::new(Shell(UserSyncObject::open(name, database, context)?));
        Ok(Rc::new(Listening { name: name.to_owned(), object, heard: Rc::clone(&ears) }) as Rc<dyn Hosted>)
    });
    let options = Options { seed, factories: vec![(Class::User, factory)], ..Options::default() };
    (TestServer::with(options), heard)
}

fn keys_of(client: &Client) -> Address {
    Address::new(Class::UserKeys, client.user_id.clone())
}

fn keys(numbers: impl IntoIterator<Item = usize>) -> Json {
    let one = |number| (format!("signed_curve25519:{number:04}"), json!({"key": format!("key {number}")}));
    Json::Object(numbers.into_iter().map(one).collect())
}

fn own_device_keys(client: &Client) -> Json {
    device_keys(&client.user_id, &client.device_id, &SigningKey::new(Some(&client.device_id)))
}

fn claim_body(of: &Client) -> Json {
    json!({"one_time_keys": {&of.user_id: {&of.device_id: "signed_curve25519"}}})
}

fn query(client: &Client, of: &Client) -> Json {
    client.post(["keys", "query"], &json!({"device_keys": {&of.user_id: []}})).ok()
}

fn counts(device_id: &str, one_time: u64, fallback: &[&str]) -> DeviceKeyCounts {
    DeviceKeyCounts {
        device_id: device_id.into(),
        one_time_keys: BTreeMap::from([("signed_curve25519".into(), one_time)]),
        unused_fallback_keys: fallback.iter().map(|algorithm| (*algorithm).into()).collect(),
    }
}

/// What D1 has of device keys and of cross-signing keys, each in order.
fn mirrored(server: &TestServer) -> (Vec<String>, Vec<String>) {
    let directory = Rc::clone(&server.context().directory);
    server.run(async move {
        let mut found = Vec::new();
        for sql in
            ["SELECT keys FROM device_keys ORDER BY device_id", "SELECT key FROM cross_signing_keys ORDER BY usage"]
        {
            let rows = hubbub_storage::directory::run(&*directory, sql, vec![]).await.expect("D1 answers");
            found.push(rows.iter().map(|row| row.text(0).expect("text")).collect());
        }
        let cross_signing = found.pop().expect("two");
        (found.pop().expect("two"), cross_signing)
    })
}

#[test]
fn an_upload_is_told_before_it_is_answered_and_a_claim_soon_after() {
    let (server, heard) = listening(1);
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    server.set_settling(false);
    let body = json!({
        "device_keys": own_device_keys(&alice), "one_time_keys": keys(0..3), "fallback_keys": keys([9]),
    });
    alice.post(["keys", "upload"], &body).ok();

    let news = heard.take();
    let [(name, news)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!((name, news.list_changed), (&alice.user_id, true));
    assert_eq!(news.counts, [counts(&alice.device_id, 3, &["signed_curve25519"])]);
    alice.post(["keys", "upload"], &body).ok();
    server.settle();
    assert!(heard.borrow().is_empty(), "nothing changed");

    for left in [2, 1, 0] {
        bob.post(["keys", "claim"], &claim_body(&alice)).ok();
        server.settle();
        let (_, told) = heard.take().pop().expect("news");
        assert_eq!(told.counts, [counts(&alice.device_id, left, &["signed_curve25519"])]);
        assert!(!told.list_changed && told.version > news.version);
    }
    bob.post(["keys", "claim"], &claim_body(&alice)).ok();
    server.settle();
    assert_eq!(heard.take().pop().expect("news").1.counts, [counts(&alice.device_id, 0, &[])]);
    bob.post(["keys", "claim"], &claim_body(&alice)).ok();
    server.settle();
    assert!(heard.borrow().is_empty(), "a used fallback key stays used");
}

#[test]
fn everything_that_others_see_counts_as_a_change_of_the_list() {
    let (server, heard) = listening(1);
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let (of_alice, of_bob) = (Identity::new(&alice.user_id), Identity::new(&bob.user_id));
    bob.post(["keys", "device_signing", "upload"], &of_bob.body()).ok();
    let device_keys = own_device_keys(&alice);
    let mut signed = device_keys.clone();
    of_alice.self_signing.sign(&alice.user_id, &mut signed);
    let mut verified = of_bob.master_key();
    of_alice.user_signing.sign(&alice.user_id, &mut verified);
    let phone = server.login("alice", Some("PHONE"));
    phone.post(["keys", "upload"], &json!({"device_keys": own_device_keys(&phone)})).ok();
    heard.take();
    let signatures = ["keys", "signatures", "upload"];
    let (device, master) = (alice.device_id.as_str(), of_bob.master.public());
    let steps: [(&str, &str, &dyn Fn() -> Json); 6] = [
        ("device keys", "@alice", &|| alice.post(["keys", "upload"], &json!({"device_keys": device_keys})).ok()),
        ("a name", "@alice", &|| alice.put(["devices", device], &json!({"display_name": "Kitchen"})).ok()),
        ("identity", "@alice", &|| alice.post(["keys", "device_signing", "upload"], &of_alice.body()).ok()),
        ("own signature", "@alice", &|| alice.post(signatures, &json!({&alice.user_id: {device: signed}})).ok()),
        ("signature", "@bob", &|| alice.post(signatures, &json!({&bob.user_id: {&master: verified}})).ok()),
        ("logout", "@alice", &|| phone.post(["logout"], &json!({})).ok()),
    ];
    for (what, whose, step) in steps {
        step();
        let news = heard.take();
        let [(name, news)] = news.as_slice() else { panic!("{what}: {news:?}") };
        assert!(news.list_changed && name.starts_with(whose), "{what}: {name} {news:?}");
    }
}

#[test]
fn while_the_users_object_or_d1_is_out_of_reach_news_wait_and_are_told_once_it_is_back() {
    let (server, heard) = listening(1);
    let alice = server.account("alice");
    server.directory().refuse.set(true);
    alice.post(["keys", "device_signing", "upload"], &Identity::new(&alice.user_id).body()).refused(500, "M_UNKNOWN");
    server.directory().refuse.set(false);
    alice.post(["keys", "upload"], &json!({"device_keys": own_device_keys(&alice)})).ok();
    server.directory().refuse.set(true);
    alice.post(["keys", "device_signing", "upload"], &Identity::new(&alice.user_id).body()).ok();
    heard.take();

    server.directory().refuse.set(false);
    assert_eq!(mirrored_len(&server), (1, 0));
    server.advance(10_000);

    assert_eq!(mirrored_len(&server), (1, 3));
    server.advance(86_400_000);
    assert!(heard.borrow().is_empty());
    assert_eq!(hubbub_native::scheduler::Alarms::next(&**server.host()), None, "no alarm is armed");
}

fn mirrored_len(server: &TestServer) -> (usize, usize) {
    let (devices, cross_signing) = mirrored(server);
    (devices.len(), cross_signing.len())
}

#[test]
fn an_object_that_lost_its_storage_takes_identity_keys_and_signatures_from_d1_and_tells_the_counts_anew() {
    let (server, heard) = listening(1);
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let (of_alice, of_bob) = (Identity::new(&alice.user_id), Identity::new(&bob.user_id));
    let device_keys = own_device_keys(&alice);
    let mut signed = device_keys.clone();
    of_alice.self_signing.sign(&alice.user_id, &mut signed);
    let mut verified = of_alice.master_key();
    of_bob.user_signing.sign(&bob.user_id, &mut verified);
    for (client, identity) in [(&alice, &of_alice), (&bob, &of_bob)] {
        client.post(["keys", "device_signing", "upload"], &identity.body()).ok();
    }
    let body = json!({"device_keys": device_keys, "one_time_keys": keys(0..3)});
    alice.post(["keys", "upload"], &body).ok();
    alice.put(["devices", &alice.device_id], &json!({"display_name": "Kitchen"})).ok();
    alice.post(["keys", "signatures", "upload"], &json!({&alice.user_id: {&alice.device_id: signed}})).ok();
    let signatures = json!({&alice.user_id: {&of_alice.master.public(): verified}});
    bob.post(["keys", "signatures", "upload"], &signatures).ok();
    server.advance(60_000);
    let (own, others) = (query(&alice, &alice), query(&bob, &alice));
    assert!(others["master_keys"][&alice.user_id]["signatures"][&bob.user_id].is_object());
    let told = heard.take().into_iter().filter(|(name, _)| *name == alice.user_id).map(|(_, news)| news.version).max();

    server.host().crash(&keys_of(&alice));
    server.host().keep(keys_of(&alice), NativeDatabase::in_memory().expect("SQLite opens"));

    assert_eq!(query(&alice, &alice), own);
    assert_eq!(query(&bob, &alice), others);
    assert_eq!(bob.post(["keys", "claim"], &claim_body(&alice)).ok()["one_time_keys"], json!({}));
    let news = heard.take();
    let (_, last) = news.last().expect("news");
    assert!(Some(last.version) > told && last.list_changed, "{news:?} after {told:?}");
    assert_eq!(last.counts, [counts(&alice.device_id, 0, &[])]);
    assert_eq!(mirrored_len(&server), (1, 6));
}

#[test]
fn claims_and_uploads_through_crashes_give_no_key_twice_and_everybody_hears_in_the_end() {
    let mut interrupted = 0;
    for seed in 0..60_u64 {
        let (server, heard) = listening(seed);
        let (alice, bob) = (server.register("alice"), server.account("bob"));
        let upload = json!({"device_keys": own_device_keys(&alice), "one_time_keys": keys(0..8)});
        alice.post(["keys", "upload"], &upload).ok();
        server.set_settling(false);
        let mut given = BTreeSet::new();
        for number in 0..8 {
            let requests = [
                bob.request(Method::POST, &path(["keys", "claim"]), Some(&claim_body(&alice))),
                alice.request(Method::POST, &path(["keys", "upload"]), Some(&upload)),
            ];
            let started: Vec<_> = requests.into_iter().map(|request| server.start(request)).collect();
            let victim = [keys_of(&alice), Address::new(Class::User, alice.user_id.clone())]
                [usize::try_from((seed + number) % 2).expect("small")]
            .clone();
            server.crash_after(victim, (seed * 7 + number * 5) % 29);
            let claimed = server.finish(&started[0]).ok();
            for (id, _) in claimed["one_time_keys"][&alice.user_id][&alice.device_id].as_object().into_iter().flatten()
            {
                assert!(given.insert(id.clone()), "seed {seed}: {id} was given twice");
            }
            server.finish(&started[1]);
        }
        server.settle();
        server.advance(60_000);
        server.set_settling(true);

        let left = alice.post(["keys", "upload"], &upload).ok()["one_time_key_counts"]["signed_curve25519"].clone();
        assert!(left.as_u64() <= Some(8 - given.len() as u64), "seed {seed}: {left} left after {given:?}");
        let (_, last) = heard.borrow().last().cloned().expect("news");
        assert_eq!(json!(last.counts[0].one_time_keys)["signed_curve25519"], left, "seed {seed}");
        assert_eq!(mirrored_len(&server), (1, 0), "seed {seed}");
        interrupted += server.host().interrupted();
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 30, "the crashes hit nothing: {interrupted}");
}

#[test]
fn a_device_deleted_through_crashes_leaves_no_keys_and_its_successor_keeps_its_own() {
    let mut interrupted = 0;
    for seed in 0..120_u64 {
        let (server, _) = listening(seed);
        let (alice, bob) = (server.register("alice"), server.account("bob"));
        let old = server.login("alice", Some("D"));
        let body = json!({"device_keys": own_device_keys(&old), "one_time_keys": keys(0..2)});
        old.post(["keys", "upload"], &body).ok();
        server.set_settling(false);
        let racing = server.start(old.request(Method::POST, &path(["keys", "upload"]), Some(&body)));
        let logout = server.start(old.request(Method::POST, &path(["logout"]), Some(&json!({}))));
        let user = Address::new(Class::User, alice.user_id.clone());
        server.crash_after(if seed % 2 == 0 { user } else { keys_of(&alice) }, seed % 31);
        server.finish(&racing);
        server.finish(&logout);
        let ended = old.get(["account", "whoami"]).status == 401;
        interrupted += server.host().interrupted();
        if !ended {
            continue;
        }
        let successor = (seed % 3 == 0).then(|| {
            // The crash may come only now.
            server.settle();
            let new = server.login("alice", Some("D"));
            let keys = json!({"device_keys": own_device_keys(&new), "one_time_keys": keys([7])});
            let stored = (0..3).any(|_| new.post(["keys", "upload"], &keys).status == 200);
            assert!(stored, "seed {seed}");
            keys["device_keys"]["keys"].clone()
        });
        server.settle();
        server.advance(60_000);
        server.set_settling(true);

        let shown = query(&bob, &old)["device_keys"][&old.user_id].clone();
        let claimed = bob.post(["keys", "claim"], &claim_body(&old)).ok()["one_time_keys"].clone();
        match successor {
            None => assert_eq!((shown, claimed), (json!({}), json!({})), "seed {seed}"),
            Some(keys_of_successor) => {
                assert_eq!(shown["D"]["keys"], keys_of_successor, "seed {seed}");
                assert_eq!(claimed[&old.user_id]["D"], keys([7]), "seed {seed}");
            }
        }
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 15, "the crashes hit nothing: {interrupted}");
}
