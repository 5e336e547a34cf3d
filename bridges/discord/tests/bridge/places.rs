//! Servers, categories, channels' life, people who come and go, and who may do what.

use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, BOT, Fault, GENERAL, GUILD},
    guilds::{ALICE, ATTIC, ATTIC_GENERAL, KEEPERS, MANAGE_MESSAGES, SECRET, SEND, SHEDS, TOOLS, VIEW},
    world::World,
};

fn levels(world: &World, room: &str) -> Json {
    world.state(room, "m.room.power_levels", "")
}

fn notices(world: &World, room: &str) -> usize {
    world.bodies(room).iter().filter(|body| body.contains("nobody can write here")).count()
}

#[test]
fn channels_are_listed_by_server_and_only_those_that_the_bot_may_see() {
    let world = World::connected(50);
    world.bridge(GENERAL);
    let reply = world.manage("list");
    assert_eq!(reply, "Garden:\n\n• #general — bridged\n• #tools\n\nAttic:\n\n• #general");
}

#[test]
fn a_name_that_two_servers_have_has_to_say_which() {
    let world = World::connected(51);
    let refusal = world.try_bridge("#general").unwrap_err();
    assert!(refusal.error.contains("Garden/general, Attic/general"), "{}", refusal.error);
    let attic = world.bridge("attic/#general");
    assert_eq!(world.bridge(ATTIC_GENERAL), attic);
    let garden = world.bridge("Garden/general");
    assert_ne!(garden, attic);
    assert!(world.try_bridge("#secret").is_err() && world.try_bridge(SECRET).is_err());
    assert!(world.manage("unbridge general keep").contains("Several channels"));
    assert!(world.manage("unbridge attic/general keep").contains("not bridged any more"));
}

#[test]
fn servers_and_categories_are_spaces_as_soon_as_a_channel_in_them_is_chosen() {
    let world = World::connected(52);
    // What Discord tells of a server makes nothing.
    let mut server = world.discord.guilds.servers.borrow()[0].clone();
    server["channels"] = Json::from(world.discord.guilds.channels.borrow().clone());
    world.tell("GUILD_CREATE", server);
    assert_eq!(world.joined_rooms(), 0);

    let general = world.bridge(GENERAL);
    let garden = world.space(GUILD);
    assert_eq!(world.state(&garden, "m.room.name", "")["name"], "Garden");
    assert_eq!(world.child(&garden, &general).unwrap()["order"], "00000000");
    assert_eq!(world.joined_rooms(), 2, "a room and its server, no more");

    let tools = world.bridge("#tools");
    let sheds = world.space(SHEDS);
    assert_eq!(world.state(&sheds, "m.room.name", "")["name"], "Sheds");
    assert_eq!(world.child(&garden, &sheds).unwrap()["order"], "01000000");
    assert!(world.child(&sheds, &tools).is_some() && world.child(&garden, &tools).is_none());
    assert_eq!(world.state(&tools, "m.space.parent", &sheds)["canonical"], true);
    let attic = world.bridge(ATTIC_GENERAL);
    assert!(world.child(&world.space(ATTIC), &attic).is_some());
}

#[test]
fn a_channel_that_moves_takes_its_room_along() {
    let world = World::connected(53);
    let tools = world.bridge("#tools");
    let (garden, sheds) = (world.space(GUILD), world.space(SHEDS));
    let moved = world.discord.guilds.change(TOOLS, |channel| {
        channel["parent_id"] = Json::Null;
        channel["position"] = 7.into();
    });
    world.tell("CHANNEL_UPDATE", moved);
    assert_eq!(world.child(&garden, &tools).unwrap()["order"], "00000007");
    assert!(world.child(&sheds, &tools).is_none());
    assert!(world.child(&garden, &sheds).is_none(), "an empty category is not shown");
    assert_eq!(world.state(&tools, "m.space.parent", &garden)["canonical"], true);

    let back = world.discord.guilds.change(TOOLS, |channel| channel["parent_id"] = SHEDS.into());
    world.tell("CHANNEL_UPDATE", back);
    assert!(world.child(&sheds, &tools).is_some() && world.child(&garden, &tools).is_none());
    assert!(world.child(&garden, &sheds).is_some(), "and shown again");
    assert_eq!(world.space(SHEDS), sheds);
}

