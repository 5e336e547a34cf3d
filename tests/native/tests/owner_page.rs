//! The operator's endpoints and the one-time page that sets the owner's password.

use http::Method;
use hubbub_core::context::Registration;
use hubbub_native::{Options, Reply, TestServer};
use serde_json::{Value as Json, json};

fn closed() -> TestServer {
    TestServer::with(Options { registration: Registration::Closed, ..Options::default() })
}

fn new_link(server: &TestServer) -> (String, Json) {
    let answer = server.admin(Method::POST, "owner-link", &json!({})).ok();
    let url = answer["url"].as_str().unwrap();
    (url.strip_prefix("https://hub.example").expect("the public address").to_owned(), answer)
}

fn submit(server: &TestServer, path: &str, fields: &str) -> Reply {
    server.request(http::Request::post(path).body(fields.as_bytes().to_vec()).unwrap())
}

fn log_in(server: &TestServer, user: &str, password: &str) -> Reply {
    server.post("/_matrix/client/v3/login", &json!({"type": "m.login.password", "user": user, "password": password}))
}

#[test]
fn a_link_makes_the_owner_who_then_logs_in() {
    let server = closed();
    let (path, answer) = new_link(&server);
    assert_eq!(answer["exists"], false);
    assert_eq!(answer["expires_at"], server.now() + 86_400_000);

    let form = server.get(&path);
    assert_eq!(form.status, 200);
    assert!(form.text().contains("name=\"username\"") && form.text().contains("name=\"password\""));
    let done = submit(&server, &path, "username=Mira&password=long+enough+%C3%BC");
    assert_eq!(done.status, 200);
    assert!(done.text().contains("@mira:hub.example"));

    log_in(&server, "mira", "long enough ü").ok();
    assert_eq!(new_link(&server).1["exists"], true);
}

#[test]
fn the_owner_is_called_owner_unless_another_name_is_chosen() {
    let server = closed();
    let (path, _) = new_link(&server);

    submit(&server, &path, "password=long+enough");

    log_in(&server, "owner", "long enough").ok();
}

#[test]
fn a_later_link_sets_a_new_password_and_ends_no_session() {
    let server = closed();
    let (path, _) = new_link(&server);
    submit(&server, &path, "password=the+first+one");
    let token = log_in(&server, "owner", "the first one").ok()["access_token"].as_str().unwrap().to_owned();

    let (path, _) = new_link(&server);
    let form = server.get(&path).text();
    assert!(form.contains("@owner:hub.example") && !form.contains("id=\"username\""));
    submit(&server, &path, "username=mallory&password=the+second+one");

    log_in(&server, "owner", "the second one").ok();
    log_in(&server, "owner", "the first one").refused(403, "M_FORBIDDEN");
    log_in(&server, "mallory", "the second one").refused(403, "M_FORBIDDEN");
    server.send(Method::GET, "/_matrix/client/v3/account/whoami", Some(&token), None).ok();
}

#[test]
fn a_link_works_once_for_a_day_and_until_the_next_one() {
    let server = closed();
    let (used, _) = new_link(&server);
    submit(&server, &used, "password=long+enough");
    let (replaced, _) = new_link(&server);
    let (expired, _) = new_link(&server);
    server.advance(86_400_000);

    for path in [used.as_str(), &replaced, &expired, "/_hubbub/owner/made-up"] {
        assert_eq!(server.get(path).status, 410, "{path}");
        let late = submit(&server, path, "password=another+one");
        assert_eq!(late.status, 410, "{path}");
        assert!(late.text().contains("owner-link"), "the page says what to do");
    }
    log_in(&server, "owner", "another one").refused(403, "M_FORBIDDEN");
}

#[test]
fn of_two_uses_of_a_link_at_once_one_succeeds() {
    for seed in 0..10 {
        let server = TestServer::with(Options { seed, registration: Registration::Closed, ..Options::default() });
        let (path, _) = new_link(&server);
        let start = |password: &str| {
            let body = format!("password={password}").into_bytes();
            server.start(http::Request::post(path.as_str()).body(body).unwrap())
        };
        let (first, second) = (start("the+first+one"), start("the+second+one"));
        let mut statuses = [server.finish(&first).status, server.finish(&second).status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410], "seed {seed}");
    }
}

#[test]
fn a_mistake_is_explained_and_the_link_still_works() {
    let server = TestServer::new();
    server.account("taken");
    let (path, _) = new_link(&server);
    for (fields, explained) in [
        ("password=short", "too short"),
        ("", "too short"),
        (&format!("password={}", "x".repeat(600)), "too long"),
        ("username=no+good&password=long+enough", "characters a-z"),
        ("username=taken&password=long+enough", "choose another"),
    ] {
        let refused = submit(&server, &path, fields);
        assert_eq!(refused.status, 400, "{fields}");
        assert!(refused.text().contains(explained) && refused.text().contains("role=\"alert\""), "{fields}");
    }
    assert_eq!(submit(&server, &path, "username=mira&password=long+enough").status, 200);
}

