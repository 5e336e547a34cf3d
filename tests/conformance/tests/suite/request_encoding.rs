//! Bodies that are not JSON, or that canonical JSON cannot hold.

use hubbub_conformance::{Answer, Homeserver, User};
use reqwest::Method;
use serde_json::json;

async fn send_raw(user: &User, room: &str, transaction: &str, body: &[u8]) -> Answer {
    user.call(Method::PUT, ["rooms", room, "send", "hubbub.test", transaction]).bytes(body).await
}

/// Suite: TestRequestEncodingFails/POST rejects invalid utf-8 in JSON
#[tokio::test]
async fn a_body_that_is_not_utf_8_is_refused_before_authentication_is_asked_for() {
    let server = Homeserver::from_env();

    let answer = server.post(["register"]).bytes(b"{\"username\":\"us\x81er\"}".as_slice()).await;

    answer.refused(400, "M_NOT_JSON");
}

/// The suite's bodies reach the server as JSON strings, not as the objects that were meant; both are sent here.
///
/// Suite: TestJson/Invalid numerical values
#[tokio::test]
async fn numbers_that_canonical_json_lacks_and_bodies_that_are_no_object_are_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;

    let as_strings =
        ["\"eyJib2R5IjogOTAwNzE5OTI1NDc0MDk5Mn0=\"", "\"eyJib2R5IjogLTkwMDcxOTkyNTQ3NDA5OTJ9\"", "\"e30=\""];
    let as_objects = [r#"{"body": 9007199254740992}"#, r#"{"body": -9007199254740992}"#, r#"{"body": 1.1}"#];
    for (number, body) in as_strings.iter().chain(&as_objects).enumerate() {
        let answer = send_raw(&alice, &room, &format!("bad-number-{number}"), body.as_bytes()).await;
        answer.refused(400, "M_BAD_JSON");
    }
}

/// Suite: TestJson/Invalid JSON special values
#[tokio::test]
async fn infinity_and_not_a_number_are_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;

    let bodies = [
        r#"{"body": Infinity}"#,
        r#"{"body": -Infinity}"#,
        r#"{"body": NaN}"#,
        "\"eyJib2R5IjogSW5maW5pdHl9\"",
        "\"eyJib2R5IjogTmFOfQ==\"",
    ];
    for (number, body) in bodies.iter().enumerate() {
        send_raw(&alice, &room, &format!("not-json-{number}"), body.as_bytes()).await.with_status(400);
    }
}
