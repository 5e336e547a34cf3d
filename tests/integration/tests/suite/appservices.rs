//! A third party's appservice, over HTTP.

use std::time::Duration;

use hubbub_conformance::random_name;
use hubbub_integration::{Receiver, Reply, Room, Server, bodies, eventually, ids};
use reqwest::Method;
use serde_json::{Value, json};

impl Client<'_> {
    async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = self.server.http.request(method, self.server.address(&format!("/_matrix/client/{path}")));
        Reply::to(request.bearer_auth(&self.receiver.as_token).body(body.to_string())).await
    }

    /// Registers a user of the namespace and returns its full id.
    async fn ghost(&self, name: &str) -> String {
        let username = format!("{}_{name}", self.receiver.id);
        let body = json!({"type": "m.login.application_service", "username": username, "inhibit_login": true});
        let user_id = self.call(Method::POST, "v3/register", body).await.ok()["user_id"].clone();
        user_id.as_str().expect("a user id").to_owned()
    }
}

/// What an appservice does with its own token.
struct Client<'a> {
    server: &'a Server,
    receiver: &'a Receiver,
}

#[tokio::test]
async fn events_arrive_in_order_one_transaction_at_a_time_with_the_servers_token() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let ghost = client.ghost("ghost").await;
    let user = server.user("human").await;
    let room = user.create_room(json!({"preset": "public_chat"})).await;
    receiver.delay(Duration::from_millis(150));
    user.post(["rooms", &room, "invite"]).json(json!({"user_id": ghost})).await.ok();
    client.call(Method::POST, &format!("v3/join/{room}?user_id={ghost}"), json!({})).await.ok();

    let mut sent = Vec::new();
    for number in 0..30 {
        sent.push(user.send_text(&room, &format!("number {number}")).await);
    }

    receiver.hears("number 29").await;
    let events = receiver.events();
    let messages: Vec<_> = events.into_iter().filter(|event| event["type"] == "m.room.message").collect();
    assert_eq!(ids(&messages), sent);
    assert!(messages.iter().all(|event| event["room_id"] == room.as_str()), "an event does not name its room");
    assert_eq!(receiver.most_in_flight(), 1);
    let transactions = receiver.transactions();
    assert!(transactions.iter().all(|one| one.authorization == format!("Bearer {}", receiver.hs_token)));
    let mut names: Vec<_> = transactions.iter().map(|one| one.transaction().to_owned()).collect();
    names.dedup();
    assert_eq!(names.len(), transactions.len(), "a transaction id was used twice");
}

#[tokio::test]
async fn a_refused_transaction_is_repeated_under_the_same_id_before_anything_newer() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let user = server.user("human").await;
    let room = user.create_room(json!({"preset": "public_chat", "invite": [receiver.bot]})).await;
    let client = Client { server: &server, receiver: &receiver };
    client.call(Method::POST, &format!("v3/join/{room}"), json!({})).await.ok();
    user.send_text(&room, "before").await;
    receiver.hears("before").await;
    let before = receiver.transactions().len();

    receiver.answer_next(&[500, 503]);
    user.send_text(&room, "refused at first").await;
    user.send_text(&room, "newer").await;
    receiver.hears("newer").await;

    let transactions = receiver.transactions();
    let repeated: Vec<_> = transactions[before..].iter().take(3).collect();
    assert_eq!(repeated.iter().map(|one| one.status).collect::<Vec<_>>(), [500, 503, 200]);
    for one in &repeated {
        assert_eq!(one.transaction(), repeated[0].transaction(), "the transaction's id changed");
        assert_eq!(one.body, repeated[0].body, "the transaction's content changed");
    }
    let messages: Vec<_> = receiver.events().into_iter().filter(|event| event["type"] == "m.room.message").collect();
    assert_eq!(bodies(&messages), ["before", "refused at first", "newer"]);
}

