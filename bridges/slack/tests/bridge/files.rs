//! Files both ways: each arrives once, keeps its place, and what cannot come is said.

use hubbub_bridge::contract::Bridged;
use serde_json::{Value as Json, json};

use crate::{
    homeserver::{BOT, Media},
    slack::Fault,
    world::{ALICE, Crashed, World},
};
use std::rc::Rc;

const PNG: &[u8] = b"\x89PNG bytes";

fn picture() -> Json {
    json!({
        "name": "cat.png", "title": "cat.png", "mimetype": "image/png", "filetype": "png", "original_w": 640, "original_h": 480,
    })
}

fn posts_picture(world: &Rc<World>, login_id: &str, text: &str) -> Json {
    let event = world.slack.posts_file("C0GENERAL", "U0ANNA", text, picture(), PNG);
    world.deliver(login_id, &event);
    event
}

/// The contents of the room's messages as clients show them.
fn contents(world: &World, portal: &Bridged) -> Vec<Json> {
    let events = world.homeserver.room(portal.room_id.as_str()).events;
    let edit_of = |id: &str| {
        let edit = events.iter().rfind(|event| event.content.pointer("/m.relates_to/event_id") == Some(&json!(id)));
        edit.and_then(|edit| edit.content.get("m.new_content").cloned())
    };
    let shown = events.iter().filter(|event| event.kind == "m.room.message" && !event.redacted);
    let shown = shown.filter(|event| event.content.get("m.new_content").is_none());
    shown.map(|event| edit_of(&event.event_id).unwrap_or_else(|| event.content.clone())).collect()
}

fn rows_left(world: &World, portal: &Bridged) -> usize {
    use hubbub_storage::database::Database as _;
    let database = world.database("portal", &portal.portal_id);
    let rows = database.as_query().query("SELECT place FROM files", &[]).unwrap();
    rows.len()
}

fn filled(world: &World) -> Vec<Media> {
    world.homeserver.media.borrow().values().filter(|media| media.bytes.is_some()).cloned().collect()
}

#[test]
fn a_picture_comes_after_its_text_with_its_name_type_and_size() {
    let (world, login_id, portal) = World::bridged();

    posts_picture(&world, &login_id, "look");
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "nice");
    world.settle();

    let shown = contents(&world, &portal);
    assert_eq!(shown[0]["body"], "look");
    let media = world.homeserver.media_at(&shown[1]);
    assert_eq!(media.bytes.as_deref(), Some(PNG));
    assert_eq!((media.content_type.as_str(), media.name.as_str()), ("image/png", "cat.png"));
    assert_eq!(media.uploader, world.homeserver.room(portal.room_id.as_str()).events[1].sender);
    assert_eq!(shown[1]["msgtype"], "m.image");
    assert_eq!((&shown[1]["body"], &shown[1]["filename"]), (&json!("cat.png"), &json!("cat.png")));
    assert_eq!(shown[1]["info"], json!({ "mimetype": "image/png", "size": PNG.len(), "w": 640, "h": 480 }));
    assert_eq!(shown[1]["m.mentions"], json!({}));
    assert_eq!(shown[2]["body"], "nice");
    assert_eq!(rows_left(&world, &portal), 0);
}

#[test]
fn several_files_come_in_order_and_one_without_text_alone() {
    let (world, login_id, portal) = World::bridged();
    let mut event = world.slack.posts_file("C0GENERAL", "U0ANNA", "", picture(), PNG);
    let second =
        world.slack.posts_file("C0RANDOM", "U0ANNA", "", json!({ "name": "b.zip", "title": "The archive" }), b"zip");
    let file = second["files"][0].clone();
    event["files"].as_array_mut().unwrap().push(file);

    world.deliver(&login_id, &event);
    world.settle();

    let shown = contents(&world, &portal);
    let kinds: Vec<_> = shown.iter().map(|content| content["msgtype"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["m.image", "m.file"]);
    assert_eq!((&shown[1]["body"], &shown[1]["filename"]), (&json!("The archive"), &json!("b.zip")));
    assert_eq!(world.homeserver.media_at(&shown[1]).bytes.as_deref(), Some(&b"zip"[..]));
}

/// Trap: File not ready.
#[test]
fn a_login_page_is_never_taken_for_a_file_and_later_messages_wait_for_it() {
    let (world, login_id, portal) = World::bridged();
    world.slack.login_pages.set(2);

    posts_picture(&world, &login_id, "");
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "after");
    world.settle();

    let shown = contents(&world, &portal);
    assert_eq!(shown.len(), 2);
    assert_eq!(world.homeserver.media_at(&shown[0]).bytes.as_deref(), Some(PNG));
    assert_eq!(shown[1]["body"], "after");
    // Nothing stood in for it.
    let events = world.homeserver.room(portal.room_id.as_str()).events;
    assert!(events.iter().all(|event| event.content.get("m.new_content").is_none()));
}

