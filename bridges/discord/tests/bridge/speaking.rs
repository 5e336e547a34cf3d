//! Who speaks, by which name and picture, and whom and what they name.

use serde_json::json;

use crate::{
    discord::{ANNA, GENERAL},
    guilds::{KEEPERS, TOOLS},
    world::World,
};

#[test]
fn a_nickname_is_the_name_and_nobody_is_asked_for_it() {
    let world = World::connected(70);
    let room = world.bridge(GENERAL);
    let asked = || world.discord.calls.borrow().get("GET users").copied().unwrap_or(0);
    let before = asked();
    let author = json!({ "id": ANNA, "username": "anna", "global_name": "Anna" });
    world.discord.add(author, "hello", json!({ "member": { "nick": "Annie", "roles": [] } }));
    world.listen();
    let ghost = format!("@_discord_{ANNA}:hub.example");
    assert_eq!(world.state(&room, "m.room.member", &ghost)["displayname"], "Annie");
    assert_eq!(asked(), before);
}

#[test]
fn a_webhook_is_nobody_beside_its_voices() {
    let world = World::connected(71);
    world.bridge(GENERAL);
    world.discord.says_by_webhook("100000000000000055", "Relay Rita", "one");
    world.listen();
    let found = world.alice.get(["profile", "@_discord_100000000000000055:hub.example"]);
    assert_eq!(found.status, 404);
}

#[test]
fn roles_and_channels_are_named() {
    let world = World::connected(72);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", &format!("<@&{KEEPERS}> meet in <#{TOOLS}>"));
    world.listen();
    let shown = world.event(&room, &world.last(&room))["content"].clone();
    assert_eq!(shown["body"], "@keepers meet in #tools");
    assert_eq!(shown["m.mentions"], json!({}));

    // Once it is bridged the name leads to its room.
    world.bridge(TOOLS);
    world.server.advance(3_700_000);
    world.discord.says(ANNA, "anna", &format!("again in <#{TOOLS}>"));
    world.listen();
    let shown = world.event(&room, &world.last(&room))["content"].clone();
    assert!(shown["formatted_body"].as_str().unwrap().contains("https://matrix.to/#/"), "{shown}");
}

#[test]
fn a_room_of_another_channel_is_named_by_the_channel_and_a_typed_role_pings_nobody() {
    let world = World::connected(73);
    let (room, tools) = (world.bridge(GENERAL), world.bridge(TOOLS));
    let alias = world.state(&tools, "m.room.canonical_alias", "")["alias"].as_str().unwrap().to_owned();
    let pill = format!("<a href=\"https://matrix.to/#/{alias}\">tools</a> for @keepers");
    let content = json!({
        "msgtype": "m.text", "body": "tools for @keepers", "format": "org.matrix.custom.html", "formatted_body": pill,
        "m.mentions": {},
    });
    world.alice.put(["rooms", &room, "send", "m.room.message", "1"], &content).ok();
    world.server.settle();
    assert_eq!(world.discord.said()[0].1, format!("<#{TOOLS}> for @keepers"));
    let allowed = world.discord.guilds.spoken.borrow()["allowed_mentions"].clone();
    assert_eq!((&allowed["parse"], &allowed["roles"]), (&json!([]), &json!([])));
}

#[test]
fn who_speaks_shows_a_picture_that_discord_can_fetch() {
    let world = World::connected(74);
    let room = world.bridge(GENERAL);
    world.send(&room, "1", "without");
    assert!(world.discord.guilds.spoken.borrow().get("avatar_url").is_none());
    let elsewhere = json!({ "avatar_url": "mxc://elsewhere.example/picture" });
    world.alice.put(["profile", &world.alice.user_id, "avatar_url"], &elsewhere).ok();
    world.server.advance(61_000);
    world.send(&room, "2", "not ours");
    assert!(world.discord.guilds.spoken.borrow().get("avatar_url").is_none());
    let ours = json!({ "avatar_url": "mxc://hub.example/picture" });
    world.alice.put(["profile", &world.alice.user_id, "avatar_url"], &ours).ok();
    world.server.advance(61_000);
    world.send(&room, "3", "with");
    let url = world.discord.guilds.spoken.borrow()["avatar_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://hub.example/_hubbub/avatars/picture/"), "{url}");
}