#[test]
fn a_link_whose_use_failed_by_our_fault_works_again() {
    let server = closed();
    let (path, _) = new_link(&server);
    server.host().set_failing(true);

    assert_eq!(submit(&server, &path, "password=long+enough").status, 500);
    server.host().set_failing(false);

    assert_eq!(submit(&server, &path, "password=long+enough").status, 200);
}

#[test]
fn the_page_runs_no_script_is_not_kept_and_says_nothing_to_others() {
    let server = closed();
    let (path, _) = new_link(&server);

    let page = server.get(&path);

    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
    let text = page.text();
    assert!(
        !text.contains("<script") && text.contains("<html lang=\"en\">") && text.contains("<label for=\"password\">")
    );
}

#[test]
fn what_is_typed_is_never_read_as_html() {
    let server = closed();
    let (path, _) = new_link(&server);

    let refused = submit(&server, &path, "username=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&password=long+enough");

    assert!(!refused.text().contains("<script>"));
    assert!(refused.text().contains("&lt;script&gt;"));
}

#[test]
fn only_the_operator_makes_links_and_rebuilds_rooms() {
    let server = closed();
    let post = |token: Option<&str>, what: &str| {
        server.send(
            Method::POST,
            &format!("/_hubbub/admin/v1/{what}"),
            token,
            Some(&json!({"room_id": "!r:hub.example"})),
        )
    };
    for what in ["owner-link", "rebuild-room", "slack/connect"] {
        post(None, what).refused(401, "M_MISSING_TOKEN");
        post(Some("wrong"), what).refused(401, "M_UNKNOWN_TOKEN");
        let in_query = format!("{what}?access_token={}", hubbub_native::server::ADMIN_TOKEN.replace(' ', "%20"));
        post(None, &in_query).refused(401, "M_MISSING_TOKEN");
    }
    server.admin(Method::POST, "rebuild-room", &json!({})).refused(400, "M_MISSING_PARAM");
    server.admin(Method::POST, "rebuild-room", &json!({"room_id": "nonsense"})).refused(400, "M_INVALID_PARAM");
    assert!(server.admin(Method::POST, "rebuild-room", &json!({"room_id": "!r:hub.example"})).status >= 400);
    server.admin(Method::POST, "slack/connect", &json!({})).refused(404, "M_UNRECOGNIZED");
    server.get("/_hubbub/slack/anything").refused(404, "M_UNRECOGNIZED");
}

#[test]
fn a_rebuilt_room_is_as_it_was_and_goes_on() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.create_room(&json!({"preset": "public_chat", "name": "Lobby"}));
    bob.join(&room);
    let sent: Vec<String> = (0..30).map(|number| alice.send_text(&room, &format!("{number}"))).collect();
    let redacted = alice.send_text(&room, "regretted");
    alice.put(["rooms", &room, "redact", &redacted, "r1"], &json!({})).ok();
    bob.post(["rooms", &room, "receipt", "m.read", &sent[5]], &json!({})).ok();
    server.advance(60_000);
    let (state, since) = (alice.get(["rooms", &room, "state"]).ok(), bob.sync(None).next_batch());
    let page = |from: Option<&str>| {
        let mut query = vec![("dir", "b"), ("limit", "12")];
        query.extend(from.map(|from| ("from", from)));
        bob.query(["rooms", &room, "messages"], &query).ok()
    };
    let before = page(None);

    let rebuilt = server.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();

    assert!(rebuilt["events"].as_u64().is_some_and(|events| events > 30));
    let sorted = |state: Json| -> Vec<String> {
        let mut ids: Vec<_> = state.as_array().unwrap().iter().map(|event| event["event_id"].to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(sorted(alice.get(["rooms", &room, "state"]).ok()), sorted(state));
    let ids = |page: &Json| -> Vec<Json> {
        page["chunk"].as_array().unwrap().iter().map(|event| event["event_id"].clone()).collect()
    };
    assert_eq!(ids(&page(None)), ids(&before));
    assert!(!ids(&page(before["end"].as_str())).is_empty(), "old tokens still page");
    assert_eq!(alice.send_with(&room, "t1", "again").ok()["event_id"], sent[0].as_str());
    let new = bob.send_text(&room, "after the rebuild");
    let synced = bob.sync(Some(&since));
    assert!(synced.timeline(&room).iter().any(|event| event["event_id"] == new.as_str()));
}
