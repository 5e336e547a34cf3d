//! The connection: what it survives, and what it never does.

use serde_json::{Value as Json, json};

use hubbub_bridge::contract::{Finished, GatewayCommand, LoginCommand, Secret};

use crate::{
    discord::{ANNA, BOT, GENERAL, GUILD, TOKEN},
    guilds::{ALICE, ATTIC},
    world::World,
};

fn tells_owner(world: &World, word: &str) -> usize {
    let sync = world.alice.sync(None);
    let rooms = sync.0["rooms"]["join"].as_object().cloned().unwrap_or_default();
    let invites = sync.0["rooms"]["invite"].as_object().cloned().unwrap_or_default();
    rooms.keys().chain(invites.keys()).flat_map(|room| world.bodies(room)).filter(|body| body.contains(word)).count()
}

#[test]
fn a_login_that_connects_is_online_and_beats() {
    let world = World::connected(40);
    assert!(world.line.is_online());
    assert_eq!((world.line.count(2), world.line.count(6)), (1, 0));
    assert_eq!(*world.line.called.borrow(), ["wss://discord.example/?v=10&encoding=json"]);
    world.server.advance(300_000);
    assert!(world.line.count(1) >= 7, "{}", world.line.count(1));
    assert!(world.line.is_online());
    assert_eq!(world.line.count(2), 1);
}

#[test]
fn a_heartbeat_that_nobody_answers_ends_the_socket_and_keeps_the_session() {
    let world = World::connected(41);
    world.line.mute.set(true);
    world.server.advance(90_000);
    world.line.mute.set(false);
    world.server.advance(60_000);
    assert_eq!(world.line.closed_with.get(), 4000);
    assert_eq!((world.identifies(), world.line.count(6)), (1, 1));
    assert_eq!(world.line.called.borrow()[1], "wss://discord.example/resume/?v=10&encoding=json");
    assert!(world.line.is_online());
}

#[test]
fn what_discord_asks_for_is_done() {
    let world = World::connected(42);
    let room = world.bridge(GENERAL);
    // Go away and resume.
    world.line.say(7, Json::Null);
    world.server.settle();
    assert_eq!((world.identifies(), world.line.count(6)), (1, 1));
    // The session is gone: a new one, with what was said in between.
    world.line.forgotten.set(true);
    world.line.say(9, json!(false));
    world.discord.says(ANNA, "anna", "while nobody listened");
    world.server.advance(60_000);
    assert_eq!(world.identifies(), 2);
    assert!(world.line.is_online());
    assert_eq!(world.bodies(&room), ["while nobody listened"], "a new session has the channels read");
    world.line.close(4009);
    world.server.advance(60_000);
    assert_eq!(world.identifies(), 3);
    world.line.close(4000);
    world.server.advance(60_000);
    assert_eq!((world.identifies(), world.line.is_online()), (3, true));
}

#[test]
fn a_login_that_cannot_store_hears_it_again() {
    let world = World::connected(43);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "one");
    world.server.host().set_failing(true);
    world.line.pump();
    world.server.settle();
    assert_eq!(world.line.closed_with.get(), 4000, "it hung up");
    world.server.host().set_failing(false);
    world.discord.says(ANNA, "anna", "two");
    world.server.advance(120_000);
    world.listen();
    assert_eq!(world.bodies(&room), ["one", "two"]);
    assert_eq!(world.identifies(), 1);
}

#[test]
fn objects_that_die_at_any_moment_lose_and_double_nothing() {
    for seed in 50..58 {
        let world = World::connected(seed);
        let room = world.bridge(GENERAL);
        world.server.set_settling(false);
        for number in 0..6_u64 {
            world.discord.says(ANNA, "anna", &format!("{number}"));
            let victim = if number % 2 == 0 { world.gateway_address() } else { world.login_address() };
            world.server.crash_after(victim, (seed + number * 7) % 23);
            world.line.pump();
            world.server.advance(20);
            // Whatever died, its socket with it.
            if number % 2 == 0 {
                world.hang_up();
            }
        }
        world.server.set_settling(true);
        world.listen();
        world.server.advance(120_000);
        world.listen();
        assert_eq!(world.bodies(&room), ["0", "1", "2", "3", "4", "5"], "seed {seed}");
        assert_eq!(world.identifies(), 1, "seed {seed}");
    }
}

