//! Holes that another homeserver on this platform had, each as a probe: who gets in, and what the rules of a room stop.
//! Those in `/sync` are in `holes_in_sync`.

use hubbub_conformance::{User, random_name};
use hubbub_integration::{Reply, Room, Server, bodies};
use serde_json::{Value, json};

/// A public room of `host` in which `guest` is.
async fn public_room(host: &User, guest: &User) -> String {
    let room = host.create_room(json!({"preset": "public_chat"})).await;
    guest.join(&room).await;
    room
}

#[tokio::test]
async fn no_login_without_the_password() {
    let server = Server::shared();
    let user = server.user("target").await;
    let identifier = json!({"type": "m.id.user", "user": user.id});
    for body in [
        json!({"type": "m.login.dummy", "identifier": identifier}),
        json!({"type": "m.login.dummy", "user": user.id}),
        json!({"type": "m.login.token", "token": user.token}),
        json!({"type": "m.login.sso", "identifier": identifier}),
        json!({"type": "m.login.password", "identifier": identifier}),
        json!({"type": "m.login.password", "identifier": identifier, "password": ""}),
        json!({"type": "m.login.password", "identifier": identifier, "password": null}),
        json!({"type": "m.login.password", "identifier": identifier, "password": {"$ne": ""}}),
        json!({"type": "m.login.application_service", "identifier": identifier}),
        json!({"identifier": identifier}),
    ] {
        let answer = server.homeserver.post(["login"]).json(body.clone()).await;
        assert!([400, 401, 403].contains(&answer.status()), "{body}: {answer}");
    }
    let flows = server.homeserver.get(["login"]).await.ok().to_string();
    assert!(!flows.contains("m.login.dummy"), "{flows}");
}

#[tokio::test]
async fn registering_a_name_that_is_taken_gives_nothing_of_its_account() {
    let server = Server::shared();
    let user = server.user("target").await;
    let names = [user.localpart().to_owned(), user.localpart().to_uppercase(), user.id.clone()];
    for username in names {
        let auth = server.homeserver.registration_auth();
        let body = json!({"auth": auth, "username": username, "password": "another password"});
        let answer = server.homeserver.post(["register"]).json(body).await;
        assert_eq!(answer.status(), 400, "{username}: {answer}");
    }
    server.homeserver.login(&user.id, &user.password, json!({})).await.ok();
}

#[tokio::test]
async fn a_second_login_with_a_device_id_ends_the_first_token_of_that_device_only() {
    let server = Server::shared();
    let user = server.user("same-device").await;
    let first = user.login_again(json!({"device_id": "PHONE"})).await;
    let second = user.login_again(json!({"device_id": "PHONE"})).await;

    second.get(["account", "whoami"]).await.ok();
    first.get(["account", "whoami"]).await.refused(401, "M_UNKNOWN_TOKEN");
    user.get(["account", "whoami"]).await.ok();
}

#[tokio::test]
async fn a_token_does_not_outlive_its_session() {
    let server = Server::shared();
    let user = server.user("leaving").await;
    let other = user.login_again(json!({})).await;
    user.post(["logout"]).json(json!({})).await.ok();
    user.get(["account", "whoami"]).await.refused(401, "M_UNKNOWN_TOKEN");
    user.get(["sync"]).await.refused(401, "M_UNKNOWN_TOKEN");
    other.post(["logout", "all"]).json(json!({})).await.ok();
    other.get(["account", "whoami"]).await.refused(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn state_wants_power() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    let victim = server.user("victim").await;

    let mut levels = host.state(&room, "m.room.power_levels").await;
    levels["users"][&guest.id] = json!(100);
    guest.put_state(&room, "m.room.power_levels", "", levels.clone()).await.refused(403, "M_FORBIDDEN");
    guest.put_state(&room, "m.room.name", "", json!({"name": "mine"})).await.refused(403, "M_FORBIDDEN");
    guest.put_state(&room, "m.room.join_rules", "", json!({"join_rule": "invite"})).await.refused(403, "M_FORBIDDEN");
    let create = guest.put_state(&room, "m.room.create", "", json!({"creator": guest.id})).await;
    assert!([400, 403].contains(&create.status()), "{create}");
    guest.put_state(&room, "com.hubbub.test", "", json!({})).await.refused(403, "M_FORBIDDEN");
    // Nobody is joined by somebody else, with power or without.
    for by in [&guest, &host] {
        let member = by.put_state(&room, "m.room.member", &victim.id, json!({"membership": "join"})).await;
        member.refused(403, "M_FORBIDDEN");
    }
    // Nobody writes another's state key.
    let foreign = host.put_state(&room, "com.hubbub.test", &guest.id, json!({})).await;
    foreign.refused(403, "M_FORBIDDEN");
    // Outsiders write nothing at all.
    victim.put_state(&room, "m.room.topic", "", json!({"topic": "x"})).await.refused(403, "M_FORBIDDEN");
    let joined = host.get(["rooms", &room, "joined_members"]).await.ok();
    assert_eq!(joined["joined"].as_object().map(serde_json::Map::len), Some(2), "{joined}");
}

#[tokio::test]
async fn sending_wants_power() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let body = json!({
        "preset": "public_chat",
        "power_level_content_override": {"events_default": 50, "events": {"com.hubbub.quiet": 0}},
    });
    let room = host.create_room(body).await;
    guest.join(&room).await;

    let send = |kind: &'static str, txn: &'static str| {
        guest.put(["rooms", &room, "send", kind, txn], json!({"msgtype": "m.text", "body": "x"}))
    };
    send("m.room.message", "t1").await.refused(403, "M_FORBIDDEN");
    send("com.hubbub.quiet", "t2").await.ok();
    host.send_text(&room, "the host may").await;
}