#[test]
fn after_half_a_minute_a_note_keeps_the_place_until_the_file_is_there() {
    let (world, login_id, portal) = World::bridged();
    world.slack.login_pages.set(3);
    let before = world.now.get();

    posts_picture(&world, &login_id, "");
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "after");
    world.settle();

    let events = world.homeserver.room(portal.room_id.as_str()).events;
    assert!(events[0].content["body"].as_str().unwrap().contains("still on its way"), "{:?}", events[0]);
    assert_eq!(events[1].content["body"], "after");
    assert_eq!(events[2].content["m.relates_to"]["event_id"], events[0].event_id.as_str());
    let shown = contents(&world, &portal);
    assert_eq!(shown[0]["msgtype"], "m.image");
    assert_eq!(world.homeserver.media_at(&shown[0]).bytes.as_deref(), Some(PNG));
    assert_eq!(rows_left(&world, &portal), 0);
    assert!(world.now.get() - before < 60_000);
}

/// Trap: Media URL expiry.
#[test]
fn what_never_comes_is_said_with_the_link_to_slack() {
    let (world, login_id, portal) = World::bridged();
    world.slack.login_pages.set(100);

    posts_picture(&world, &login_id, "look");
    world.slack_says(&login_id, "C0GENERAL", "U0BEN", "after");
    world.settle();

    let shown = contents(&world, &portal);
    assert_eq!(shown[0]["body"], "look");
    let said = shown[1]["body"].as_str().unwrap();
    assert!(
        said.contains("cat.png") && said.contains("did not come") && said.contains("https://acme.slack.com/files/"),
        "{said}"
    );
    assert_eq!(shown[2]["body"], "after");
    assert_eq!(rows_left(&world, &portal), 0);
    assert!(filled(&world).is_empty());
}

#[test]
fn what_is_too_large_for_this_server_is_a_link_at_once() {
    let (world, login_id, portal) = World::bridged();
    let film = json!({ "name": "film.mp4", "mimetype": "video/mp4", "size": 900_000_000 });
    let event = world.slack.posts_file("C0GENERAL", "U0ANNA", "watch", film, b"");
    world.deliver(&login_id, &event);
    world.settle();

    let shown = contents(&world, &portal);
    let said = shown[1]["body"].as_str().unwrap();
    assert!(said.contains("900 MB") && said.contains("https://acme.slack.com/files/"), "{said}");
    assert_eq!(world.slack.calls_of("GET"), 0);
    assert!(world.homeserver.media.borrow().is_empty());
}

#[test]
fn deleted_hidden_and_foreign_files_are_words() {
    let (world, login_id, portal) = World::bridged();
    for file in [
        json!({ "mode": "tombstone" }),
        json!({ "mode": "hidden_by_limit" }),
        json!({ "mode": "external", "is_external": true, "name": "doc", "url_private": "https://docs.test/1" }),
        json!({ "file_access": "check_file_info" }),
    ] {
        let event = world.slack.posts_file("C0GENERAL", "U0ANNA", "", file, b"");
        world.deliver(&login_id, &event);
    }
    world.settle();

    let bodies = world.homeserver.bodies(portal.room_id.as_str());
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| body.starts_with("📎")), "{bodies:?}");
    assert_eq!(world.slack.calls_of("GET"), 0);
}

#[test]
fn an_edit_of_the_words_leaves_the_file_where_it_is() {
    let (world, login_id, portal) = World::bridged();
    let event = posts_picture(&world, &login_id, "lok");
    world.settle();

    let edit = world.slack.edits("C0GENERAL", event["ts"].as_str().unwrap(), "look");
    world.deliver(&login_id, &edit);
    world.settle();

    let shown = contents(&world, &portal);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0]["body"], "look");
    assert_eq!(shown[1]["msgtype"], "m.image");
}

#[test]
fn deleting_a_message_takes_its_file_away() {
    let (world, login_id, portal) = World::bridged();
    let event = posts_picture(&world, &login_id, "look");
    world.settle();

    let gone = world.slack.deletes("C0GENERAL", event["ts"].as_str().unwrap());
    world.deliver(&login_id, &gone);
    world.settle();

    assert!(contents(&world, &portal).is_empty());
}

