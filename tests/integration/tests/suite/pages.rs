//! The server as a user runs it: who gets in, and the pages for people.

use std::time::Duration;

use hubbub_conformance::User;
use hubbub_integration::{Receiver, Reply, Server, eventually};
use reqwest::Method;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

/// A page without a script, that nobody keeps, frames or leaks the address of.
#[track_caller]
fn assert_guarded(page: &Reply) {
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{:?}", page.headers);
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{:?}", page.headers);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert!(!page.body.contains("<script"), "{}", page.body);
}

struct Link<'a> {
    server: &'a Server,
    url: String,
}

impl Link<'_> {
    async fn new(server: &Server) -> Link<'_> {
        let made = server.post("owner-link", &json!({})).await.ok();
        let url = made["url"].as_str().expect("a link").to_owned();
        assert!(url.starts_with(&server.url), "{url}");
        Link { server, url }
    }

    async fn open(&self) -> Reply {
        Reply::to(self.server.http.get(&self.url)).await
    }

    async fn submit(&self, username: &str, password: &str) -> Reply {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let form = format!("username={}&password={}", encode(username), encode(password));
        let request = self.server.http.post(&self.url);
        Reply::to(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
    }
}

/// One test, since a server has one owner and only its newest link works.
#[tokio::test]
async fn the_owner_link_makes_one_owner_once() {
    let server = Server::strict();

    // Before there is an owner: nobody can log in by that name, nobody else can take it.
    let login = server.homeserver.login("owner", PASSWORD, json!({})).await;
    login.refused(403, "M_FORBIDDEN");

    let first = Link::new(&server).await;
    let page = first.open().await;
    assert_eq!(page.status, 200);
    assert_guarded(&page);
    assert!(page.body.contains("name=\"username\"") && page.body.contains("name=\"password\""), "{}", page.body);

    // What is wrong with the form is said, and typed text is not markup.
    let short = first.submit("owner", "short").await;
    assert_eq!(short.status, 400);
    assert!(short.body.contains("10 characters"), "{}", short.body);
    let markup = first.submit("\"><script>alert(1)</script>", PASSWORD).await;
    assert_eq!(markup.status, 400);
    assert_guarded(&markup);
    assert!(markup.body.contains("&lt;script&gt;"), "{}", markup.body);

    // A newer link ends the older one.
    let second = Link::new(&server).await;
    let stale = first.submit("owner", PASSWORD).await;
    assert_eq!(stale.status, 410);
    assert!(stale.body.contains("owner-link"), "the page does not say how to get a new link: {}", stale.body);

    // Of two uses at once one makes the owner.
    let (one, other) = tokio::join!(second.submit("owner", PASSWORD), second.submit("mallory", PASSWORD));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410], "{} {}", one.body, other.body);
    let owner = if one.status == 200 { "owner" } else { "mallory" };
    assert_guarded(if one.status == 200 { &one } else { &other });

    let used = second.open().await;
    assert_eq!(used.status, 410);
    assert_guarded(&used);

    // The password works, and a new link sets another one for the same owner.
    server.homeserver.login(owner, PASSWORD, json!({})).await.ok();
    let third = Link::new(&server).await;
    assert!(third.open().await.body.contains(&format!("@{owner}:{}", server.name)));
    assert_eq!(third.submit("somebody-else", "another long password").await.status, 200);
    server.homeserver.login(owner, "another long password", json!({})).await.ok();
    server.homeserver.login(owner, PASSWORD, json!({})).await.refused(403, "M_FORBIDDEN");
    server.homeserver.login("somebody-else", "another long password", json!({})).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_link_that_nobody_made_shows_the_same_page_as_a_used_one() {
    let server = Server::shared();
    for token in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "x"] {
        let url = server.address(&format!("/_hubbub/owner/{token}"));
        for request in [server.http.get(&url), server.http.post(&url).body("username=a&password=bbbbbbbbbbbb")] {
            let page = Reply::to(request).await;
            assert_eq!(page.status, 410, "{}", page.body);
            assert_guarded(&page);
        }
    }
}

#[tokio::test]
async fn closed_registration_is_refused() {
    let server = Server::strict();
    let body = json!({
        "username": "stranger", "password": PASSWORD, "auth": {"type": "m.login.dummy"}, "kind": "user",
    });
    server.homeserver.post(["register"]).json(body.clone()).await.refused(403, "M_FORBIDDEN");
    let guest = server.homeserver.post(["register"]).query("kind", "guest").json(body).await;
    assert_eq!(guest.status(), 403);
}

#[tokio::test]
async fn the_operators_endpoints_want_the_operators_token() {
    let server = Server::shared();
    let user = server.user("curious").await;
    let endpoints = [
        (Method::POST, "owner-link"),
        (Method::POST, "rebuild-room"),
        (Method::GET, "appservices"),
        (Method::POST, "appservices"),
        (Method::DELETE, "appservices/slack"),
        (Method::GET, "operations"),
        (Method::POST, "failpoints"),
        (Method::POST, "storage-probe"),
        (Method::POST, "slack/connect/start"),
        (Method::POST, "slack/status"),
    ];
    for (method, endpoint) in endpoints {
        let url = server.address(&format!("/_hubbub/admin/v1/{endpoint}"));
        for token in [None, Some(user.token.as_str()), Some("forged")] {
            let mut request = server.http.request(method.clone(), &url).body("{}");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let refused = Reply::to(request).await;
            assert!([401, 403].contains(&refused.status), "{endpoint}: {} {}", refused.status, refused.body);
        }
    }
}