#[tokio::test]
async fn who_is_banned_stays_out_until_unbanned() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    host.ban(&room, &guest).await.ok();

    guest.post(["join", &room]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    guest.post(["rooms", &room, "join"]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    let own = guest.put_state(&room, "m.room.member", &guest.id, json!({"membership": "join"})).await;
    own.refused(403, "M_FORBIDDEN");
    guest.post(["rooms", &room, "leave"]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    // An invitation does not lift a ban.
    host.invite(&room, &guest).await.refused(403, "M_FORBIDDEN");
    guest.post(["join", &room]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    let txn = random_name("t");
    let send = guest.put(["rooms", &room, "send", "m.room.message", &txn], json!({"body": "x"})).await;
    send.refused(403, "M_FORBIDDEN");

    host.post(["rooms", &room, "unban"]).json(json!({"user_id": guest.id})).await.ok();
    guest.join(&room).await;
}

#[tokio::test]
async fn an_invitation_can_be_declined_and_kicks_and_bans_want_power() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = host.create_room(json!({"preset": "private_chat", "invite": [guest.id]})).await;
    let since = guest.wait_for_member(&room, &guest, "invite").await;

    guest.leave(&room).await;

    guest.wait_for_member_since(&since, &room, &guest, "leave").await;
    assert_eq!(host.member_state(&room, &guest.id).await["membership"], "leave");
    guest.post(["join", &room]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    host.invite(&room, &guest).await.ok();
    guest.join(&room).await;
    guest.kick(&room, &host).await.refused(403, "M_FORBIDDEN");
    guest.ban(&room, &host).await.refused(403, "M_FORBIDDEN");
    let third = server.user("third").await;
    third.invite(&room, &guest).await.refused(403, "M_FORBIDDEN");
    third.kick(&room, &guest).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_transaction_id_names_one_event_of_a_device() {
    let server = Server::shared();
    let user = server.user("repeater").await;
    let second = user.login_again(json!({})).await;
    let room = user.create_room(json!({})).await;
    let send = |by: &User, body: &str| {
        by.put(["rooms", &room, "send", "m.room.message", "t1"], json!({"msgtype": "m.text", "body": body}))
    };

    let first = send(&user, "first").await.ok();
    let again = send(&user, "another text").await.ok();
    let other_device = send(&second, "second device").await.ok();

    assert_eq!(first["event_id"], again["event_id"]);
    assert_ne!(first["event_id"], other_device["event_id"]);
    let messages = Room { user: &user, id: &room }.messages().await;
    assert_eq!(bodies(&messages), ["first", "second device"]);
    // A redaction has transactions, too.
    let event = first["event_id"].as_str().expect("an id");
    let redact = || user.put(["rooms", &room, "redact", event, "t9"], json!({}));
    assert_eq!(redact().await.ok(), redact().await.ok());
}

#[tokio::test]
async fn events_have_a_largest_size_and_no_fractions() {
    let server = Server::shared();
    let user = server.user("verbose").await;
    let room = user.create_room(json!({})).await;
    let send = |content: Value| user.put(["rooms", &room, "send", "m.room.message", &random_name("t")], content);

    send(json!({"msgtype": "m.text", "body": "x".repeat(200_000)})).await.refused(413, "M_TOO_LARGE");
    send(json!({"msgtype": "m.text", "body": "x".repeat(66_000)})).await.refused(413, "M_TOO_LARGE");
    for number in ["1.5", "1e100", "9007199254740993", "-9007199254740993"] {
        let path = ["rooms", room.as_str(), "send", "m.room.message", number];
        let call = user.put(path, json!({})).bytes(format!("{{\"body\": \"x\", \"number\": {number}}}"));
        let answer = call.await;
        assert_eq!(answer.status(), 400, "{number}: {answer}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(300), "1") + &"}".repeat(300);
    let answer = user.put(["rooms", &room, "send", "m.room.message", "deep"], json!({})).bytes(deep).await;
    assert_eq!(answer.status(), 400, "{answer}");
    let long = "x".repeat(300);
    let state = user.put_state(&room, &long, "", json!({})).await;
    assert!([400, 413].contains(&state.status()), "{state}");
    let state = user.put_state(&room, "com.hubbub.test", &long, json!({})).await;
    assert!([400, 413].contains(&state.status()), "{state}");
    assert!(Room { user: &user, id: &room }.messages().await.is_empty());
}

#[tokio::test]
async fn history_before_a_join_is_hidden_where_the_room_says_so() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let hidden =
        json!([{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}]);
    let room = host.create_room(json!({"preset": "public_chat", "initial_state": hidden})).await;
    let secret = host.send_text(&room, "before").await;
    guest.join(&room).await;
    let open = host.send_text(&room, "after").await;
    guest.wait_for_event(&room, &open).await;

    let seen = Room { user: &guest, id: &room }.messages().await;
    assert_eq!(bodies(&seen), ["after"]);
    guest.event(&room, &secret).await.refused(404, "M_NOT_FOUND");
    let context = guest.get(["rooms", &room, "context", &secret]).await;
    assert!([403, 404].contains(&context.status()), "{context}");
    let around = guest.get(["rooms", &room, "context", &open]).query("limit", "20").await.ok();
    assert!(!around.to_string().contains("\"before\""), "{around}");
    // Outsiders see nothing.
    let outsider = server.user("outsider").await;
    for part in ["messages", "state", "members", "joined_members"] {
        let answer = outsider.get(["rooms", &room, part]).query("dir", "b").await;
        assert_eq!(answer.status(), 403, "{part}: {answer}");
    }
}

#[tokio::test]
async fn a_room_is_made_as_it_was_asked_for() {
    let server = Server::shared();
    let user = server.user("architect").await;
    user.put(["profile", &user.id, "displayname"], json!({"displayname": "The Architect"})).await.ok();
    let alias = random_name("as-asked");
    let body = json!({
        "preset": "public_chat", "name": "As asked", "topic": "exactly", "room_alias_name": alias,
        "creation_content": {"m.federate": false, "com.hubbub.kind": "test"},
        "power_level_content_override": {"invite": 75, "events": {"m.room.topic": 10}},
        "initial_state": [{"type": "com.hubbub.state", "state_key": "k", "content": {"a": 1}}],
    });

    let room = user.create_room(body).await;

    let create = user.state(&room, "m.room.create").await;
    assert_eq!((&create["m.federate"], &create["com.hubbub.kind"]), (&json!(false), &json!("test")));
    assert_eq!(create["room_version"], "12");
    let levels = user.state(&room, "m.room.power_levels").await;
    assert_eq!((&levels["invite"], &levels["events"]["m.room.topic"]), (&json!(75), &json!(10)));
    // In version 12 the creator has all power without being listed, and the id is a hash.
    assert!(levels["users"][&user.id].is_null(), "{levels}");
    assert!(room.starts_with('!') && !room.contains(':'), "{room}");
    assert_eq!(user.member_state(&room, &user.id).await["displayname"], "The Architect");
    let state = user.get(["rooms", &room, "state", "com.hubbub.state", "k"]).await.ok();
    assert_eq!(state["a"], 1);
    let full = format!("#{alias}:{}", server.name);
    assert_eq!(user.get(["directory", "room", &full]).await.ok()["room_id"], room.as_str());
    assert_eq!(user.state(&room, "m.room.canonical_alias").await["alias"], full.as_str());
    user.post(["createRoom"]).json(json!({"room_alias_name": alias})).await.refused(400, "M_ROOM_IN_USE");
    user.post(["createRoom"]).json(json!({"room_version": "1"})).await.refused(400, "M_UNSUPPORTED_ROOM_VERSION");
}

#[tokio::test]
async fn redaction_and_context_work() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    let before = host.send_text(&room, "before").await;
    let event = host.send_text(&room, "regretted").await;
    let after = host.send_text(&room, "after").await;

    let context = guest.get(["rooms", &room, "context", &event]).query("limit", "2").await.ok();
    assert_eq!(context["event"]["event_id"], event.as_str());
    assert_eq!(context["events_before"][0]["event_id"], before.as_str());
    assert_eq!(context["events_after"][0]["event_id"], after.as_str());

    guest.redact(&room, &event, "not yours").await.refused(403, "M_FORBIDDEN");
    host.redact(&room, &event, "regret").await.ok();
    let redacted = guest.event(&room, &event).await.ok();
    assert_eq!(redacted["content"], json!({}), "{redacted}");
    assert!(!redacted["unsigned"]["redacted_because"].is_null(), "{redacted}");
}

#[tokio::test]
async fn aliases_belong_to_who_made_them_and_to_this_server() {
    let server = Server::shared();
    let (host, guest) = (server.user("host").await, server.user("guest").await);
    let room = public_room(&host, &guest).await;
    let alias = host.new_alias("ours");
    host.put_alias(&alias, &room).await.ok();

    guest.delete(["directory", "room", &alias]).await.refused(403, "M_FORBIDDEN");
    host.get(["directory", "room", &alias]).await.ok();
    let foreign = host.put_alias("#taken:example.org", &room).await;
    assert!([400, 403].contains(&foreign.status()), "{foreign}");
    let theirs = guest.create_room(json!({})).await;
    guest.put_alias(&alias, &theirs).await.refused(409, "M_UNKNOWN");
    let outsider = server.user("outsider").await;
    let not_in_it = outsider.put_alias(&outsider.new_alias("not-in-it"), &theirs).await;
    assert_eq!(not_in_it.status(), 403, "{not_in_it}");
    host.delete(["directory", "room", &alias]).await.ok();
    host.get(["directory", "room", &alias]).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_shown_and_not_changed() {
    let server = Server::shared();
    let (user, other) = (server.user("private").await, server.user("nosy").await);
    user.put(["user", &user.id, "account_data", "com.hubbub.secret"], json!({"a": 1})).await.ok();
    let filter = user.upload_filter(json!({"room": {"timeline": {"limit": 3}}})).await;

    for call in [
        other.get(["user", &user.id, "account_data", "com.hubbub.secret"]),
        other.put(["user", &user.id, "account_data", "com.hubbub.secret"], json!({"a": 2})),
        other.get(["user", &user.id, "filter", &filter]),
        other.post(["user", &user.id, "filter"]).json(json!({})),
        other.put(["profile", &user.id, "displayname"], json!({"displayname": "Fool"})),
    ] {
        let answer = call.await;
        assert!([401, 403, 404].contains(&answer.status()), "{answer}");
    }
    let room = user.create_room(json!({"preset": "public_chat"})).await;
    other.join(&room).await;
    let typing = other.put(["rooms", &room, "typing", &user.id], json!({"typing": true})).await;
    assert_eq!(typing.status(), 403, "{typing}");
    assert_eq!(user.get(["user", &user.id, "account_data", "com.hubbub.secret"]).await.ok()["a"], 1);
}

#[tokio::test]
async fn errors_are_json_that_browsers_may_read_and_show_nothing_of_the_inside() {
    let server = Server::shared();
    let user = server.user("curious").await;
    for path in [
        "/_matrix/client/v3/nowhere",
        "/_matrix/client/v3/rooms/%21x%3Ay/state",
        "/_matrix/client/v3/rooms/%00/state",
        "/_matrix/client/v3/rooms/%FF/state",
        "/_matrix/client/v3/profile/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/_matrix/client/v3/sync?since=%3Cscript%3E",
        "/_matrix/client/v3/rooms/%21x%3Ay/messages?dir=b&from='%3B%20DROP%20TABLE%20events",
        "/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ] {
        let request = server.http.get(server.address(path)).bearer_auth(&user.token);
        let answer = Reply::to(request.header("origin", "https://app.example")).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        assert!(answer.header("content-type").starts_with("application/json"), "{path}: {:?}", answer.headers);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert!(answer.json()["errcode"].is_string(), "{path}: {}", answer.body);
        for inside in ["SQLITE", "SQL", "panicked", ".rs:", "wasm"] {
            assert!(!answer.body.contains(inside), "{path}: {}", answer.body);
        }
    }
    for body in ["", "{", "[]", "\"x\"", "nonsense", "{\"preset\": 5}"] {
        let request = server.http.post(server.address("/_matrix/client/v3/createRoom")).bearer_auth(&user.token);
        let answer = Reply::to(request.body(body)).await;
        assert!(answer.status == 200 || answer.status == 400, "{body:?}: {} {}", answer.status, answer.body);
    }
}