#[test]
fn a_death_anywhere_brings_the_file_once() {
    for failpoint in hubbub_bridge::failpoints::FAILPOINTS {
        for earlier in 0..3 {
            let (world, login_id, portal) = World::bridged();
            world.slack.login_pages.set(1);
            world.die_at(failpoint, earlier);
            posts_picture(&world, &login_id, "look");
            world.settle_through_crashes();

            let shown = contents(&world, &portal);
            let bodies: Vec<_> = shown.iter().map(|content| content["body"].as_str().unwrap()).collect();
            assert_eq!(bodies, ["look", "cat.png"], "{failpoint} {earlier}");
            assert_eq!(world.homeserver.media_at(&shown[1]).bytes.as_deref(), Some(PNG));
            assert_eq!(filled(&world).len(), 1, "{failpoint} {earlier}");
            assert_eq!(rows_left(&world, &portal), 0);
        }
    }
}

fn sends_picture(world: &World, portal: &Bridged, content: Json) -> String {
    let url = world.homeserver.human_uploads(PNG);
    let mut whole = json!({ "msgtype": "m.image", "body": "dog.png", "url": url, "info": { "mimetype": "image/png" } });
    whole.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    world.matrix_sends(portal.room_id.as_str(), ALICE, "m.room.message", whole)
}

/// Text and bytes of each file in the channel.
fn files_in_channel(world: &World) -> Vec<(String, Vec<u8>)> {
    let history = world.slack.history.borrow();
    let messages = history.get("C0GENERAL").into_iter().flatten().filter(|message| message.get("files").is_some());
    messages
        .map(|message| {
            let id = message["files"][0]["id"].as_str().unwrap();
            let bytes = world.slack.files.borrow().get(id).map(|file| file.bytes.clone()).unwrap_or_default();
            (message["text"].as_str().unwrap().to_owned(), bytes)
        })
        .collect()
}

#[test]
fn a_picture_goes_to_slack_with_its_caption_and_keeps_its_place() {
    for tells in [true, false] {
        let (world, login_id, portal) = World::bridged();
        world.slack.tells_shares.set(tells);
        sends_picture(&world, &portal, json!({ "filename": "dog.png", "body": "my *dog*" }));
        world.matrix_says(portal.room_id.as_str(), ALICE, "after");
        world.settle();
        world.deliver_echoes(&login_id);
        world.settle();

        assert_eq!(files_in_channel(&world), [("my *dog*".to_owned(), PNG.to_vec())]);
        let texts: Vec<_> = world.slack.history.borrow()["C0GENERAL"].iter().map(|one| one["text"].clone()).collect();
        assert_eq!(texts, ["my *dog*", "after"]);
        // The echo is not shown.
        assert_eq!(world.homeserver.bodies(portal.room_id.as_str()).len(), 2);
    }
}

#[test]
fn the_echo_of_a_file_is_known_by_the_file_whenever_it_comes() {
    let (world, login_id, portal) = World::bridged();
    world.slack.suffer_next([Fault::DropAnswer]);
    let event_id = sends_picture(&world, &portal, json!({}));
    world.run_until(|world| !world.slack.echoes.borrow().is_empty());
    world.deliver_echoes(&login_id);
    world.settle();

    assert_eq!(files_in_channel(&world).len(), 1);
    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()), ["dog.png"]);
    assert_eq!(world.d1("SELECT event_id FROM message_map", vec![]), [[event_id.into()]]);
}

#[test]
fn an_unknown_outcome_is_looked_up_before_a_file_is_posted_again() {
    for fault in [Fault::DropAnswer, Fault::Close, Fault::Http(503), Fault::NotSent, Fault::RateLimited(2)] {
        let (world, _, portal) = World::bridged();
        world.slack.suffer_next([fault]);
        sends_picture(&world, &portal, json!({}));
        world.matrix_says(portal.room_id.as_str(), ALICE, "after");
        world.settle();

        assert_eq!(files_in_channel(&world).len(), 1, "{fault:?}");
        assert_eq!(world.slack.posted("C0GENERAL"), ["after"], "{fault:?}");
    }
}

#[test]
fn a_file_goes_once_whatever_dies() {
    for failpoint in hubbub_bridge::failpoints::FAILPOINTS {
        let (world, _, portal) = World::bridged();
        world.die_at(failpoint, 0);
        sends_picture(&world, &portal, json!({}));
        world.settle_through_crashes();

        assert_eq!(files_in_channel(&world), [(String::new(), PNG.to_vec())], "{failpoint}");
    }
}

