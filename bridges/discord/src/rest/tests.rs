//! Calls as they leave, answers as they come, limits as they hold.

use hubbub_bridge::network::RemoteError;
use serde_json::{Value as Json, json};

use super::{multipart::multipart, *};
use crate::{convert::Post, remote_id::Snowflake};

const CHANNEL: Snowflake = Snowflake(10);
const EVENT: &str = "$aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29y";

fn post(content: &str) -> Post {
    Post { content: content.to_owned(), users: vec![Snowflake(1)], everyone: false, meant: Vec::new() }
}

fn body(call: &Call) -> Json {
    serde_json::from_slice(&call.body).unwrap()
}

fn webhook() -> Webhook {
    Webhook { id: Snowflake(55), token: "hook-secret".to_owned() }
}

fn speech(name: &str) -> Speech<'_> {
    Speech { name, picture: Some("https://hub.example/p.png"), thread: Some(Snowflake(77)) }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> http::Response<Vec<u8>> {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.as_bytes().to_vec()).unwrap()
}

fn route(major: &str) -> Route {
    Route { name: "POST channels/messages", major: major.to_owned() }
}

fn outcome(answer: &http::Response<Vec<u8>>) -> Result<Json, RemoteError> {
    read_answer("POST channels/messages", answer)
}

#[test]
fn a_message_has_a_nonce_that_is_enforced_and_names_whom_it_may_ping() {
    let mark = Mark { event_id: EVENT, part: 0 };
    let call =
        Call::create_message(CHANNEL, &post("hi"), Some(Snowflake(9)), mark).unwrap_or_else(|_| panic!("not built"));
    let body = body(&call);
    assert_eq!((call.path.as_str(), call.route.major.as_str()), ("channels/10/messages", "10"));
    assert_eq!((&body["content"], &body["enforce_nonce"]), (&json!("hi"), &json!(true)));
    assert_eq!(body["allowed_mentions"], json!({ "parse": [], "users": ["1"], "roles": [], "replied_user": false }));
    assert_eq!(body["message_reference"], json!({ "message_id": "9", "fail_if_not_exists": false }));
    assert_eq!(body["nonce"], json!(nonce(mark)));
}

#[test]
fn a_nonce_is_short_the_same_each_time_and_another_for_each_part() {
    let (first, second) = (nonce(Mark { event_id: EVENT, part: 0 }), nonce(Mark { event_id: EVENT, part: 1 }));
    assert!(first.len() <= 25 && first != second);
    assert_eq!(first, nonce(Mark { event_id: EVENT, part: 0 }));
}

#[test]
fn every_edit_names_whom_it_may_ping() {
    let built = [
        Call::edit_message(CHANNEL, Snowflake(9), &post("new")),
        Call::edit_webhook_message(&webhook(), Snowflake(9), None, &post("new")),
        Call::execute_webhook(&webhook(), &post("new"), &speech("Alice")),
    ];
    for call in built {
        let call = call.unwrap_or_else(|_| panic!("not built"));
        assert_eq!(body(&call)["allowed_mentions"]["parse"], json!([]));
        assert_eq!(body(&call)["allowed_mentions"]["users"], json!(["1"]));
        // An edit leaves the files alone.
        if call.method == http::Method::PATCH {
            assert_eq!(body(&call).get("attachments"), None);
        }
    }
}

#[test]
fn whatever_says_something_says_whom_it_may_ping() {
    let (channel, message, mark) = (CHANNEL, Snowflake(9), Mark { event_id: EVENT, part: 0 });
    let link = crate::interactions::Link {
        user: Snowflake(1),
        name: "Alice".to_owned(),
        code: "c".to_owned(),
        application: Snowflake(8),
        token: "t".to_owned(),
    };
    let built = [
        Call::create_message(channel, &post("x"), None, mark),
        Call::edit_message(channel, message, &post("x")),
        Call::execute_webhook(&webhook(), &post("x"), &speech("Alice")),
        Call::edit_webhook_message(&webhook(), message, None, &post("x")),
    ];
    let mut calls: Vec<Call> = built.into_iter().map(|call| call.unwrap_or_else(|_| panic!("not built"))).collect();
    calls.extend([
        Call::say(channel, "x"),
        Call::reply_to_interaction("9/t", "x"),
        Call::answer_interaction(&link, "x"),
        Call::start_thread(channel, message, "x"),
        Call::change_channel(channel, Some("x"), Some("y")),
        Call::open_direct(Snowflake(1)),
        Call::create_webhook(channel),
        Call::react(channel, message, "x", true),
        Call::typing(channel),
        Call::delete_message(channel, message),
        Call::delete_webhook_message(&webhook(), message, None),
        Call::register_commands(Snowflake(8)),
    ]);
    let mut said = 0;
    for call in calls.iter().filter(|call| !call.body.is_empty()) {
        let body = body(call);
        let message = body.get("data").unwrap_or(&body);
        if message.get("content").is_some() {
            said += 1;
            assert_eq!(message["allowed_mentions"]["parse"], json!([]), "{}", call.route.name);
        }
    }
    assert_eq!(said, 7);
}