#[test]
fn names_of_servers_categories_and_channels_follow() {
    let world = World::connected(54);
    let tools = world.bridge("#tools");
    let (garden, sheds) = (world.space(GUILD), world.space(SHEDS));
    let changed = world.discord.guilds.change(TOOLS, |channel| {
        channel["name"] = "machines".into();
        channel["topic"] = "Loud ones".into();
    });
    world.tell("CHANNEL_UPDATE", changed);
    let changed = world.discord.guilds.change(SHEDS, |channel| {
        channel["name"] = "Barns".into();
        channel["position"] = 3.into();
    });
    world.tell("CHANNEL_UPDATE", changed);
    world.tell("GUILD_UPDATE", json!({ "id": GUILD, "name": "Orchard" }));
    assert_eq!(world.state(&tools, "m.room.name", "")["name"], "machines");
    assert_eq!(world.state(&tools, "m.room.topic", "")["topic"], "Loud ones");
    assert_eq!(world.state(&sheds, "m.room.name", "")["name"], "Barns");
    assert_eq!(world.child(&garden, &sheds).unwrap()["order"], "01000003");
    assert_eq!(world.state(&garden, "m.room.name", "")["name"], "Orchard");
    // A name that the owner gave stays.
    world.alice.put(["rooms", &garden, "state", "m.room.name", ""], &json!({ "name": "Mine" })).ok();
    world.tell("GUILD_UPDATE", json!({ "id": GUILD, "name": "Wood" }));
    assert_eq!(world.state(&garden, "m.room.name", "")["name"], "Mine");
}

#[test]
fn a_deleted_channel_leaves_a_room_in_which_nobody_can_write() {
    let world = World::connected(55);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "still here");
    world.listen();
    let gone = world.discord.guilds.channels.borrow_mut().remove(0);
    world.tell("CHANNEL_DELETE", gone.clone());
    world.tell("CHANNEL_DELETE", gone);
    assert_eq!(levels(&world, &room)["events_default"], 96);
    assert_eq!(notices(&world, &room), 1, "it is said once");
    assert!(world.bodies(&room).contains(&"still here".to_owned()));
}

#[test]
fn an_outage_tears_nothing_down_and_being_thrown_out_does() {
    let world = World::connected(56);
    let room = world.bridge(GENERAL);
    world.discord.guilds.lost.borrow_mut().insert(GUILD.to_owned());
    world.tell("GUILD_DELETE", json!({ "id": GUILD, "unavailable": true }));
    assert_eq!((notices(&world, &room), levels(&world, &room)["events_default"].clone()), (0, json!(0)));
    world.discord.guilds.lost.borrow_mut().clear();
    world.tell("GUILD_CREATE", json!({ "id": GUILD, "name": "Garden" }));
    assert_eq!(notices(&world, &room), 0);

    world.discord.guilds.lost.borrow_mut().insert(GUILD.to_owned());
    world.tell("GUILD_DELETE", json!({ "id": GUILD }));
    assert_eq!((notices(&world, &room), levels(&world, &room)["events_default"].clone()), (1, json!(96)));
    world.discord.guilds.lost.borrow_mut().clear();
    world.tell("GUILD_CREATE", json!({ "id": GUILD, "name": "Garden" }));
    assert_eq!(levels(&world, &room)["events_default"], 0);
    world.send(&room, "1", "back");
    assert_eq!(world.discord.said().len(), 1);
}

#[test]
fn a_webhook_that_somebody_removed_is_made_again_once() {
    let world = World::connected(57);
    let room = world.bridge(GENERAL);
    world.send(&room, "1", "one");
    world.discord.webhooks.borrow_mut().clear();
    world.tell("WEBHOOKS_UPDATE", json!({ "guild_id": GUILD, "channel_id": GENERAL }));
    world.send(&room, "2", "two");
    world.send(&room, "3", "three");
    world.server.advance(60_000);
    world.server.advance(60_000);
    let said: Vec<_> = world.discord.said().into_iter().map(|(_, content)| content).collect();
    assert_eq!(said, ["one", "two", "three"]);
    assert_eq!(world.discord.webhooks.borrow().len(), 1);
}

#[test]
fn a_missing_permission_is_named_in_the_room() {
    let world = World::connected(58);
    let room = world.bridge(GENERAL);
    world.discord.faults.borrow_mut().push(Fault::NoPermission);
    world.send(&room, "1", "hello");
    world.server.advance(60_000);
    let said = world.bodies(&room).pop().unwrap();
    assert!(said.contains("Manage Webhooks"), "{said}");
}

