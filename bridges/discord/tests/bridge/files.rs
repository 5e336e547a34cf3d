//! Files in both directions: pictures, films, sounds, voice messages, stickers; and what becomes of those that cannot go.

use http::{Method, header};
use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, Fault, GENERAL, GUILD},
    messages::id,
    talk::DIRECT,
    world::World,
};

const CDN: &str = "https://cdn.discordapp.com/attachments/1/2/";

impl World {
    /// Puts bytes at an address of Discord's.
    fn has(&self, url: &str, kind: &str, bytes: &[u8]) {
        self.discord.files.borrow_mut().insert(url.to_owned(), (kind.to_owned(), bytes.to_vec()));
    }

    /// The bytes of a file in a room.
    fn bytes_of(&self, content: &Json) -> Vec<u8> {
        let path = content["url"].as_str().unwrap().strip_prefix("mxc://").unwrap();
        let reply = self.alice.ask(Method::GET, &format!("/_matrix/client/v1/media/download/{path}"), None);
        assert_eq!(reply.status, 200);
        reply.body
    }

    fn upload(&self, kind: &str, bytes: &[u8]) -> String {
        let mut request = self.alice.request(Method::POST, "/_matrix/media/v3/upload", None);
        request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        *request.body_mut() = bytes.to_vec();
        self.server.request(request).ok()["content_uri"].as_str().unwrap().to_owned()
    }

    /// The contents of a room's messages.
    fn contents(&self, room: &str) -> Vec<Json> {
        let page = self.alice.query(["rooms", room, "messages"], &[("dir", "f"), ("limit", "100")]).ok();
        let messages = page["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message");
        messages.map(|event| event["content"].clone()).collect()
    }

    fn sends_file(&self, room: &str, kind: &str, name: &str, more: Json) -> String {
        let mut content = json!({
            "msgtype": kind, "body": name, "filename": name, "url": self.upload("image/png", b"PNG bytes"),
            "info": { "mimetype": "image/png", "size": 9 },
        });
        for (key, value) in more.as_object().unwrap() {
            content[key] = value.clone();
        }
        self.sends(room, "m.room.message", &content)
    }
}

fn attachment(number: u64, name: &str, more: Json) -> Json {
    let mut file = json!({
        "id": format!("20000000000000000{number}"), "filename": name, "size": 5, "url": format!("{CDN}{name}?ex=1&hm=2"),
        "proxy_url": format!("https://media.discordapp.net/attachments/1/2/{name}"),
    });
    for (key, value) in more.as_object().unwrap() {
        file[key] = value.clone();
    }
    file
}

#[test]
fn files_of_discords_are_copied_with_what_is_known_of_them() {
    let world = World::connected(301);
    let room = world.bridge(GENERAL);
    for (name, kind) in [("cat.png", "image/png"), ("film.mp4", "video/mp4"), ("SPOILER_x.txt", "text/plain")] {
        world.has(&format!("{CDN}{name}?ex=1&hm=2"), kind, b"bytes");
    }
    let files = json!([
        attachment(
            1,
            "cat.png",
            json!({ "content_type": "image/png", "width": 64, "height": 48, "description": "A cat" })
        ),
        attachment(2, "film.mp4", json!({ "content_type": "video/mp4", "duration_secs": 1.5 })),
        attachment(3, "SPOILER_x.txt", json!({ "content_type": "text/plain; charset=utf-8" })),
    ]);
    let message = world.discord.says_more(ANNA, "look", json!({ "attachments": files }));
    world.listen();
    let shown = world.contents(&room);
    assert_eq!(shown.len(), 4);
    assert_eq!((&shown[0]["body"], &shown[1]["msgtype"]), (&json!("look"), &json!("m.image")));
    assert_eq!((&shown[1]["body"], &shown[1]["filename"]), (&json!("A cat"), &json!("cat.png")));
    assert_eq!(shown[1]["info"], json!({ "mimetype": "image/png", "size": 5, "w": 64, "h": 48 }));
    assert_eq!((&shown[2]["msgtype"], &shown[2]["info"]["duration"]), (&json!("m.video"), &json!(1_500)));
    assert_eq!(shown[3]["msgtype"], "m.file");
    assert_eq!(shown[3]["page.codeberg.everypizza.msc4193.spoiler"], true);
    assert_eq!(world.bytes_of(&shown[1]), b"bytes");
    // All of them go with the message.
    world.discord.deletes(GENERAL, &[&message["id"]]);
    world.listen();
    assert_eq!(world.contents(&room), vec![json!({}); 4]);
}

