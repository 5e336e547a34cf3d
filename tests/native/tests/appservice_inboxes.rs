//! An appservice's own users have an inbox from their first `/sync` on, and cost nothing before.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, Options, Reply, SyncBody, TestServer,
    bridge::{self, TOKEN},
    client::{path, with_query},
    scheduler::{Started, yield_now},
};
use hubbub_storage::database::Query as _;
use serde_json::{Value as Json, json};

struct Scene {
    server: TestServer,
    alice: Client,
    bot: Client,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let server = TestServer::with(Options { seed, ..Options::default() });
        server.http().answer_by(|_| Ok(http::Response::new(b"{}".to_vec())));
        server.register_appservice(bridge::REGISTRATION).ok();
        let bot = server.appservice_user(TOKEN, "@bridgebot:hub.example");
        Self { alice: server.account("alice"), bot, server }
    }

    fn ghost(&self, localpart: &str) -> Client {
        let body = json!({"type": "m.login.application_service", "username": localpart});
        let made = self.server.send(Method::POST, "/_matrix/client/v3/register", Some(TOKEN), Some(&body)).ok();
        self.server.appservice_user(TOKEN, made["user_id"].as_str().unwrap())
    }

    /// The users to whom a room delivers.
    fn followers(&self, room: &str) -> Vec<String> {
        let database = self.server.host().database(&Address::new(Class::Room, room)).unwrap();
        let rows = database.query("SELECT id FROM followers WHERE kind = 'user' ORDER BY id", &[]).unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }

    fn start(&self, client: &Client, method: Method, segments: &[&str], body: &Json) -> Started<Reply> {
        self.server.start(client.request(method, &path(segments.iter().copied()), Some(body)))
    }

    fn start_sync(&self, client: &Client, since: Option<&str>) -> Started<Reply> {
        let query: Vec<_> = since.map(|since| ("since", since)).into_iter().collect();
        self.server.start(client.request(Method::GET, &with_query(path(["sync"]), &query), None))
    }

    /// Crashes an object after some steps of whatever runs.
    fn crash_after(&self, steps: u64, victim: Address) {
        let server = self.server.clone();
        self.server.scheduler().spawn(None, async move {
            for _ in 0..steps {
                yield_now().await;
            }
            server.crash(&victim);
        });
    }
}

#[test]
fn a_bot_that_syncs_sees_invites_joins_messages_and_its_own_echo() {
    let scene = Scene::new(1);
    let (alice, bot) = (&scene.alice, &scene.bot);
    let since = bot.sync(None).next_batch();

    let room = alice.create_room(&json!({"name": "Lobby"}));
    alice.member(&room, "invite", bot).ok();
    let invited = bot.sync(Some(&since));
    assert!(invited.invite_state(&room).iter().any(|event| event["content"]["name"] == "Lobby"), "{:#}", invited.0);

    bot.join(&room);
    let joined = bot.sync(Some(&invited.next_batch()));
    assert_eq!(joined.membership(&room, &bot.user_id).as_deref(), Some("join"));
    alice.send_text(&room, "hello bot");
    let sent = bot.send_with(&room, "own-transaction", "hello human").ok();
    let sync = bot.sync(Some(&joined.next_batch()));
    assert_eq!(sync.bodies(&room), ["hello bot", "hello human"]);
    let echo = sync.timeline(&room).pop().unwrap();
    assert_eq!(
        (&echo["event_id"], &echo["unsigned"]["transaction_id"]),
        (&sent["event_id"], &json!("own-transaction"))
    );

    let poll = bot.start_sync(&sync.next_batch());
    let began = scene.server.now();
    alice.send_text(&room, "wake up");
    assert_eq!(SyncBody(scene.server.finish(&poll).ok()).bodies(&room), ["wake up"]);
    assert_eq!(scene.server.now(), began, "it was woken");
}