#[test]
fn a_bot_that_may_not_read_is_told_of_once_and_goes_on_with_its_next_token() {
    let world = World::connected(44);
    let room = world.bridge(GENERAL);
    world.line.close(4014);
    world.server.advance(600_000);
    assert_eq!(world.status()["state"], "bad_credentials");
    assert_eq!(tells_owner(&world, "Message Content Intent"), 1);
    let called = world.line.called.borrow().len();
    world.server.advance(3_600_000);
    assert_eq!(world.line.called.borrow().len(), called, "nobody calls any more");

    // The same token, with the switch on.
    let finished: Finished = world.ask(LoginCommand::Finish {
        signing_secret: Secret("a".repeat(64)),
        token: Secret(TOKEN.to_owned()),
        link: None,
    });
    assert_eq!(finished.user, BOT);
    world.server.advance(60_000);
    assert!(world.line.is_online());
    assert_eq!(world.identifies(), 2);
    world.discord.says(ANNA, "anna", "again");
    world.listen();
    assert_eq!(world.bodies(&room), ["again"]);
}

#[test]
fn a_used_up_budget_begins_no_session() {
    let world = World::connected(45);
    world.discord.identifies_left.set(5);
    world.line.forgotten.set(true);
    world.line.close(4009);
    world.server.advance(3_000_000);
    assert_eq!(world.identifies(), 1);
    world.discord.identifies_left.set(900);
    world.server.advance(1_000_000);
    assert_eq!(world.identifies(), 2);
}

#[test]
fn who_disconnects_says_goodbye() {
    let world = World::connected(46);
    world.ask::<()>(LoginCommand::Disconnect);
    assert_eq!(world.line.closed_with.get(), 1000);
    let called = world.line.called.borrow().len();
    world.server.advance(3_600_000);
    assert_eq!(world.line.called.borrow().len(), called);
}

#[test]
fn a_connection_of_an_earlier_token_is_not_heard() {
    let world = World::connected(47);
    let command = || LoginCommand::Gateway(GatewayCommand::Save { generation: 0, saved: "{}".to_owned() });
    let refused = world.server.call::<()>(world.login_address(), command());
    assert_eq!(refused.unwrap_err().status, 409);
}

#[test]
fn what_nobody_wants_costs_no_row_and_no_call() {
    let world = World::connected(48);
    world.bridge(GENERAL);
    // The first event of a session says whose it is.
    let other = || json!({ "id": "100000000000000099", "type": 0, "guild_id": GUILD, "name": "other" });
    world.tell("CHANNEL_UPDATE", other());
    // A channel that may be a thread of a bridged one is asked for, once.
    world.tell("MESSAGE_CREATE", json!({ "id": "300000000000000099", "channel_id": other()["id"], "guild_id": GUILD }));
    let commits = world.server.host().commits(&world.login_address());
    let asked = world.discord.asked.borrow().len();
    for number in 0..30 {
        let user = json!({ "id": ANNA });
        world.tell("PRESENCE_UPDATE", json!({ "user": user, "guild_id": GUILD, "status": "online" }));
        world.tell("TYPING_START", json!({ "channel_id": GENERAL, "user_id": ANNA, "timestamp": number }));
        // Of channels, servers and people that are not here, no change is of use.
        world.tell("CHANNEL_UPDATE", other());
        let role = json!({ "id": "5", "name": "role" });
        world.tell("GUILD_ROLE_UPDATE", json!({ "guild_id": ATTIC, "role": role }));
        let stranger = json!({ "id": ALICE, "username": "alice" });
        world.tell("GUILD_MEMBER_UPDATE", json!({ "guild_id": GUILD, "user": stranger, "nick": format!("{number}") }));
        world.tell(
            "MESSAGE_CREATE",
            json!({ "id": format!("3000000000000000{number:02}"), "channel_id": "100000000000000099", "guild_id": GUILD }),
        );
    }
    assert_eq!(world.server.host().commits(&world.login_address()), commits);
    assert_eq!(world.discord.asked.borrow().len(), asked);
}

#[test]
fn an_outage_is_not_called_silence() {
    let world = World::connected(49);
    let room = world.bridge(GENERAL);
    world.server.advance(7_200_000);
    world.hang_up();
    world.discord.says(ANNA, "anna", "missed");
    world.ask::<()>(LoginCommand::Poke);
    world.server.advance(30_000);
    assert_eq!(world.bodies(&room), ["missed"]);
    assert_eq!(tells_owner(&world, "does not tell me"), 0);
    assert_eq!((world.identifies(), world.line.is_online()), (1, true));
}
