//! What the server says of itself, and what holds for every request.

use http::{Method, Request};
use hubbub_native::{TestServer, client::request};
use serde_json::json;

/// Each unstable feature with the test that proves it, as `file::function` of these tests.
const PROOFS: [(&str, &str); 5] = [
    ("org.matrix.msc3814", "dehydrated_device::msc3814_a_dehydrated_device_is_kept_and_others_see_it_like_any_device"),
    ("org.matrix.msc4222", "people::state_after_is_the_state_at_the_end_of_the_timeline"),
    ("uk.half-shot.msc2666.query_mutual_rooms", "people::mutual_rooms_are_those_that_both_are_joined_to"),
    ("uk.tcpip.msc4133", "people::a_profile_field_is_set_read_by_everybody_and_removed"),
    ("uk.tcpip.msc4133.stable", "people::a_profile_field_is_set_read_by_everybody_and_removed"),
];

#[test]
fn versions_are_v1_1_to_v1_11() {
    let versions = TestServer::new().get("/_matrix/client/versions").ok();

    let expected: Vec<String> = (1..=11).map(|minor| format!("v1.{minor}")).collect();
    assert_eq!(versions["versions"], json!(expected));
}

#[test]
fn every_unstable_feature_is_proved_by_a_test() {
    let versions = TestServer::new().get("/_matrix/client/versions").ok();

    let features = versions["unstable_features"].as_object().expect("unstable features");
    assert!(features.values().all(|there| *there == true), "{features:?}");
    let told: Vec<&str> = features.keys().map(String::as_str).collect();
    assert_eq!(told, PROOFS.map(|(feature, _)| feature), "each has its row in PROOFS, in order");
    for (feature, proof) in PROOFS {
        let (file, function) = proof.split_once("::").expect("file::function");
        let path = format!("{}/tests/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).expect("the file is there");
        let is_test = source.contains(&format!("#[test]\nfn {function}() {{"));
        assert!(is_test, "{feature}: {path} has no test {function}");
    }
}

#[test]
fn the_well_known_file_names_the_public_address() {
    let file = TestServer::new().get("/.well-known/matrix/client").ok();

    assert_eq!(file["m.homeserver"], json!({"base_url": "https://hub.example"}));
}

#[test]
fn the_well_known_file_lets_element_encrypt_new_private_rooms() {
    let file = TestServer::new().get("/.well-known/matrix/client").ok();

    assert_eq!(file["io.element.e2ee"], json!({"default": true}));
}

#[test]
fn capabilities_name_the_room_versions_and_what_of_an_account_can_change() {
    let server = TestServer::new();

    let capabilities = &server.account("alice").get(["capabilities"]).ok()["capabilities"];

    assert_eq!(capabilities["m.room_versions"]["default"], "12");
    let available = capabilities["m.room_versions"]["available"].as_object().expect("versions");
    assert_eq!(available.len(), 11);
    assert!((2..=12).all(|version| available[&version.to_string()] == "stable"));
    assert_eq!(capabilities["m.change_password"], json!({"enabled": true}));
    assert_eq!(capabilities["m.get_login_token"], json!({"enabled": true}));
}

#[test]
fn capabilities_need_a_token() {
    TestServer::new().get("/_matrix/client/v3/capabilities").refused(401, "M_MISSING_TOKEN");
}

#[test]
fn every_answer_lets_browsers_of_any_origin_read_it() {
    let server = TestServer::new();
    for reply in [
        server.get("/_matrix/client/versions"),
        server.get("/_matrix/client/v3/sync"),
        server.get("/nowhere"),
        server.send(Method::OPTIONS, "/_matrix/client/v3/login", None, None),
    ] {
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{}", reply.asked);
        let methods = reply.header("access-control-allow-methods").expect("methods");
        assert!(["GET", "POST", "PUT", "DELETE", "OPTIONS"].iter().all(|method| methods.contains(method)));
        let headers = reply.header("access-control-allow-headers").expect("headers");
        assert!(["X-Requested-With", "Content-Type", "Authorization"].iter().all(|header| headers.contains(header)));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn the_content_type_is_json_without_parameters() {
    let server = TestServer::new();

    assert_eq!(server.get("/_matrix/client/v3/login").header("content-type"), Some("application/json"));
    assert_eq!(server.get("/nowhere").header("content-type"), Some("application/json"));
}

#[test]
fn an_unknown_path_is_unrecognized_and_a_wrong_method_is_not_allowed() {
    let server = TestServer::new();

    server.get("/_matrix/client/v3/nothing").refused(404, "M_UNRECOGNIZED");
    server.get("/_matrix/client/v9/login").refused(404, "M_UNRECOGNIZED");
    server.get("/").refused(404, "M_UNRECOGNIZED");
    server.send(Method::PUT, "/_matrix/client/v3/login", None, None).refused(405, "M_UNRECOGNIZED");
    server.send(Method::PUT, "/_matrix/federation/v1/version", None, None).refused(405, "M_UNRECOGNIZED");
    server.get("/_matrix/federation/v1/version").refused(404, "M_UNRECOGNIZED");
}

#[test]
fn r0_works_beside_v3_and_a_trailing_slash_may_come_or_go() {
    let server = TestServer::new();
    let alice = server.account("alice");

    assert_eq!(alice.ask(Method::GET, "/_matrix/client/r0/joined_rooms", None).ok()["joined_rooms"], json!([]));
    assert!(alice.ask(Method::GET, "/_matrix/client/v3/pushrules", None).ok()["global"].is_object());
    assert!(alice.ask(Method::GET, "/_matrix/client/v3/pushrules/", None).ok()["global"].is_object());
    assert!(alice.ask(Method::GET, "/_matrix/client/v3/pushrules/global", None).ok()["override"].is_array());
}

#[test]
fn a_head_request_is_answered_like_get_without_a_body() {
    let reply = TestServer::new().send(Method::HEAD, "/_matrix/client/versions", None, None);

    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn an_empty_body_is_an_empty_object() {
    let server = TestServer::new();
    let alice = server.account("alice");

    let room_id = alice.ask(Method::POST, "/_matrix/client/v3/createRoom", None).ok();

    assert!(room_id["room_id"].is_string());
}

#[test]
fn what_is_no_json_is_refused_apart_from_what_is_no_object() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let send = |body: &[u8]| {
        let mut asked = alice.request(Method::POST, "/_matrix/client/v3/createRoom", None);
        *asked.body_mut() = body.to_vec();
        server.request(asked)
    };

    send(b"{").refused(400, "M_NOT_JSON");
    send(b"{\"name\": \"\x81\"}").refused(400, "M_NOT_JSON");
    send(b"{\"name\": NaN}").refused(400, "M_NOT_JSON");
    send(b"{\"name\": \"\\ud800\"}").refused(400, "M_NOT_JSON");
    send(b"{} {}").refused(400, "M_NOT_JSON");
    send(b"\"text\"").refused(400, "M_BAD_JSON");
    send(b"[]").refused(400, "M_BAD_JSON");
    send(b"null").refused(400, "M_BAD_JSON");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(send(deep.as_bytes()).status, 400);
}

#[test]
fn a_body_above_a_mebibyte_and_an_address_above_32_kibibytes_are_too_large() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let mut asked = alice.request(Method::POST, "/_matrix/client/v3/createRoom", None);
    *asked.body_mut() = vec![b' '; 1024 * 1024 + 1];

    server.request(asked).refused(413, "M_TOO_LARGE");
    alice.query(["sync"], &[("filter", &"x".repeat(40_000))]).refused(414, "M_TOO_LARGE");
}

#[test]
fn a_path_that_is_no_utf_8_is_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");

    alice.ask(Method::GET, "/_matrix/client/v3/rooms/%ff/state", None).refused(400, "M_INVALID_PARAM");
    alice.ask(Method::GET, "/_matrix/client/v3/rooms/nonsense/state", None).refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_token_is_taken_from_the_header_or_the_query() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let whoami = "/_matrix/client/v3/account/whoami";

    let by_query = server.get(&format!("{whoami}?access_token={}", alice.token)).ok();
    assert_eq!(by_query["user_id"], "@alice:hub.example");

    let lower = Request::get(whoami).header("authorization", format!("bearer {}", alice.token)).body(vec![]).unwrap();
    assert_eq!(server.request(lower).status, 200);
}

#[test]
fn a_request_without_a_usable_token_is_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let whoami = "/_matrix/client/v3/account/whoami";
    let with =
        |header: &str| server.request(Request::get(whoami).header("authorization", header).body(vec![]).unwrap());

    server.get(whoami).refused(401, "M_MISSING_TOKEN");
    server.get(&format!("{whoami}?access_token=")).refused(401, "M_MISSING_TOKEN");
    with("Basic abc").refused(401, "M_MISSING_TOKEN");
    with("Bearer").refused(401, "M_MISSING_TOKEN");
    with("Bearer nonsense").refused(401, "M_UNKNOWN_TOKEN");
    with(&format!("Bearer {}x", alice.token)).refused(401, "M_UNKNOWN_TOKEN");
    with(&format!("Bearer {}", "x".repeat(5_000))).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_forged_token_wakes_no_object() {
    let server = TestServer::new();
    let alice = server.account("alice");
    server.take_calls();
    let forged = format!("{}A", &alice.token[..alice.token.len() - 1]);

    let asked = request(Method::GET, "/_matrix/client/v3/sync", Some(&forged), None);
    if forged != alice.token {
        server.request(asked).refused(401, "M_UNKNOWN_TOKEN");
        assert_eq!(server.take_calls(), []);
    }
}