#[test]
fn an_edit_of_a_caption_changes_the_words_alone() {
    let (world, _, portal) = World::bridged();
    let event_id = sends_picture(&world, &portal, json!({ "filename": "dog.png", "body": "my dgo" }));
    world.settle();
    let edit = json!({
        "msgtype": "m.image", "body": "* my dog",
        "m.new_content": { "msgtype": "m.image", "body": "my dog", "filename": "dog.png", "url": "mxc://hub.test/x" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event_id },
    });
    world.matrix_sends(portal.room_id.as_str(), ALICE, "m.room.message", edit);
    world.settle();

    assert_eq!(files_in_channel(&world), [("my dog".to_owned(), PNG.to_vec())]);
}

#[test]
fn taking_a_file_back_deletes_the_message_and_the_file() {
    let (world, _, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let event_id = sends_picture(&world, &portal, json!({}));
    world.settle();
    assert_eq!(world.slack.files.borrow().len(), 1);

    world.matrix_sends(room, ALICE, "m.room.redaction", json!({ "redacts": event_id }));
    world.settle();

    assert!(files_in_channel(&world).is_empty());
    assert!(world.slack.files.borrow().is_empty());
}

#[test]
fn what_slack_does_not_take_is_a_link_until_it_is_taken_back() {
    let refusals = [Fault::Error("file_upload_size_restricted"), Fault::Error("file_uploads_disabled")];
    for fault in refusals {
        let (world, _, portal) = World::bridged();
        let room = portal.room_id.as_str();
        world.slack.upload_faults.borrow_mut().push_back(Some(fault));
        let event_id = sends_picture(&world, &portal, json!({ "filename": "dog.png", "body": "my dog" }));
        world.settle();

        let posted = world.slack.posted("C0GENERAL");
        assert_eq!(posted.len(), 1);
        let links = world.d1("SELECT link_id FROM media_links", vec![]);
        let hubbub_storage::database::Value::Text(link) = &links[0][0] else { panic!("no link") };
        assert!(posted[0].contains(&format!("https://hub.test/_hubbub/files/{link}")), "{posted:?}");
        assert!(posted[0].contains("my dog") && posted[0].contains("dog.png"), "{posted:?}");
        assert_eq!(link.len(), 24);

        world.matrix_sends(room, ALICE, "m.room.redaction", json!({ "redacts": event_id }));
        world.settle();
        assert!(world.d1("SELECT link_id FROM media_links", vec![]).is_empty());
        assert!(world.slack.posted("C0GENERAL").is_empty());
    }
}

#[test]
fn an_upload_that_breaks_off_is_tried_again_and_then_a_link() {
    let (world, _, portal) = World::bridged();
    // Each try is two steps: the address, then the bytes.
    world.slack.upload_faults.borrow_mut().extend([None, Some(Fault::Close)]);
    sends_picture(&world, &portal, json!({}));
    world.settle();
    assert_eq!(files_in_channel(&world).len(), 1);

    let faults = [None, Some(Fault::Close), None, Some(Fault::Http(500)), Some(Fault::Close)];
    world.slack.upload_faults.borrow_mut().extend(faults);
    sends_picture(&world, &portal, json!({}));
    world.settle();
    assert_eq!(files_in_channel(&world).len(), 1);
    assert!(world.slack.posted("C0GENERAL")[0].contains("/_hubbub/files/"));
}

#[test]
fn a_sticker_goes_as_a_picture() {
    let (world, _, portal) = World::bridged();
    let url = world.homeserver.human_uploads(PNG);
    let sticker = json!({ "body": "Wave", "url": url, "info": { "mimetype": "image/webp" } });
    world.matrix_sends(portal.room_id.as_str(), ALICE, "m.sticker", sticker);
    world.settle();

    let names: Vec<_> = world.slack.files.borrow().values().map(|file| file.object["name"].clone()).collect();
    assert_eq!(names, ["Wave.webp"]);
}

#[test]
fn a_file_without_an_address_is_explained() {
    let (world, _, portal) = World::bridged();
    let content = json!({ "msgtype": "m.image", "body": "x.png", "file": { "url": "mxc://hub.test/x" } });
    world.matrix_sends(portal.room_id.as_str(), ALICE, "m.room.message", content);
    world.settle();

    let events = world.homeserver.room(portal.room_id.as_str()).events;
    let notice = events.iter().rfind(|event| event.sender == BOT).unwrap();
    assert!(notice.content["body"].as_str().unwrap().contains("encrypted"));
}

#[test]
fn a_lone_text_message_costs_no_row_of_files() {
    let (world, login_id, portal) = World::bridged();
    let database = world.database("portal", &portal.portal_id);
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "warm");
    world.settle();
    let before = world.rows_written(&database);
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "one");
    world.settle();
    let first = world.rows_written(&database) - before;
    assert!(first <= 7, "{first}");
    assert_eq!(world.block(async {}), Ok::<(), Crashed>(()));
}

