//! Custom emoji, both ways.

use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, GENERAL, GUILD, PARTY},
    world::World,
};

const UNKNOWN: &str = "100000000000000099";

fn content(world: &World, room: &str) -> Json {
    world.event(room, &world.last(room))["content"].clone()
}

fn picture(html: &str) -> String {
    html.split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn reacts(world: &World, message: &Json, added: bool) {
    world.server.advance(1_000);
    let name = if added { "MESSAGE_REACTION_ADD" } else { "MESSAGE_REACTION_REMOVE" };
    let reaction = json!({
        "channel_id": GENERAL, "guild_id": GUILD, "message_id": message["id"], "user_id": ANNA,
        "emoji": { "id": PARTY, "name": "party" },
    });
    world.tell(name, reaction);
}

#[test]
fn a_custom_emoji_is_shown_by_its_picture_which_is_copied_once() {
    let world = World::connected(30);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", &format!("yes <:party:{PARTY}>"));
    world.listen();
    let first = content(&world, &room);
    assert_eq!(first["body"], "yes :party:");
    let html = first["formatted_body"].as_str().unwrap();
    let mxc = picture(html);
    let shown = format!("yes <img data-mx-emoticon src=\"{mxc}\" alt=\":party:\" title=\":party:\" height=\"32\">");
    assert_eq!(html, shown);

    world.server.crash(&world.login_address());
    let message = world.discord.says(ANNA, "anna", &format!("<:party:{PARTY}>"));
    world.listen();
    assert_eq!(picture(content(&world, &room)["formatted_body"].as_str().unwrap()), mxc);
    reacts(&world, &message, true);
    assert_eq!(content(&world, &room)["m.relates_to"]["key"], mxc);
    assert_eq!(world.discord.calls.borrow()["picture"], 1);
}

#[test]
fn a_custom_reaction_comes_goes_and_comes_again() {
    let world = World::connected(31);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "hello");
    world.listen();
    let target = world.last(&room);
    for _ in 0..3 {
        reacts(&world, &message, true);
        let reaction = world.last(&room);
        let shown = world.event(&room, &reaction)["content"].clone();
        assert_eq!((&shown["shortcode"], &shown["m.relates_to"]["event_id"]), (&json!(":party:"), &json!(target)));
        reacts(&world, &message, false);
        assert_eq!(world.event(&room, &reaction)["content"], json!({}));
    }
}

#[test]
fn a_reaction_and_an_emoticon_here_become_the_servers_emoji() {
    let world = World::connected(32);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", &format!("<:party:{PARTY}>"));
    world.listen();
    let target = world.last(&room);
    let mxc = picture(content(&world, &room)["formatted_body"].as_str().unwrap());
    let id = message["id"].as_str().unwrap().to_owned();
    let react = |transaction: &str, key: &str| -> Json {
        let relation = json!({ "rel_type": "m.annotation", "event_id": target, "key": key });
        let content = json!({ "m.relates_to": relation });
        let sent = world.alice.put(["rooms", &room, "send", "m.reaction", transaction], &content).ok();
        world.server.advance(1_000);
        sent
    };
    let expected = |method: &str| (method.to_owned(), id.clone(), format!("party:{PARTY}"));
    let sent = react("1", &mxc);
    assert_eq!(world.discord.reactions.take(), [expected("PUT")]);
    let redact = ["rooms", &room, "redact", sent["event_id"].as_str().unwrap(), "2"];
    world.alice.put(redact, &json!({})).ok();
    world.server.advance(1_000);
    assert_eq!(world.discord.reactions.take(), [expected("DELETE")]);
    react("3", ":party:");
    assert_eq!(world.discord.reactions.take(), [expected("PUT")], "by its name, in the server's list");
    react("4", ":strange:");
    assert_eq!(world.discord.reactions.take(), []);
    assert!(world.bodies(&room).pop().unwrap().contains("no such emoji"));

    let html = format!(
        "so <img data-mx-emoticon src=\"{mxc}\" alt=\":party:\"> and <img alt=\":strange:\" src=\"mxc://x/y\">"
    );
    let said = json!({
        "msgtype": "m.text", "body": "so :party: and :strange:", "format": "org.matrix.custom.html",
        "formatted_body": html,
    });
    world.alice.put(["rooms", &room, "send", "m.room.message", "5"], &said).ok();
    world.server.advance(1_000);
    assert_eq!(world.discord.said().pop().unwrap().1, format!("so <:party:{PARTY}> and :strange:"));
}

#[test]
fn an_emoji_without_a_picture_stays_visible_by_its_name() {
    let world = World::connected(33);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", &format!("<:lost:{UNKNOWN}>"));
    world.listen();
    let shown = content(&world, &room);
    assert_eq!((&shown["body"], &shown["formatted_body"]), (&json!(":lost:"), &Json::Null));
}