#[test]
fn a_voice_message_stays_one() {
    let world = World::connected(302);
    let room = world.bridge(GENERAL);
    world.has(&format!("{CDN}voice-message.ogg?ex=1&hm=2"), "audio/ogg", b"bytes");
    let more = json!({ "content_type": "audio/ogg", "duration_secs": 2.5, "waveform": "AID/" });
    let files = json!([attachment(1, "voice-message.ogg", more)]);
    world.discord.says_more(ANNA, "", json!({ "attachments": files, "flags": 1 << 13 }));
    world.listen();
    let shown = world.contents(&room);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["msgtype"], "m.audio");
    assert_eq!(shown[0]["org.matrix.msc3245.voice"], json!({}));
    assert_eq!(shown[0]["org.matrix.msc1767.audio"], json!({ "duration": 2_500, "waveform": [0, 514, 1_024] }));
}

#[test]
fn a_sticker_is_its_picture_and_an_animation_a_link() {
    let world = World::connected(303);
    let room = world.bridge(GENERAL);
    world.has("https://cdn.discordapp.com/stickers/300000000000000001.png", "image/png", b"bytes");
    let stickers = json!([
        { "id": "300000000000000001", "name": "Wave", "format_type": 1 },
        { "id": "300000000000000002", "name": "Dance", "format_type": 3 },
    ]);
    world.discord.says_more(ANNA, "", json!({ "sticker_items": stickers }));
    world.listen();
    let shown = world.contents(&room);
    assert_eq!(shown.len(), 2);
    let html = shown[0]["formatted_body"].as_str().unwrap();
    assert!(html.contains("https://cdn.discordapp.com/stickers/300000000000000002.json") && html.contains("Dance"));
    assert_eq!((&shown[1]["msgtype"], &shown[1]["filename"]), (&json!("m.image"), &json!("Wave")));
}

#[test]
fn an_address_that_died_is_asked_for_again() {
    let world = World::connected(304);
    let files = json!([attachment(1, "cat.png", json!({ "content_type": "image/png" }))]);
    let message = world.discord.says_more(ANNA, "", json!({ "attachments": files }));
    // What comes late names what is gone meanwhile; the message says the new one.
    let mut messages = world.discord.messages.borrow_mut();
    messages[0]["attachments"][0]["url"] = format!("{CDN}cat.png?ex=2&hm=3").into();
    drop(messages);
    world.has(&format!("{CDN}cat.png?ex=2&hm=3"), "image/png", b"bytes");
    let room = world.bridge(GENERAL);
    world.server.advance(1_000);
    world.hang_up();
    let mut told = message.clone();
    told["id"] = message["id"].clone();
    world.listen();
    let shown = world.contents(&room);
    assert_eq!(world.bytes_of(&shown[0]), b"bytes");

    let mut late = world.discord.says_more(ANNA, "", json!({ "attachments": files }));
    late["attachments"][0]["url"] = format!("{CDN}cat.png?ex=2&hm=3").into();
    world.discord.messages.borrow_mut().last_mut().unwrap()["attachments"] = late["attachments"].clone();
    world.listen();
    let shown = world.contents(&room);
    assert_eq!(world.bytes_of(&shown[1]), b"bytes");
    assert_eq!(world.asked(&format!("GET channels/{GENERAL}/messages/{}", id(&late))), Json::Null, "it was read");
}

#[test]
fn what_does_not_come_is_said_with_discords_own_link() {
    let world = World::connected(305);
    let room = world.bridge(GENERAL);
    let evil = attachment(1, "x.png", json!({ "content_type": "image/png", "url": "https://evil.test/x.png" }));
    let message = world.discord.says_more(ANNA, "", json!({ "attachments": [evil] }));
    world.listen();
    let link = format!("https://discord.com/channels/{GUILD}/{GENERAL}/{}", id(&message));
    let shown = world.contents(&room);
    let words = "📎 x.png: this file did not come, since it is not known where its bytes are.";
    assert_eq!(shown[0]["body"], format!("{words} {link}"));
}