#[test]
fn who_may_not_write_or_moderate_there_may_not_here() {
    let world = World::connected(59);
    let room = world.bridge(GENERAL);
    assert_eq!(levels(&world, &room)["events_default"], 0);
    assert_eq!(levels(&world, &room).get("redact").cloned().unwrap_or(json!(50)), 50);
    // The bot's role loses what it may.
    world.discord.guilds.servers.borrow_mut()[0]["roles"][1]["permissions"] = "0".into();
    world.tell("GUILD_ROLE_UPDATE", json!({ "guild_id": GUILD, "role": { "id": KEEPERS, "name": "keepers" } }));
    assert_eq!(levels(&world, &room)["redact"], 96);
    world.discord.guilds.servers.borrow_mut()[0]["roles"][1]["permissions"] = MANAGE_MESSAGES.to_string().into();
    world.tell("GUILD_ROLE_UPDATE", json!({ "guild_id": GUILD, "role": { "id": KEEPERS, "name": "keepers" } }));
    assert_eq!(levels(&world, &room)["redact"], 50);

    // The owner may not write, though the bot may: once it is known who that is.
    let closed = world.discord.guilds.change(GENERAL, |channel| {
        channel["permission_overwrites"] = json!([
            { "id": ALICE, "type": 1, "allow": "0", "deny": SEND.to_string() },
            { "id": BOT, "type": 1, "allow": (VIEW | SEND).to_string(), "deny": "0" },
        ]);
    });
    world.tell("CHANNEL_UPDATE", closed.clone());
    assert_eq!(levels(&world, &room)["events_default"], 0);
    world.link();
    world.tell("CHANNEL_UPDATE", closed);
    assert_eq!(levels(&world, &room)["events_default"], 96);
    assert_eq!(notices(&world, &room), 1);
}

#[test]
fn who_leaves_a_server_leaves_its_rooms_and_a_stranger_makes_no_ghost() {
    let world = World::connected(63);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "bye");
    world.listen();
    let ghost = format!("@_discord_{ANNA}:hub.example");
    assert_eq!(world.state(&room, "m.room.member", &ghost)["membership"], "join");
    world.tell("GUILD_MEMBER_REMOVE", json!({ "guild_id": ATTIC, "user": { "id": ANNA, "username": "anna" } }));
    assert_eq!(world.state(&room, "m.room.member", &ghost)["membership"], "join", "it was another server");
    world.tell("GUILD_MEMBER_REMOVE", json!({ "guild_id": GUILD, "user": { "id": ANNA, "username": "anna" } }));
    assert_eq!(world.state(&room, "m.room.member", &ghost)["membership"], "leave");
    world.tell("GUILD_MEMBER_REMOVE", json!({ "guild_id": GUILD, "user": { "id": ALICE, "username": "alice" } }));
    let stranger = format!("@_discord_{ALICE}:hub.example");
    assert_eq!(world.alice.get(["rooms", &room, "state", "m.room.member", &stranger]).status, 404);
}

#[test]
fn nicknames_come_with_messages_since_changes_of_members_are_told_to_few_bots() {
    assert_eq!(hubbub_discord::connection::INTENTS & (1 << 1 | 1 << 8), 0, "neither members nor who is online");
    let world = World::connected(65);
    let room = world.bridge(GENERAL);
    let ghost = format!("@_discord_{ANNA}:hub.example");
    for nick in ["Annie", "Nan"] {
        world.discord.says_more(ANNA, "hello", json!({ "member": { "nick": nick, "roles": [] } }));
        world.listen();
        assert_eq!(world.state(&room, "m.room.member", &ghost)["displayname"], nick);
        world.server.advance(86_400_001);
        world.listen();
    }
}

#[test]
fn who_has_another_nickname_has_it_here_too() {
    let world = World::connected(64);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "hello");
    world.listen();
    let ghost = format!("@_discord_{ANNA}:hub.example");
    let user = json!({ "id": ANNA, "username": "anna", "global_name": "Anna" });
    world.tell("GUILD_MEMBER_UPDATE", json!({ "guild_id": GUILD, "user": user, "nick": "Annie", "roles": [] }));
    assert_eq!(world.state(&room, "m.room.member", &ghost)["displayname"], "Annie");
}