#[tokio::test]
async fn a_ping_goes_there_and_back() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let path = format!("v1/appservice/{}/ping", receiver.id);

    let answer = client.call(Method::POST, &path, json!({"transaction_id": "ping-1"})).await.ok();

    assert!(answer["duration_ms"].is_u64(), "{answer}");
    let received = receiver.received();
    let ping = received.iter().find(|request| request.line == "POST /_matrix/app/v1/ping").expect("a ping");
    assert_eq!(ping.authorization, format!("Bearer {}", receiver.hs_token));
    assert_eq!(ping.body["transaction_id"], "ping-1");
    receiver.answer_next(&[418]);
    client.call(Method::POST, &path, json!({})).await.refused(502, "M_BAD_STATUS");
    let other = Receiver::registered(&server).await;
    let foreign = format!("v1/appservice/{}/ping", other.id);
    client.call(Method::POST, &foreign, json!({})).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn it_acts_as_users_of_its_namespace_and_as_nobody_else() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let ghost = client.ghost("ghost").await;
    let user = server.user("human").await;

    let whoami = async |query: String| client.call(Method::GET, &format!("v3/account/whoami{query}"), json!({})).await;
    assert_eq!(whoami(String::new()).await.ok()["user_id"], receiver.bot.as_str());
    assert_eq!(whoami(format!("?user_id={ghost}")).await.ok()["user_id"], ghost.as_str());
    whoami(format!("?user_id={}", user.id)).await.refused(403, "M_FORBIDDEN");
    whoami(format!("?user_id=@{}_elsewhere:example.org", receiver.id)).await.refused(403, "M_FORBIDDEN");
    whoami("?user_id=nonsense".to_owned()).await.refused(400, "M_INVALID_PARAM");
    let slackbot = format!("?user_id=@slackbot:{}", server.name);
    whoami(slackbot).await.refused(403, "M_FORBIDDEN");
    // A user's own token acts as nobody else.
    let request = server.http.get(server.address(&format!("/_matrix/client/v3/account/whoami?user_id={ghost}")));
    let answer = Reply::to(request.bearer_auth(&user.token)).await;
    assert!(answer.status == 403 || answer.json()["user_id"] == user.id.as_str(), "{}", answer.body);
}

#[tokio::test]
async fn a_message_stands_at_the_time_that_its_appservice_says() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let room = client.call(Method::POST, "v3/createRoom", json!({"preset": "public_chat"})).await.ok();
    let room = room["room_id"].as_str().expect("a room").to_owned();
    let user = server.user("human").await;
    user.join(&room).await;

    let path = format!("v3/rooms/{room}/send/m.room.message/t1?ts=1500000000000");
    let sent = client.call(Method::PUT, &path, json!({"msgtype": "m.text", "body": "long ago"})).await.ok();

    let event = user.event(&room, sent["event_id"].as_str().expect("an id")).await.ok();
    assert_eq!(event["origin_server_ts"], 1_500_000_000_000_i64);
    // Nobody else may say so.
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t1?ts=1500000000000");
    let request = server.http.put(server.address(&path)).bearer_auth(&user.token);
    let sent = Reply::to(request.body(json!({"msgtype": "m.text", "body": "now"}).to_string())).await;
    if sent.status == 200 {
        let event = user.event(&room, sent.json()["event_id"].as_str().expect("an id")).await.ok();
        assert_ne!(event["origin_server_ts"], 1_500_000_000_000_i64);
    }
}

#[tokio::test]
async fn exclusive_namespaces_belong_to_it_alone() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let user = server.user("human").await;

    let username = format!("{}_taken", receiver.id);
    let auth = server.homeserver.registration_auth();
    let body = json!({"username": username, "password": "a long password", "auth": auth});
    server.homeserver.post(["register"]).json(body).await.refused(400, "M_EXCLUSIVE");
    let room = user.create_room(json!({})).await;
    let alias = format!("#{}_room:{}", receiver.id, server.name);
    user.put_alias(&alias, &room).await.refused(400, "M_EXCLUSIVE");
    let body = json!({"room_alias_name": format!("{}_other", receiver.id)});
    user.post(["createRoom"]).json(body).await.refused(400, "M_EXCLUSIVE");
    // The reserved names of the bundled bridge, too.
    user.put_alias(&format!("#_slack_x:{}", server.name), &room).await.refused(400, "M_EXCLUSIVE");
    let auth = server.homeserver.registration_auth();
    let body = json!({"username": "_slack_t_u", "password": "a long password", "auth": auth});
    server.homeserver.post(["register"]).json(body).await.refused(400, "M_EXCLUSIVE");

    // It can, and outside of them it cannot.
    let ours = client.call(Method::POST, "v3/createRoom", json!({"room_alias_name": format!("{}_ours", receiver.id)}));
    ours.await.ok();
    let body = json!({"type": "m.login.application_service", "username": random_name("outside")});
    client.call(Method::POST, "v3/register", body).await.refused(400, "M_EXCLUSIVE");
    // Its users have no password to log in with.
    let ghost = client.ghost("ghost").await;
    server.homeserver.login(&ghost, "", json!({})).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn its_users_log_in_with_its_token() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let ghost = client.ghost("ghost").await;
    let login =
        |user: &str| json!({"type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": user}});

    let session = client.call(Method::POST, "v3/login", login(&ghost)).await.ok();

    let token = session["access_token"].as_str().expect("a token");
    let whoami = server.homeserver.get(["account", "whoami"]).token(token).await.ok();
    assert_eq!(whoami["user_id"], ghost.as_str());
    let user = server.user("human").await;
    client.call(Method::POST, "v3/login", login(&user.id)).await.refused(403, "M_FORBIDDEN");
    let forged = server.homeserver.post(["login"]).token(&user.token).json(login(&ghost)).await;
    assert!([401, 403].contains(&forged.status()), "{forged}");
    let none = server.homeserver.post(["login"]).json(login(&ghost)).await;
    assert!([401, 403].contains(&none.status()), "{none}");
}