#[test]
fn a_file_from_here_goes_with_its_message() {
    let world = World::connected(306);
    let room = world.bridge(GENERAL);
    let caption = json!({ "body": "look, a *cat*", "page.codeberg.everypizza.msc4193.spoiler": true });
    let event = world.sends_file(&room, "m.image", "cat.png", caption);
    let asked = world.asked("POST webhooks/");
    assert_eq!(asked["files"][0]["bytes"], "PNG bytes");
    assert_eq!(asked["files"][0]["content_type"], "image/png");
    assert_eq!(asked["files"][0]["filename"], "SPOILER_cat.png");
    assert_eq!(asked["username"], "alice");
    assert!(asked["allowed_mentions"].is_object());
    assert_eq!(world.there(GENERAL), ["look, a \\*cat\\*"]);
    // Alone, without words, and as a sticker.
    world.sends_file(&room, "m.file", "a\"b/../c.png", json!({}));
    assert_eq!(world.asked("POST webhooks/")["files"][0]["filename"], "a_b..c.png");
    let sticker =
        json!({ "body": "wave", "url": world.upload("image/png", b"PNG"), "info": { "mimetype": "image/png" } });
    world.sends(&room, "m.sticker", &sticker);
    assert_eq!(world.asked("POST webhooks/")["files"][0]["filename"], "wave.png");
    assert_eq!(world.contents(&room).len(), 2, "no echo");
    world.redacts(&room, &event);
    assert_eq!(world.there(GENERAL), ["", ""]);
}

#[test]
fn a_file_in_a_direct_chat_and_in_a_thread_goes_there() {
    let world = World::connected(307);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a root");
    world.listen();
    let root = world.last(&room);
    let threaded = json!({ "m.relates_to": { "rel_type": "m.thread", "event_id": root } });
    world.sends_file(&room, "m.image", "cat.png", threaded.clone());
    let thread = id(&message);
    assert_eq!(world.there(thread), [""], "the thread was begun for it");
    world.discord.set_place(thread, |place| place["thread_metadata"]["archived"] = true.into());
    world.sends_file(&room, "m.image", "dog.png", threaded);
    assert_eq!(world.there(thread), ["", ""]);

    world.discord.says_more(ANNA, "psst", json!({ "channel_id": DIRECT }));
    world.listen();
    let command = hubbub_bridge::contract::LoginCommand::Bridge { channel: DIRECT.to_owned() };
    let direct: hubbub_bridge::contract::Bridged = world.server.call(world.login_address(), command).unwrap();
    world.sends_file(direct.room_id.as_str(), "m.image", "cat.png", json!({}));
    let asked = world.asked(&format!("POST channels/{DIRECT}/messages"));
    assert_eq!((&asked["files"][0]["filename"], &asked["enforce_nonce"]), (&json!("cat.png"), &json!(true)));
}

#[test]
fn a_file_whose_outcome_is_unknown_is_looked_up_before_it_goes_again() {
    let world = World::connected(308);
    let room = world.bridge(GENERAL);
    world.says(&room, "before");
    for fault in [Fault::DropAnswer, Fault::Close, Fault::RateLimited] {
        world.discord.faults.borrow_mut().push(fault);
        world.sends_file(&room, "m.image", "cat.png", json!({}));
        world.server.advance(60_000);
        world.listen();
    }
    world.says(&room, "after");
    world.server.advance(60_000);
    world.listen();
    assert_eq!(world.there(GENERAL), ["before", "", "", "", "after"]);
    assert_eq!(world.contents(&room).len(), 5);
}

#[test]
fn a_file_that_discord_does_not_take_goes_as_a_link_that_dies_with_the_event() {
    let world = World::connected(309);
    let room = world.bridge(GENERAL);
    let event = world.sends_file(&room, "m.file", "huge.bin", json!({ "body": "all of it" }));
    let said = world.there(GENERAL);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("all of it\n📎 huge.bin"), "{}", said[0]);
    let path = said[0].split("https://hub.example").nth(1).unwrap().to_owned();
    assert!(path.starts_with("/_hubbub/files/"));
    assert_eq!(world.server.get(&path).body, b"PNG bytes");
    world.redacts(&room, &event);
    assert_eq!(world.there(GENERAL), Vec::<String>::new());
    assert_eq!(world.server.get(&path).status, 404);
}