#[tokio::test]
async fn test_endpoints_are_not_there_for_users() {
    let server = Server::strict();
    for endpoint in ["failpoints", "abort-object", "storage-probe", "panic"] {
        let answer = server.post(endpoint, &json!({})).await;
        assert_eq!(answer.status, 404, "{endpoint}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_bill_is_shown_to_the_operator_alone() {
    let server = Server::shared();
    let user = server.user("thrifty").await;
    for asked_with in ["", "yes", user.token.as_str()] {
        let request = server.http.get(server.address("/_matrix/client/v3/account/whoami"));
        let answer = Reply::to(request.bearer_auth(&user.token).header("x-hubbub-bill", asked_with)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-hubbub-operations"), "");
    }
}

#[tokio::test]
async fn forged_tokens_are_refused_before_anything_is_called() {
    let server = Server::alone().await;
    let user = server.user("target").await;
    let mut forged = vec!["nonsense".to_owned(), user.token.to_uppercase(), format!("{}x", user.token)];
    let mut flipped = user.token.clone();
    let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
    flipped.push(last);
    // The last character of base64 may carry unused bits: the first ones of the MAC do not.
    forged.push(flipped);
    forged.push(user.token.chars().rev().collect());

    let before = server.settled().await;
    for token in &forged {
        user.get(["account", "whoami"]).token(token).await.refused(401, "M_UNKNOWN_TOKEN");
    }
    let cost = server.counts().await - before;

    assert_eq!((cost.object_calls, cost.written()), (0, 0), "{cost:?}");
    user.get(["account", "whoami"]).await.ok();
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_from_one_address_is_stopped_and_others_go_on() {
    let server = Server::strict();
    let login = |address: &'static str| {
        let body = json!({
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "nobody-here"}, "password": "wrong",
        });
        let request = server.http.post(server.address("/_matrix/client/v3/login"));
        Reply::to(request.header("cf-connecting-ip", address).body(body.to_string()))
    };

    let mut stopped = None;
    for attempt in 0..60 {
        let reply = login("203.0.113.7").await;
        if reply.status == 429 {
            reply.refused(429, "M_LIMIT_EXCEEDED");
            stopped = Some(attempt);
            break;
        }
        reply.refused(403, "M_FORBIDDEN");
    }

    assert!(stopped.is_some(), "60 wrong passwords were all tried");
    // Another address, another name: not limited by what the first one did.
    let body = json!({
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "another-nobody"}, "password": "wrong",
    });
    let request = server.http.post(server.address("/_matrix/client/v3/login"));
    let reply = Reply::to(request.header("cf-connecting-ip", "203.0.113.8").body(body.to_string())).await;
    reply.refused(403, "M_FORBIDDEN");
}

/// Has the server asked to call an appservice, a push gateway and a page at the receiver's address, by two users of
/// the appservice.
async fn name_the_address(server: &Server, receiver: &Receiver) {
    let ping = server.homeserver.path(Method::POST, &format!("/_matrix/client/v1/appservice/{}/ping", receiver.id));
    let ping = ping.token(&receiver.as_token).json(json!({})).await;
    assert!([200, 502].contains(&ping.status()), "{}", ping.status());
    let mut users = Vec::new();
    for name in ["pushed", "pusher"] {
        let username = format!("{}_{name}", receiver.id);
        let body = json!({"type": "m.login.application_service", "username": username});
        let registered = server.homeserver.post(["register"]).token(&receiver.as_token).json(body).await.ok();
        users.push(User::from_answer(&server.homeserver, &registered, ""));
    }
    let [pushed, pusher] = users.as_slice() else { panic!("two users") };
    let room = pushed.create_room(json!({"preset": "public_chat"})).await;
    pushed.get(["sync"]).await.ok();
    pusher.join(&room).await;
    let address = receiver.url.replace("http://", "https://");
    let gateway = json!({
        "kind": "http", "app_id": "im.app", "pushkey": "key", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en", "data": {"url": format!("{address}/_matrix/push/v1/notify")},
    });
    pushed.post(["pushers", "set"]).json(gateway).await.ok();
    let event_id = pusher.send_text(&room, "hello").await;
    // It is there, so whatever is to be told has been tried or is under way.
    let told = pushed.get(["notifications"]).await.ok();
    assert_eq!(told["notifications"][0]["event"]["event_id"], json!(event_id));
    for address in [&receiver.url, &address] {
        let preview = pushed.path(Method::GET, "/_matrix/client/v1/media/preview_url").query("url", address).await;
        assert!([200, 502].contains(&preview.status()), "{}", preview.status());
    }
}

#[tokio::test]
async fn addresses_that_a_stranger_names_are_public_ones() {
    // Where private addresses are allowed, all of them arrive: so this is how they would.
    let lax = Server::shared();
    let reached = Receiver::registered(&lax).await;
    name_the_address(&lax, &reached).await;
    eventually("a ping, a push and two looks at a page", async || (reached.connections() >= 4).then_some(())).await;

    let strict = Server::strict();
    let inside = Receiver::registered(&strict).await;
    name_the_address(&strict, &inside).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(inside.connections(), 0, "{:?}", inside.received());
    strict.admin(Method::DELETE, &format!("appservices/{}", inside.id), "").await.ok();
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let server = Server::shared();
    let user = server.user("verbose").await;
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let url = server.address(&format!("/_matrix/client/v3/user/{}/account_data/large", user.id));
    let answer = Reply::to(server.http.put(url).bearer_auth(&user.token).body(large)).await;
    answer.refused(413, "M_TOO_LARGE");
}
