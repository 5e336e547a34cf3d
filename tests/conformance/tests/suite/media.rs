//! Files: uploads at once and in two steps, downloads by old and new paths, a message that shows one.

use hubbub_conformance::{Answer, Homeserver, User};
use reqwest::Method;
use serde_json::json;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nas far as anybody looks";

/// `server/id` of an address.
fn path_of(answer: Answer) -> String {
    let answer = answer.ok();
    let uri = answer["content_uri"].as_str().expect("a content_uri");
    uri.strip_prefix("mxc://").expect("an mxc address").to_owned()
}

async fn upload(user: &User, name: &str, content_type: &str) -> String {
    let call = user.path(Method::POST, "/_matrix/media/v3/upload").query("filename", name);
    path_of(call.content_type(content_type).bytes(PNG).await)
}

async fn reserve(user: &User) -> String {
    path_of(user.path(Method::POST, "/_matrix/media/v1/create").await)
}

async fn fill(user: &User, file: &str) -> Answer {
    let call = user.path(Method::PUT, &format!("/_matrix/media/v3/upload/{file}"));
    call.query("filename", "test.png").content_type("image/png").bytes(PNG).await
}

async fn download(user: &User, file: &str) -> Answer {
    user.path(Method::GET, &format!("/_matrix/client/v1/media/download/{file}")).await
}

#[track_caller]
fn assert_is_png(answer: &Answer, content_type: &str) {
    assert_eq!(answer.file(), PNG);
    assert_eq!(answer.content_type(), Some(content_type));
}

/// Suite: TestContent
#[tokio::test]
async fn a_file_comes_back_by_the_old_path() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let file = upload(&alice, "test.png", "image/png").await;

    assert_is_png(&alice.path(Method::GET, &format!("/_matrix/media/v3/download/{file}")).await, "image/png");
}

/// Suite: TestContentCSAPIMediaV1
#[tokio::test]
async fn a_made_up_type_comes_back_and_nothing_without_a_token() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let file = upload(&alice, "test.png", "img/png").await;

    assert_is_png(&download(&alice, &file).await, "img/png");
    let (name, id) = file.split_once('/').expect("a server and an id");
    let odd = format!("/_matrix/client/v1/media/download/{name}/mxc:%2F%2F{name}%2F{id}");
    server.path(Method::GET, &odd).await.with_status(401);
}

/// Suite: TestAsyncUpload/Create media
#[tokio::test]
async fn an_address_is_reserved_without_a_body() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    assert!(reserve(&alice).await.contains('/'));
}

/// Suite: TestAsyncUpload/Not yet uploaded
#[tokio::test]
async fn a_file_that_is_not_there_yet_is_said_to_be_so() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let file = reserve(&alice).await;

    let answer = alice.path(Method::GET, &format!("/_matrix/media/v3/download/{file}")).await;

    assert!(answer.refused(504, "M_NOT_YET_UPLOADED")["error"].is_string());
}

/// Suite: TestAsyncUpload/Upload media
#[tokio::test]
async fn a_reserved_address_takes_a_file() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let file = reserve(&alice).await;

    fill(&alice, &file).await.ok();
}

/// Suite: TestAsyncUpload/Cannot upload to a media ID that has already been uploaded to
#[tokio::test]
async fn a_reserved_address_takes_no_second_file_not_even_an_empty_one() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let file = reserve(&alice).await;
    fill(&alice, &file).await.ok();

    let again = alice.path(Method::PUT, &format!("/_matrix/media/v3/upload/{file}")).await;

    assert!(again.refused(409, "M_CANNOT_OVERWRITE_MEDIA")["error"].is_string());
}

/// Suite: TestAsyncUpload/Download media
#[tokio::test]
async fn a_file_that_came_later_is_downloaded() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let file = reserve(&alice).await;
    fill(&alice, &file).await.ok();

    assert_is_png(&download(&alice, &file).await, "image/png");
}

/// Suite: TestAsyncUpload/Download media over _matrix/client/v1/media/download
#[tokio::test]
async fn a_file_that_came_later_is_downloaded_by_anybody_with_a_token() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let file = reserve(&alice).await;
    fill(&alice, &file).await.ok();

    assert_is_png(&download(&bob, &file).await, "image/png");
}

/// Suite: TestRoomImageRoundtrip
#[tokio::test]
async fn messages_can_be_filtered_for_those_with_a_file() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let file = upload(&alice, "test.png", "image/png").await;
    alice.send_text(&room, "no file").await;
    let content = json!({"msgtype": "m.file", "body": "a file", "url": format!("mxc://{file}")});
    let sent = alice.send(&room, "m.room.message", content).await;

    let page = alice.get(["rooms", &room, "messages"]).query("dir", "b");
    let page = page.query("filter", &json!({"contains_url": true}).to_string()).await.ok();

    let chunk = page["chunk"].as_array().expect("a chunk");
    assert_eq!(chunk.len(), 1, "{page}");
    assert_eq!(chunk[0]["event_id"], sent);
    assert!(page["start"].is_string() && page["end"].is_string(), "{page}");
}

/// Suite: TestMediaConfig
#[tokio::test]
async fn the_largest_upload_is_told() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let config = alice.path(Method::GET, "/_matrix/media/v3/config").await.ok();

    assert!(config["m.upload.size"].is_number(), "{config}");
}
