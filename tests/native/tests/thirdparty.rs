//! Third-party networks: what bridges say, and how the answers come together.

use std::{cell::RefCell, rc::Rc};

use hubbub_appservice::builtin::Builtin;
use hubbub_core::context::HttpError;
use hubbub_native::{Client, Options, TestServer};
use ruma::server_name;
use serde_json::{Value as Json, json};

/// What bridges were asked: host, path and query, authorization.
type Asked = Rc<RefCell<Vec<(String, String, String)>>>;

fn registration(id: &str, protocols: &[&str]) -> String {
    format!(
        "id: {id}\nurl: https://{id}.example\nas_token: {id}-as-token-of-the-test\nhs_token: {id}-hs-token-of-the-test\n\
         sender_localpart: {id}bot\nprotocols: {protocols:?}\nnamespaces:\n  users: []\n  aliases: []\n  rooms: []\n"
    )
}

/// A server with two bridges to `irc`, one of which also knows `xmpp`, one that is down, and a bundled one.
fn world() -> (TestServer, Client, Asked) {
    let bundled = Builtin::with_prefix("slack", "slackbot", "_slack_", server_name!("hub.example"));
    let server = TestServer::with(Options { builtins: vec![bundled], ..Options::default() });
    for (id, protocols) in [("one", vec!["irc"]), ("two", vec!["irc", "xmpp"]), ("down", vec!["irc", "fax"])] {
        assert_eq!(server.register_appservice(&registration(id, &protocols)).status, 200);
    }
    let asked = Asked::default();
    let noted = Rc::clone(&asked);
    server.http().answer_by(move |request| {
        let host = request.uri().host().unwrap().trim_end_matches(".example").to_owned();
        let what = request.uri().path_and_query().unwrap().to_string();
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        noted.borrow_mut().push((host.clone(), what.clone(), authorization));
        if host == "down" {
            return Err(HttpError::Unknown("no answer in time".to_owned()));
        }
        Ok(answer(&host, &what))
    });
    let alice = server.account("alice");
    (server, alice, asked)
}

fn answer(host: &str, what: &str) -> http::Response<Vec<u8>> {
    let path = what.split('?').next().unwrap().trim_start_matches("/_matrix/app/v1/thirdparty/");
    let body = match path {
        "protocol/irc" | "protocol/xmpp" => json!({
            "user_fields": ["nick", host],
            "location_fields": ["channel"],
            "icon": "mxc://example.org/aBc",
            "field_types": {"nick": {"regexp": ".+", "placeholder": "nick"}},
            "instances": [{"desc": host, "fields": {"server": host}, "network_id": "net"}],
        }),
        "user/irc" | "user" => {
            json!([{"userid": format!("@{host}:hub.example"), "protocol": "irc", "fields": {"nick": "n"}}])
        }
        "location/irc" if host == "one" => return http::Response::builder().status(404).body(Vec::new()).unwrap(),
        "location/irc" | "location" => {
            json!([{"alias": format!("#{host}:hub.example"), "protocol": "irc", "fields": {"channel": "c"}}])
        }
        _ => json!("nonsense"),
    };
    http::Response::new(body.to_string().into_bytes())
}

#[test]
fn protocols_of_all_bridges_come_together_and_are_kept_for_a_while() {
    let (server, alice, asked) = world();

    let protocols = alice.get(["thirdparty", "protocols"]).ok();

    let names: Vec<&String> = protocols.as_object().unwrap().keys().collect();
    assert_eq!(names, ["irc", "slack", "xmpp"]);
    let irc = &protocols["irc"];
    assert_eq!(irc["user_fields"], json!(["nick", "one"]));
    let instances: Vec<&Json> = irc["instances"].as_array().unwrap().iter().collect();
    let ids: Vec<&Json> = instances.iter().map(|instance| &instance["instance_id"]).collect();
    assert_eq!(ids, ["one|net", "two|net"]);
    assert_eq!(protocols["slack"]["instances"][0]["network_id"], "slack");
    assert_eq!(alice.get(["thirdparty", "protocol", "irc"]).ok(), *irc);
    alice.get(["thirdparty", "protocol", "fax"]).refused(404, "M_NOT_FOUND");
    alice.get(["thirdparty", "protocol", "pigeon"]).refused(404, "M_NOT_FOUND");

    // Each bridge was asked once for each of its protocols, with its own token.
    let mut calls = asked.take();
    calls.sort();
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|(host, _, token)| *token == format!("Bearer {host}-hs-token-of-the-test")));
    server.advance(61_000);
    alice.get(["thirdparty", "protocols"]).ok();
    assert!(asked.take().iter().all(|(host, ..)| host == "down"), "only the one that failed is asked again so soon");
    server.advance(10 * 60_000);
    alice.get(["thirdparty", "protocols"]).ok();
    assert_eq!(asked.borrow().len(), 5);
}

#[test]
fn users_and_locations_are_searched_at_every_bridge_that_knows_the_protocol() {
    let (_server, alice, asked) = world();
    let ids = |answer: &Json, key: &str| -> Vec<String> {
        answer.as_array().unwrap().iter().map(|found| found[key].as_str().unwrap().to_owned()).collect()
    };

    let users = alice.query(["thirdparty", "user", "irc"], &[("nick", "n m")]).ok();
    assert_eq!(ids(&users, "userid"), ["@one:hub.example", "@two:hub.example"]);
    let locations = alice.query(["thirdparty", "location", "irc"], &[("channel", "c")]).ok();
    assert_eq!(ids(&locations, "alias"), ["#two:hub.example"]);
    let users = alice.query(["thirdparty", "user"], &[("userid", "@one:hub.example")]).ok();
    assert_eq!(ids(&users, "userid").len(), 2);
    let locations = alice.query(["thirdparty", "location"], &[("alias", "#one:hub.example")]).ok();
    assert_eq!(ids(&locations, "alias").len(), 2);
    assert_eq!(alice.query(["thirdparty", "user", "pigeon"], &[("ring", "1")]).ok(), json!([]));
    assert_eq!(alice.query(["thirdparty", "user", "slack"], &[("name", "x")]).ok(), json!([]));

    let first = &asked.borrow()[0].1;
    assert!(first == "/_matrix/app/v1/thirdparty/user/irc?nick=n+m" || first.ends_with("nick=n%20m"), "{first}");
}

#[test]
fn a_token_in_the_query_is_not_handed_to_bridges() {
    let (server, alice, asked) = world();
    let uri = format!("/_matrix/client/v3/thirdparty/user/irc?nick=n&access_token={}&user_id=x", alice.token);
    server.get(&uri).ok();
    assert!(!asked.borrow().is_empty());
    assert!(asked.borrow().iter().all(|(_, what, _)| !what.contains("token") && !what.contains("user_id")));
}

#[test]
fn third_parties_are_for_users_who_are_logged_in_and_say_what_they_want() {
    let (server, alice, asked) = world();
    for path in ["protocols", "protocol/irc", "user/irc", "location/irc", "user", "location"] {
        server.get(&format!("/_matrix/client/v3/thirdparty/{path}")).refused(401, "M_MISSING_TOKEN");
    }
    alice.get(["thirdparty", "user"]).refused(400, "M_INVALID_PARAM");
    alice.query(["thirdparty", "location"], &[("alias", "no alias")]).refused(400, "M_INVALID_PARAM");
    assert!(asked.borrow().is_empty());
}