#[test]
fn a_webhook_speaks_with_name_and_picture_and_waits_for_the_message() {
    let call = Call::execute_webhook(&webhook(), &post("hi"), &speech("Alice")).unwrap_or_else(|_| panic!("not built"));
    assert_eq!(call.path, "webhooks/55/hook-secret?wait=true&thread_id=77");
    assert!(!call.authorized);
    assert_eq!(
        (&body(&call)["username"], &body(&call)["avatar_url"]),
        (&json!("Alice"), &json!("https://hub.example/p.png"))
    );
    // What may be logged holds no secret.
    assert_eq!(format!("{:?}", call.route), "Route { name: \"POST webhooks\", major: \"55\" }");
}

#[test]
fn names_that_discord_refuses_are_changed() {
    let name = |name: &str| {
        let call = Call::execute_webhook(&webhook(), &post("x"), &speech(name)).unwrap_or_else(|_| panic!("not built"));
        body(&call)["username"].as_str().unwrap().to_owned()
    };
    assert_eq!(name("Discord Dan"), "D\u{200b}iscord Dan");
    assert_eq!(name("discordclyde").replace('\u{200b}', ""), "discordclyde");
    assert!(
        !name("discordclyde").to_lowercase().contains("discord") && !name("CLYDE").to_lowercase().contains("clyde")
    );
    assert_eq!(name(" \n"), "Matrix");
    assert!(name(&"🎉".repeat(100)).encode_utf16().count() <= 80);
}

#[test]
fn reactions_are_escaped_in_the_address() {
    assert_eq!(
        Call::react(CHANNEL, Snowflake(9), "👍", true).path,
        "channels/10/messages/9/reactions/%F0%9F%91%8D/@me"
    );
    assert_eq!(
        Call::react(CHANNEL, Snowflake(9), "party:30", false).path,
        "channels/10/messages/9/reactions/party%3A30/@me"
    );
    assert!(!Call::react(CHANNEL, Snowflake(9), "../x?", true).path.contains("../"));
}

#[test]
fn files_go_beside_the_text_and_their_names_end_nothing() {
    let file = Upload {
        name: "a\"\r\nX: y/../b.png".to_owned(),
        mime: "image/png\r\nX: y".to_owned(),
        description: Some("a cat".to_owned()),
        spoiler: true,
        bytes: vec![0, 1, 2],
    };
    let body = multipart(json!({ "content": "hi" }), &[file], "b0undary");
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains(
        "filename=\"SPOILER_a___X: y_.._b.png\"\r\nContent-Type: application/octet-stream\r\n\r\n\u{0}\u{1}\u{2}\r\n"
    ));
    assert!(
        text.contains(
            "\"attachments\":[{\"description\":\"a cat\",\"filename\":\"SPOILER_a___X: y_.._b.png\",\"id\":0}]"
        )
    );
    assert!(text.ends_with("--b0undary--\r\n") && !text.contains("\r\nX: y"));
}

#[test]
fn an_empty_bucket_waits_for_its_channel_alone() {
    let mut limits = Limits::default();
    assert_eq!(limits.ask(&route("1"), 0), Ok(()));
    let headers = [("x-ratelimit-bucket", "abc"), ("x-ratelimit-remaining", "1"), ("x-ratelimit-reset-after", "2.5")];
    limits.learn(&route("1"), &answer(200, &headers, "{}"), 100);
    assert_eq!(limits.ask(&route("1"), 200), Ok(()));
    assert_eq!(limits.ask(&route("1"), 300), Err(2_301));
    assert_eq!(limits.ask(&route("2"), 300), Ok(()));
    assert_eq!(limits.ask(&route("1"), 2_700), Ok(()));
}

#[test]
fn a_429_waits_as_long_as_it_says() {
    let mut limits = Limits::default();
    let refusal = answer(
        429,
        &[("retry-after", "2"), ("x-ratelimit-scope", "user")],
        r#"{"message":"x","retry_after":1.337,"global":false}"#,
    );
    limits.learn(&route("1"), &refusal, 0);
    assert_eq!(limits.ask(&route("1"), 0), Err(1_338));
    assert_eq!(limits.ask(&route("2"), 0), Ok(()));
    assert_eq!(outcome(&refusal), Err(RemoteError::RateLimited(1_338)));
}

