//! Reports: users tell, the operator reads, and nobody learns what exists.

use http::Method;
use hubbub_native::{Client, Options, TestServer};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn reports(server: &TestServer, query: &str) -> Json {
    server.admin(Method::GET, &format!("reports{query}"), &json!({})).ok()
}

#[test]
fn the_operator_reads_what_was_reported_newest_first() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);
    let event = alice.send_text(&room, "spam");
    let body = json!({"reason": "spam", "score": -100});
    assert_eq!(bob.post(["rooms", &room, "report", &event], &body).ok(), json!({}));
    server.advance(1);
    bob.post(["rooms", &room, "report"], &json!({"reason": "worse"})).ok();
    server.advance(1);
    bob.post(["users", &alice.user_id, "report"], &json!({"reason": ""})).ok();

    let list = reports(&server, "");
    let shown: Vec<Json> = list["reports"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|report| {
            let mut report = report.clone();
            let fields = report.as_object_mut().expect("an object");
            assert!(fields.remove("id").is_some_and(|id| id.is_string()));
            assert!(fields.remove("created_at").is_some_and(|at| at.is_i64()));
            report
        })
        .collect();
    let expected = [
        json!({"reporter": bob.user_id, "user_id": alice.user_id}),
        json!({"reporter": bob.user_id, "room_id": room, "reason": "worse"}),
        json!({"reporter": bob.user_id, "room_id": room, "event_id": event, "reason": "spam", "score": -100}),
    ];
    assert_eq!(shown, expected);
    assert!(list.get("next").is_none());
}

#[test]
fn reports_are_paged_and_deleted_by_the_operator_alone() {
    let (server, alice, bob) = two();
    for number in 0..3 {
        alice.post(["users", &bob.user_id, "report"], &json!({"reason": format!("{number}")})).ok();
        server.advance(1);
    }
    let first = reports(&server, "?limit=2");
    assert_eq!(first["reports"][1]["reason"], "1");
    let next = first["next"].as_str().expect("a token");
    let second = reports(&server, &format!("?limit=2&before={next}"));
    assert_eq!(second["reports"][0]["reason"], "0");
    assert!(second.get("next").is_none());

    let path = format!("reports/{next}");
    server.admin(Method::DELETE, &path, &json!({})).ok();
    server.admin(Method::DELETE, &path, &json!({})).refused(404, "M_NOT_FOUND");
    assert_eq!(reports(&server, "")["reports"].as_array().map(Vec::len), Some(2));
    server.admin(Method::GET, "reports?before=nonsense", &json!({})).refused(400, "M_INVALID_PARAM");
    server.get("/_hubbub/admin/v1/reports").refused(401, "M_MISSING_TOKEN");
    alice.ask(Method::GET, "/_hubbub/admin/v1/reports", None).refused(401, "M_UNKNOWN_TOKEN");
    alice.ask(Method::DELETE, "/_hubbub/admin/v1/reports/1_x", None).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn who_reports_does_not_learn_what_exists() {
    let (server, alice, bob) = two();
    let secret = alice.create_room(&json!({"preset": "private_chat"}));
    let event = alice.send_text(&secret, "secret");
    let body = json!({"reason": "?"});
    let hidden = bob.post(["rooms", &secret, "report", &event], &body).refused(404, "M_NOT_FOUND");
    let absent = bob.post(["rooms", &secret, "report", "$absent"], &body).refused(404, "M_NOT_FOUND");
    let nowhere = bob.post(["rooms", "!nowhere:hub.example", "report", &event], &body).refused(404, "M_NOT_FOUND");
    assert!(hidden == absent && absent == nowhere);
    assert_eq!(reports(&server, "")["reports"], json!([]));

    for room in [&secret, "!nowhere:hub.example"] {
        assert_eq!(bob.post(["rooms", room, "report"], &body).ok(), json!({}));
    }
    for user in [&alice.user_id, "@nobody:hub.example"] {
        assert_eq!(bob.post(["users", user, "report"], &body).ok(), json!({}));
    }
    // What does not exist leaves nothing.
    assert_eq!(reports(&server, "")["reports"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_report_is_limited_in_size_and_shape() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    let event = alice.send_text(&room, "spam");
    let long = json!({"reason": "x".repeat(4_097)});
    alice.post(["rooms", &room, "report", &event], &long).refused(413, "M_TOO_LARGE");
    alice.post(["rooms", &room, "report"], &long).refused(413, "M_TOO_LARGE");
    alice.post(["users", &bob.user_id, "report"], &long).refused(413, "M_TOO_LARGE");
    for bad in [json!({"reason": 1}), json!({"score": 1}), json!({"score": -101}), json!({"score": "bad"})] {
        alice.post(["rooms", &room, "report", &event], &bad).refused(400, "M_BAD_JSON");
    }
    alice.post(["users", "nonsense", "report"], &json!({})).refused(400, "M_INVALID_PARAM");
    server.post("/_matrix/client/v3/rooms/!a:hub.example/report", &json!({})).refused(401, "M_MISSING_TOKEN");
    alice.post(["rooms", &room, "report", &event], &json!({})).ok();
}

#[test]
fn who_reports_too_much_waits() {
    let server = TestServer::with(Options { rate_limits: true, ..Options::default() });
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let report = || alice.post(["users", &bob.user_id, "report"], &json!({"reason": "again"}));
    for _ in 0..30 {
        report().ok();
    }
    let refused = report().refused(429, "M_LIMIT_EXCEEDED");
    assert!(refused["retry_after_ms"].is_i64());
    bob.post(["users", &alice.user_id, "report"], &json!({"reason": "once"})).ok();
    server.advance(3_600_001);
    report().ok();
}
