//! Every command of the chat with the bot, and what it answers.

use serde_json::json;

use crate::{
    discord::{ANNA, GENERAL, GUILD},
    guilds::{ATTIC_GENERAL, TOOLS},
    world::World,
};

#[test]
fn help_names_every_command_and_each_answers_something() {
    let world = World::connected(80);
    let help = world.manage("help");
    for command in ["connect", "list", "bridge", "unbridge", "join", "dm", "status", "disconnect", "link", "unlink"] {
        assert!(help.contains(command), "{command}");
        let reply = world.manage(command);
        assert!(!reply.contains("do not know this command"), "{command}: {reply}");
    }
    assert!(world.manage("dance").contains("do not know this command"));
}

#[test]
fn a_channel_is_bridged_and_given_up_by_name_and_by_id() {
    let world = World::connected(81);
    assert!(world.manage("bridge Garden/general").contains("is here: https://matrix.to/#/"));
    assert!(world.manage(&format!("bridge {TOOLS}")).contains("is here"));
    assert!(world.manage("bridge general").contains("is here"), "of two channels with this name one is bridged");
    assert!(world.manage("bridge #nowhere").contains("no channel called"));
    assert!(world.manage("bridge #secret").contains("no channel called"));
    let list = world.manage("list");
    assert!(list.contains("#tools — bridged"), "{list}");
    assert!(world.manage("status").contains("2 bridged"));

    assert!(world.manage("unbridge tools").contains("`unbridge tools keep`"));
    assert!(world.manage("unbridge tools keep").contains("Its room stays"));
    assert!(world.manage("unbridge Garden/general delete").contains("its room is gone"));
    let list = world.manage("list");
    assert!(!list.contains("bridged") && list.contains("#general"), "{list}");
    assert!(world.manage("status").contains("0 bridged"));
}

#[test]
fn a_deleted_room_is_listed_in_no_space() {
    let world = World::connected(82);
    let (general, tools) = (world.bridge(GENERAL), world.bridge(TOOLS));
    let garden = world.space(GUILD);
    world.manage("unbridge Garden/general delete");
    assert!(world.child(&garden, &general).is_none());
    world.manage("unbridge #tools delete");
    let member = world.state(&tools, "m.room.member", &world.alice.user_id);
    assert_eq!(member["membership"], "leave");
    // Chosen again it has a room again, in the same space.
    let again = world.bridge(GENERAL);
    assert!(again != general && world.child(&garden, &again).is_some());
}

#[test]
fn to_join_is_to_bring_what_the_bot_sees() {
    let world = World::connected(83);
    assert!(world.manage("join attic/general").contains("It is here"));
    assert!(world.manage("join #secret").contains("no open channel"));
    let portals = world.status()["portals"].clone();
    assert_eq!((portals.as_array().unwrap().len(), &portals[0]["id"]), (1, &json!(ATTIC_GENERAL)));
}

#[test]
fn disconnecting_keeps_the_rooms_or_takes_them_away() {
    let world = World::connected(84);
    let room = world.bridge(GENERAL);
    assert!(world.manage("disconnect").contains("`disconnect keep`"));
    assert!(world.manage("disconnect keep").contains("The rooms stay"));
    assert!(world.manage("status").contains("disconnected"));
    assert!(world.manage("link").contains("not connected to Discord"));
    world.send(&room, "1", "into the silence");
    assert_eq!(world.discord.said(), []);
    world.discord.says(ANNA, "anna", "unheard");
    assert!(world.manage("list").contains("not connected"));
}