#[test]
fn a_global_429_stops_everything() {
    let mut limits = Limits::default();
    limits.learn(&route("1"), &answer(429, &[], r#"{"retry_after":3,"global":true}"#), 0);
    assert_eq!(limits.ask(&route("2"), 0), Err(3_001));
    assert_eq!(limits.ask(&route("2"), 3_001), Ok(()));
    // It survives: it is stored.
    let stored = serde_json::to_string(&limits).unwrap();
    assert_eq!(serde_json::from_str::<Limits>(&stored).unwrap().paused_until, 3_001);
}

#[test]
fn html_from_the_front_stops_everything_for_ten_minutes() {
    for status in [429, 403] {
        let mut limits = Limits::default();
        let page = answer(status, &[], "<html>error code: 1015</html>");
        limits.learn(&route("1"), &page, 0);
        assert_eq!(limits.ask(&route("2"), 0), Err(600_000), "{status}");
        assert_eq!(outcome(&page), Err(RemoteError::RateLimited(600_000)));
    }
}

#[test]
fn too_many_refusals_stop_everything_before_discord_does() {
    let mut limits = Limits::default();
    for at in 0..999 {
        limits.learn(&route("1"), &answer(403, &[], r#"{"code":50013}"#), at);
    }
    assert_eq!(limits.ask(&route("2"), 1_000), Ok(()));
    limits.learn(&route("1"), &answer(403, &[], r#"{"code":50013}"#), 1_000);
    assert_eq!(limits.ask(&route("2"), 1_000), Err(600_000));
}

#[test]
fn no_more_than_45_calls_go_in_a_second() {
    let mut limits = Limits::default();
    let allowed = (0..60).filter(|index| limits.ask(&route(&index.to_string()), 500).is_ok()).count();
    assert_eq!(allowed, 45);
    assert_eq!(limits.ask(&route("x"), 600), Err(900));
    assert_eq!(limits.ask(&route("x"), 1_500), Ok(()));
}

#[test]
fn answers_mean_what_discord_means_by_them() {
    assert_eq!(outcome(&answer(200, &[], r#"{"id":"1"}"#)), Ok(json!({ "id": "1" })));
    assert_eq!(outcome(&answer(204, &[], "")), Ok(Json::Null));
    assert_eq!(
        outcome(&answer(401, &[], r#"{"message":"401: Unauthorized","code":0}"#)),
        Err(RemoteError::BadCredentials("401".to_owned()))
    );
    assert_eq!(outcome(&answer(403, &[], r#"{"code":50013}"#)), Err(RemoteError::Refused("50013".to_owned())));
    assert_eq!(outcome(&answer(404, &[], r#"{"code":10003}"#)), Err(RemoteError::Refused("10003".to_owned())));
    assert_eq!(outcome(&answer(404, &[], "gone")), Err(RemoteError::Refused("404".to_owned())));
    for uncertain in
        [answer(500, &[], ""), answer(502, &[], "<html>"), answer(200, &[], "<html>"), answer(302, &[], "")]
    {
        assert!(matches!(outcome(&uncertain), Err(RemoteError::Unknown(_))));
    }
    assert!(explain("50013").contains("permission") && explain("12345").contains("12345"));
}

#[test]
fn no_error_holds_an_answers_text() {
    for status in [400, 401, 403, 404, 429, 500] {
        let shown = format!(
            "{:?}",
            outcome(&answer(
                status,
                &[],
                r#"{"message":"https://discord.com/api/webhooks/55/hook-secret","code":50035}"#
            ))
        );
        assert!(!shown.contains("hook-secret"), "{shown}");
    }
}

#[test]
fn a_webhook_is_made_once() {
    let unknown = OwnWebhook::Unknown;
    assert!(unknown.step(false, 0) == Step::Look);
    assert!(unknown.step(true, 0) == Step::Make);
    // Another message that wants it meanwhile waits; after a crash it is looked for.
    assert!(OwnWebhook::Making(0).step(false, 1_000) == Step::Wait(59_000));
    assert!(OwnWebhook::Making(0).step(false, 60_000) == Step::Look);
    assert!(OwnWebhook::Ready(webhook()).step(false, 0) == Step::Use(webhook()));
    assert!(OwnWebhook::Refused(1_000).step(false, 0) == Step::SpeakAsBot);
    assert!(OwnWebhook::Refused(1_000).step(false, 1_000) == Step::Look);
    let stored = serde_json::to_string(&OwnWebhook::Ready(webhook())).unwrap();
    assert!(serde_json::from_str::<OwnWebhook>(&stored).unwrap() == OwnWebhook::Ready(webhook()));
}

#[test]
fn our_webhook_is_told_from_those_of_others() {
    let webhooks = [
        json!({ "id": "5", "token": "theirs", "application_id": "9" }),
        json!({ "id": "7", "token": "newer", "application_id": "8" }),
        json!({ "id": "6", "token": "ours", "application_id": "8" }),
        json!({ "id": "4", "application_id": "8" }),
    ];
    assert!(find_webhook(&webhooks, Snowflake(8)) == Some(Webhook { id: Snowflake(6), token: "ours".to_owned() }));
    assert!(find_webhook(&webhooks[..1], Snowflake(8)).is_none());
}

#[test]
fn a_message_with_an_unknown_outcome_is_found_by_the_order_of_ids() {
    let message =
        |id: &str, webhook: &str, content: &str| json!({ "id": id, "webhook_id": webhook, "content": content });
    let messages =
        [message("90", "55", "hi"), message("100", "55", "hi"), message("101", "56", "hi"), message("102", "55", "ho")];
    let find = |after, known: &[Snowflake]| find_sent(&messages, Snowflake(55), Snowflake(after), " hi\n", known);
    assert_eq!(find(90, &[]), Found::Sent(Snowflake(100)));
    assert_eq!(find(90, &[Snowflake(100)]), Found::NotSent);
    assert_eq!(find(100, &[]), Found::NotSent);
    assert_eq!(find(80, &[]), Found::Unclear);
}