#[test]
fn the_first_sync_has_the_rooms_that_the_user_is_in_with_their_past_and_its_invites() {
    let scene = Scene::new(1);
    let alice = &scene.alice;
    let ghost = scene.ghost("_bridge_one");
    let room = alice.public_room();
    alice.send_text(&room, "before the join");
    ghost.join(&room);
    for number in 0..120 {
        ghost.send_text(&room, &format!("number {number}"));
    }
    let (inviting, left) = (alice.create_room(&json!({"name": "Private"})), alice.public_room());
    alice.member(&inviting, "invite", &ghost).ok();
    ghost.join(&left);
    ghost.leave(&left);
    scene.server.advance(10_000);

    let first = ghost.sync(None);

    assert_eq!(first.membership(&room, &ghost.user_id).as_deref(), Some("join"));
    assert_eq!(first.bodies(&room).last().map(String::as_str), Some("number 119"));
    assert!(first.invite_state(&inviting).iter().any(|event| event["content"]["name"] == "Private"));
    assert!(!first.mentions(&left));
    alice.send_text(&room, "after it");
    let second = ghost.sync(Some(&first.next_batch()));
    assert_eq!(second.bodies(&room), ["after it"]);
    alice.member(&room, "kick", &ghost).ok();
    let third = ghost.sync(Some(&second.next_batch()));
    assert_eq!(third.membership(&room, &ghost.user_id).as_deref(), Some("leave"));
}

#[test]
fn a_session_of_a_ghost_has_the_same_inbox() {
    let scene = Scene::new(1);
    let ghost = scene.ghost("_bridge_one");
    let room = scene.alice.public_room();
    ghost.join(&room);
    let body = json!({
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_bridge_one"},
    });
    let login = scene.server.send(Method::POST, "/_matrix/client/v3/login", Some(TOKEN), Some(&body)).ok();
    let token = login["access_token"].as_str().unwrap();
    let get =
        |what: &str| scene.server.send(Method::GET, &format!("/_matrix/client/v3/{what}"), Some(token), None).ok();

    assert_eq!(get("joined_rooms")["joined_rooms"], json!([room]), "also before the first sync");
    assert!(scene.followers(&room).iter().all(|user| *user != ghost.user_id));
    assert!(SyncBody(get("sync")).mentions(&room));
    assert_eq!(get("joined_rooms")["joined_rooms"], json!([room]));
}

#[test]
fn a_ghost_that_never_syncs_is_never_delivered_to() {
    let scene = Scene::new(1);
    let (alice, bot) = (&scene.alice, &scene.bot);
    let ghost = scene.ghost("_bridge_one");
    let address = Address::new(Class::User, ghost.user_id.clone());
    let commits = scene.server.host().commits(&address);
    let room = alice.create_room(&json!({"invite": [bot.user_id, ghost.user_id]}));
    bot.join(&room);
    ghost.join(&room);
    alice.send_text(&room, "hello");
    ghost.send_text(&room, "hello");
    scene.server.advance(60_000);

    assert_eq!(scene.followers(&room), [alice.user_id.as_str()]);
    assert_eq!(scene.server.host().commits(&address), commits);
    // Another's sync changes nothing about that.
    bot.sync(None);
    ghost.send_text(&room, "again");
    assert_eq!(scene.followers(&room), [alice.user_id.as_str(), bot.user_id.as_str()]);
}

#[test]
fn a_human_whose_name_an_appservice_took_keeps_getting_everything() {
    let server = TestServer::new();
    let (alice, human) = (server.account("alice"), server.account("_bridge_human"));
    server.register_appservice(bridge::REGISTRATION).ok();

    let room = alice.create_room(&json!({"invite": [human.user_id]}));

    assert!(!human.sync(None).invite_state(&room).is_empty());
}