#[tokio::test]
async fn registrations_that_would_do_harm_are_refused_and_tokens_are_never_shown() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let register = async |json: String| server.admin(Method::POST, "appservices", json).await;
    let good = receiver.registration();

    register(good.clone()).await.ok();
    let listed = server.admin(Method::GET, "appservices", "").await;
    assert!(listed.body.contains(&receiver.id));
    assert!(!listed.body.contains(&receiver.as_token) && !listed.body.contains(&receiver.hs_token));
    let id = format!("\"id\":\"{}\"", receiver.id);
    let other_id = |json: &str| json.replacen(&id, "\"id\":\"another\"", 1);
    let another_token = good.replace(&receiver.as_token, "another-token-0123456789");
    for (json, status) in [
        ("{".to_owned(), 400),
        (String::new(), 400),
        (good.replacen("sender_localpart", "sender", 1), 400),
        (good.replace(&receiver.as_token, "short"), 400),
        (good.replace(&receiver.url, "ftp://example.org"), 400),
        (good.replace("_.*", "(_.*"), 400),
        // The token, and the namespace, of another.
        (other_id(&good), 400),
        (other_id(&another_token), 400),
        (good.replacen(&id, "\"id\":\"slack\"", 1), 400),
        (format!("{good}{}", " ".repeat(70_000)), 413),
    ] {
        let refused = register(json.clone()).await;
        assert_eq!(refused.status, status, "{json}: {}", refused.body);
        assert!(!refused.body.contains(&receiver.as_token), "the refusal shows a token: {}", refused.body);
    }

    server.admin(Method::DELETE, &format!("appservices/{}", receiver.id), "").await.ok();
    let client = Client { server: &server, receiver: &receiver };
    eventually("the end of its token", async || {
        let whoami = client.call(Method::GET, "v3/account/whoami", json!({})).await;
        (whoami.status == 401).then_some(())
    })
    .await;
    assert_eq!(server.admin(Method::DELETE, &format!("appservices/{}", receiver.id), "").await.status, 404);
    assert_eq!(server.admin(Method::DELETE, "appservices/slack", "").await.status, 400);
}

#[tokio::test]
async fn typing_and_receipts_arrive_where_they_were_asked_for() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let user = server.user("human").await;
    let room = user.create_room(json!({"preset": "public_chat", "invite": [receiver.bot]})).await;
    client.call(Method::POST, &format!("v3/join/{room}"), json!({})).await.ok();
    let read = user.send_text(&room, "read me").await;
    receiver.hears("read me").await;

    user.post(["rooms", &room, "receipt", "m.read", &read]).json(json!({})).await.ok();
    user.put(["rooms", &room, "typing", &user.id], json!({"typing": true, "timeout": 5_000})).await.ok();

    for kind in ["m.receipt", "m.typing"] {
        eventually(kind, async || {
            let transactions = receiver.transactions();
            let mut ephemeral =
                transactions.iter().flat_map(|one| one.body["ephemeral"].as_array().cloned().unwrap_or_default());
            ephemeral.find(|event| event["type"] == kind && event["room_id"] == room.as_str())
        })
        .await;
    }
}