#[test]
fn a_file_that_a_staying_message_has_no_more_is_redacted() {
    let (world, login_id, portal) = World::bridged();
    let mut event = world.slack.posts_file("C0GENERAL", "U0ANNA", "three", picture(), PNG);
    let ts = event["ts"].as_str().unwrap().to_owned();
    for name in ["b.zip", "c.zip"] {
        let other = world.slack.posts_file("C0RANDOM", "U0ANNA", "", json!({ "name": name }), name.as_bytes());
        event["files"].as_array_mut().unwrap().push(other["files"][0].clone());
    }
    world.slack.set_files("C0GENERAL", &ts, event["files"].clone());
    world.deliver(&login_id, &event);
    world.settle();
    let shown = |world: &World| -> Vec<String> {
        contents(world, &portal).iter().map(|content| content["body"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(shown(&world), ["three", "cat.png", "b.zip", "c.zip"]);

    for (index, left) in [(0, &["three", "b.zip", "c.zip"][..]), (2, &["three", "b.zip"])] {
        world.now.set(world.now.get() + 2_000);
        world.slack.set_clock(world.now.get());
        let change = world.slack.deletes_file("C0GENERAL", &ts, index);
        for _ in 0..2 {
            world.deliver(&login_id, &change);
            world.settle();
            world.crash();
        }
        assert_eq!(shown(&world), left);
    }
    let edits = world.homeserver.room(portal.room_id.as_str()).events;
    assert!(edits.iter().all(|event| event.content.get("m.new_content").is_none()), "nobody edited anything");
}

#[test]
fn a_file_in_a_broadcast_reply_is_in_the_thread_once_and_its_words_in_both() {
    let (world, login_id, portal) = World::bridged();
    let root = world.slack.says("C0GENERAL", "U0BEN", "root");
    world.deliver(&login_id, &root);
    let mut reply = world.slack.posts_file("C0GENERAL", "U0ANNA", "look", picture(), PNG);
    reply["subtype"] = "thread_broadcast".into();
    reply["thread_ts"] = root["ts"].clone();
    for _ in 0..2 {
        world.deliver(&login_id, &reply);
        world.settle();
    }
    let events = world.homeserver.room(portal.room_id.as_str()).events;
    let threaded = |event: &&crate::homeserver::Event| event.content["m.relates_to"]["rel_type"] == "m.thread";
    let bodies = |inside: bool| -> Vec<&str> {
        let those = events.iter().filter(|event| threaded(event) == inside);
        those.map(|event| event.content["body"].as_str().unwrap()).collect()
    };
    assert_eq!((bodies(true), bodies(false)), (vec!["look", "cat.png"], vec!["root", "look"]));
}

/// Each kind of file, and what shows it. After a wanted change, `HUBBUB_BLESS=1 cargo test -p hubbub-slack golden` writes
/// the file anew: read the difference before you commit it.
#[test]
fn golden_contents_of_every_kind_of_file() {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files.json");
    let mut cases: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let (world, login_id, portal) = World::bridged();
    let mut seen = 0;
    for case in &mut cases {
        let text = case.get("text").and_then(Json::as_str).unwrap_or_default();
        let event = world.slack.posts_file("C0GENERAL", "U0ANNA", text, case["file"].clone(), PNG);
        world.deliver(&login_id, &event);
        world.settle();
        let mut gives = contents(&world, &portal).split_off(seen);
        seen += gives.len();
        for content in &mut gives {
            // Ids of files are made while the test runs.
            if let Some(url) = content.get_mut("url") {
                *url = "mxc://…".into();
            }
            let text = content.to_string().replace(event["files"][0]["id"].as_str().unwrap(), "FILE");
            *content = serde_json::from_str(&text).unwrap();
        }
        if std::env::var_os("HUBBUB_BLESS").is_some() {
            case["gives"] = gives.into();
        } else {
            assert_eq!(case["gives"], Json::from(gives), "{}", case["name"]);
        }
    }
    if std::env::var_os("HUBBUB_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&cases).unwrap() + "\n").unwrap();
    }
    assert!(cases.len() >= 10);
}