#[test]
fn an_invite_or_join_at_the_moment_of_the_first_sync_is_never_lost() {
    for seed in 0..150 {
        let scene = Scene::new(seed);
        let (alice, ghost) = (&scene.alice, scene.ghost("_bridge_one"));
        let (room, public) = (alice.create_room(&json!({})), alice.public_room());
        scene.server.advance(20_000);
        scene.server.set_settling(false);

        let first = scene.start_sync(&ghost, None);
        let invite = scene.start(alice, Method::POST, &["rooms", &room, "invite"], &json!({"user_id": ghost.user_id}));
        let join = scene.start(&ghost, Method::POST, &["join", &public], &json!({}));
        let first = SyncBody(scene.server.finish(&first).ok());
        scene.server.finish(&invite).ok();
        scene.server.finish(&join).ok();
        alice.send_text(&public, "after the join");
        scene.server.advance(10_000);
        scene.server.settle();

        let then = ghost.sync(Some(&first.next_batch()));
        assert!(first.mentions(&room) || !then.invite_state(&room).is_empty(), "seed {seed}: {:#}", then.0);
        assert_eq!(ghost.sync(None).bodies(&public), ["after the join"], "seed {seed}");
        assert_eq!(ghost.sync(None).membership(&public, &ghost.user_id).as_deref(), Some("join"), "seed {seed}");
    }
}

#[test]
fn a_first_sync_that_dies_is_finished_by_the_alarm() {
    for seed in 0..60 {
        let scene = Scene::new(seed);
        let (alice, ghost) = (&scene.alice, scene.ghost("_bridge_one"));
        let rooms: Vec<String> = (0..4).map(|_| alice.public_room()).collect();
        for room in &rooms {
            ghost.join(room);
        }
        scene.server.set_settling(false);
        let sync = scene.start_sync(&ghost, None);
        scene.crash_after(seed, Address::new(Class::User, ghost.user_id.clone()));
        scene.crash_after(seed / 2 + 3, Address::new(Class::Room, rooms[0].clone()));
        let reply = scene.server.finish(&sync);
        assert!(reply.status == 200 || reply.status == 500, "{}", reply.text());
        scene.server.advance(30_000);
        scene.server.settle();
        scene.server.set_settling(true);

        // A kill before the intent was stored is no sync: a client asks again.
        let sync = ghost.sync(None);
        for room in &rooms {
            assert_eq!(sync.membership(room, &ghost.user_id).as_deref(), Some("join"), "seed {seed}");
            assert!(scene.followers(room).contains(&ghost.user_id), "seed {seed}");
        }
    }
}

#[test]
fn a_rebuilt_room_delivers_to_those_who_synced_and_to_no_other_ghost() {
    let scene = Scene::new(1);
    let alice = &scene.alice;
    let (one, two) = (scene.ghost("_bridge_one"), scene.ghost("_bridge_two"));
    let room = alice.public_room();
    one.join(&room);
    two.join(&room);
    let invited = scene.ghost("_bridge_three");
    let since = one.sync(None).next_batch();
    invited.sync(None);
    alice.send_text(&room, "before");
    alice.member(&room, "invite", &invited).ok();
    let invited_since = invited.sync(None).next_batch();
    scene.server.advance(10_000);

    scene.server.crash(&Address::new(Class::Room, room.clone()));
    scene.server.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();
    alice.send_text(&room, "after");

    assert_eq!(one.sync(Some(&since)).bodies(&room), ["before", "after"]);
    invited.join(&room);
    alice.send_text(&room, "to all");
    assert_eq!(invited.sync(Some(&invited_since)).bodies(&room).last().map(String::as_str), Some("to all"));
    assert!(!scene.followers(&room).contains(&two.user_id));
}

#[test]
fn a_message_in_a_room_of_ghosts_asks_nobody_who_has_an_inbox() {
    let scene = Scene::new(1);
    let ghost = scene.ghost("_bridge_one");
    let room = scene.alice.public_room();
    ghost.join(&room);
    scene.server.advance(20_000);
    let statements = || scene.server.directory().database().counts().statements;

    let before = statements();
    ghost.send_text(&room, "bridged");
    assert_eq!(statements(), before, "a send reads nothing in D1");
    scene.server.advance(20_000);
    assert_eq!(statements() - before, 1, "only the event is written there");
}