#[tokio::test]
async fn sixteen_rooms_reach_it_at_once_each_in_order() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let user = server.user("human").await;
    let mut rooms = Vec::new();
    for _ in 0..16 {
        let room = user.create_room(json!({"preset": "public_chat"})).await;
        client.call(Method::POST, &format!("v3/join/{room}"), json!({})).await.ok();
        rooms.push(room);
    }

    let sends = rooms.iter().map(|room| async {
        for number in 0..10 {
            user.send_text(room, &format!("number {number}")).await;
        }
    });
    futures_util::future::join_all(sends).await;

    for room in &rooms {
        let heard = eventually("ten messages of each room", async || {
            let mut events = receiver.events();
            events.retain(|event| event["room_id"] == room.as_str() && event["type"] == "m.room.message");
            (events.len() >= 10).then_some(events)
        })
        .await;
        assert_eq!(ids(&heard), ids(&Room { user: &user, id: room }.messages().await));
    }
    assert_eq!(receiver.most_in_flight(), 1);
}

#[tokio::test]
async fn a_user_that_it_makes_on_demand_can_be_looked_up_and_invited() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let user = server.user("human").await;
    let room = user.create_room(json!({})).await;
    let ghost = format!("@{}_asked:{}", receiver.id, server.name);
    let asked = async |path: &str| {
        let line = format!("GET /_matrix/app/v1/{path}");
        eventually(&line, async || receiver.received().into_iter().find(|request| request.line.starts_with(&line)))
            .await
    };
    receiver.answer_next(&[404]);
    let nobody = format!("@{}_nobody:{}", receiver.id, server.name);
    user.post(["rooms", &room, "invite"]).json(json!({"user_id": nobody})).await.refused(404, "M_NOT_FOUND");

    receiver.delay(Duration::from_millis(1_000));
    let invited = user.post(["rooms", &room, "invite"]).json(json!({"user_id": ghost}));
    let made = async {
        let query = asked(&format!("users/@{}_asked", receiver.id)).await;
        assert_eq!(query.authorization, format!("Bearer {}", receiver.hs_token));
        assert_eq!(client.ghost("asked").await, ghost);
    };
    let (invited, ()) = futures_util::future::join(async { invited.await }, made).await;
    invited.ok();

    let alias = format!("#{}_asked:{}", receiver.id, server.name);
    let bots = client.call(Method::POST, "v3/createRoom", json!({"preset": "public_chat"})).await.ok();
    let joined = user.post(["join", &alias]).json(json!({}));
    let made = async {
        asked("rooms/").await;
        let path = format!("v3/directory/room/%23{}", &alias[1..]);
        client.call(Method::PUT, &path, json!({"room_id": bots["room_id"]})).await.ok();
    };
    let (joined, ()) = futures_util::future::join(async { joined.await }, made).await;
    assert_eq!(joined.ok()["room_id"], bots["room_id"]);
}

#[tokio::test]
async fn its_bot_has_an_inbox_from_its_first_sync_and_waits_there_like_anybody() {
    let server = Server::shared();
    let receiver = Receiver::registered(&server).await;
    let client = Client { server: &server, receiver: &receiver };
    let user = server.user("human").await;
    let room = user.create_room(json!({"preset": "public_chat"})).await;
    client.call(Method::POST, &format!("v3/join/{room}"), json!({})).await.ok();
    user.send_text(&room, "before the first sync").await;
    let sync = async |query: &str| client.call(Method::GET, &format!("v3/sync?{query}"), json!({})).await.ok();

    let first = sync("").await;
    let pointer = format!("/rooms/join/{room}/timeline/events");
    let said = first.pointer(&pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    assert!(bodies(&said).contains(&"before the first sync"), "{first}");

    let since = first["next_batch"].as_str().expect("a token").to_owned();
    let waits = format!("since={since}&timeout=20000");
    let says = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        user.send_text(&room, "wake up").await
    };
    let began = std::time::Instant::now();
    let (woken, _) = futures_util::future::join(sync(&waits), says).await;
    let said = woken.pointer(&pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(bodies(&said), ["wake up"], "{woken}");
    assert!(began.elapsed() < Duration::from_secs(10), "it was not woken");
}
