//! What anybody on the internet can send to the Slack bridge's address: a clear answer, a counter, nothing lost.

use hubbub_integration::{Reply, Server, Workspace};
use serde_json::{Value, json};

/// A good envelope around an event, which the fake signs.
fn envelope(slack: &Workspace, event: &Value, event_id: &str) -> String {
    json!({
        "token": "x", "team_id": slack.team, "api_app_id": "A0", "type": "event_callback", "event_id": event_id,
        "event_time": std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs(), "event": event,
        "authorizations": [{"team_id": slack.team, "user_id": "U0ROBIN", "is_bot": false}],
    })
    .to_string()
}

#[tokio::test]
async fn the_challenge_is_echoed_only_once_the_secret_is_known() {
    let server = Server::shared();
    let owner = server.user("robin").await;
    let mut slack = Workspace::new(&server, &owner).await;
    let started = slack.start().await;
    assert!(started["manifest"].to_string().contains(&slack.hook_url), "the manifest does not have the address");

    let early = slack.tell("subscription", &json!({"url": slack.hook_url, "force": true})).await;
    assert_eq!(early["subscription"]["verified"], false);
    assert_eq!(early["subscription"]["status"], 403);

    slack.finish().await.ok();
    slack.subscribe().await;
}

#[tokio::test]
async fn bad_signatures_and_stale_timestamps_are_refused_and_counted() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let event = json!({"type": "message", "channel": "C0GENERAL", "user": "U0ANA", "text": "forged", "ts": "1.000001"});
    let body = envelope(&slack, &event, "EvFORGED");

    for (signature, age) in [("bad", 0), ("none", 0), ("good", 301), ("good", -301), ("good", 100_000)] {
        let answer = slack.raw(&body, signature, age).await;
        assert_eq!(answer["status"], 401, "{signature}, {age} s: {answer}");
        assert!(!answer["text"].as_str().unwrap_or_default().contains(&slack.signing_secret));
    }

    assert_eq!(slack.counter("refused").await, 5);
    // A good signature within five minutes counts.
    slack.raw(&envelope(&slack, &json!({"type": "made_up"}), "EvOLD"), "good", 200).await;
    assert_eq!(slack.counter("refused").await, 5);
    portal.nothing_more().await;
    assert!(portal.room().messages().await.is_empty());
    slack.say("general", "ana", "still well").await;
    portal.message("still well").await;
}

#[tokio::test]
async fn unknown_paths_are_refused_without_a_word_about_what_exists() {
    let slack = Workspace::shared().await;
    let server = &slack.server;
    let (login_path, mac) = slack.hook_url.rsplit_once('/').expect("a path");
    let flipped = format!("{}{}", if mac.starts_with('A') { "B" } else { "A" }, &mac[1..]);
    let wrong = [
        format!("{login_path}/{flipped}"),
        login_path.to_owned(),
        format!("{}/more", slack.hook_url),
        server.address(&format!("/_hubbub/slack/unknown-login/{mac}")),
        server.address("/_hubbub/slack/"),
    ];

    for url in wrong {
        let answer = Reply::to(server.http.post(&url).body("{}")).await;
        assert_eq!(answer.status, 404, "{url}: {}", answer.body);
    }
    let get = Reply::to(server.http.get(&slack.hook_url)).await;
    assert_eq!(get.status, 405, "{}", get.body);
}

#[tokio::test]
async fn malformed_bodies_are_refused_and_counted() {
    let slack = Workspace::shared().await;

    let not_json = ["", "nothing", "{", "[]", "null", "{\"type\": 5}", "\"x\"", "{\"type\": \"event_callback\"}"];
    for body in not_json {
        let answer = slack.raw(body, "good", 0).await;
        assert_eq!(answer["status"], 400, "{body:?}: {answer}");
    }
    assert_eq!(slack.counter("malformed").await, i64::try_from(not_json.len()).expect("a number"));

    let large = format!("{{\"type\": \"event_callback\", \"padding\": \"{}\"}}", "x".repeat(1_100_000));
    let answer = slack.raw(&large, "good", 0).await;
    assert_eq!(answer["status"], 413, "{answer}");
    let not_utf8 = slack.server.http.post(&slack.hook_url).body(vec![0xff, 0xfe, 0x00]);
    let answer = Reply::to(not_utf8).await;
    assert!([400, 401].contains(&answer.status), "{}", answer.body);
}

#[tokio::test]
async fn another_workspaces_events_are_refused_and_counted() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let event = json!({"type": "message", "channel": "C0GENERAL", "user": "U0ANA", "text": "lost", "ts": "1.000001"});
    let body = envelope(&slack, &event, "EvLOST").replace(&slack.team, "T0SOMEBODYELSE");

    let answer = slack.raw(&body, "good", 0).await;

    assert_eq!(answer["status"], 403, "{answer}");
    assert_eq!(slack.counter("unknown_workspace").await, 1);
    portal.nothing_more().await;
    assert!(portal.room().messages().await.is_empty());
}

#[tokio::test]
async fn unknown_types_are_acknowledged_counted_and_stop_nothing() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let strange = [
        json!({"type": "made_up_last_week", "channel": "C0GENERAL"}),
        json!({"type": "message", "channel": "C0GENERAL", "subtype": "made_up", "ts": "1700000000.000001"}),
        json!({"type": "message", "channel": "C0GENERAL"}),
        json!({"type": "message", "channel": "C0GENERAL", "ts": "not a ts", "user": "U0ANA", "text": "x"}),
        json!({"type": "message", "channel": "C0GENERAL", "ts": "1700000000.000002", "user": 7, "text": ["x"]}),
        json!({"type": "message", "channel": 5}),
        json!({"type": 5}),
        json!({}),
    ];
    for (number, event) in strange.iter().enumerate() {
        let answer = slack.raw(&envelope(&slack, event, &format!("EvSTRANGE{number}")), "good", 0).await;
        let status = answer["status"].as_i64().unwrap_or_default();
        assert!([200, 400].contains(&status), "{event}: {answer}");
    }
    assert!(slack.counter("unknown_type").await >= 1);

    slack.say("general", "ana", "none the worse").await;
    portal.message("none the worse").await;
    assert_eq!(slack.status().await["waiting"], 0);
}

#[tokio::test]
async fn unknown_and_broken_blocks_stay_visible() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let strange = [
        json!([{"type": "made_up_block", "text": {"type": "mrkdwn", "text": "inside the unknown"}}]),
        json!([{"type": "rich_text", "elements": [{"type": "made_up_element", "text": "inside"}]}]),
        json!([{"type": "rich_text", "elements": "not a list"}]),
        json!([{"type": "section"}]),
        json!([{"type": "image"}]),
    ];
    for (number, blocks) in strange.iter().enumerate() {
        let words = format!("strange {number}");
        let message = json!({"channel": "general", "user": "ana", "text": words, "blocks": blocks, "wait": true});
        slack.tell("messages", &message).await;
    }
    slack.say("general", "ana", "the end").await;

    portal.message("the end").await;
    let messages = portal.room().messages().await;
    assert_eq!(messages.len(), strange.len() + 1, "a message with a strange block is missing");
    for message in &messages {
        assert!(!message["content"]["body"].as_str().unwrap_or_default().is_empty(), "{message}");
    }
}

#[tokio::test]
async fn html_in_slack_is_text_in_matrix() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let words = "&lt;script&gt;alert(1)&lt;/script&gt; &lt;img src=x onerror=alert(1)&gt;";

    slack.say("general", "ana", words).await;

    let message = portal.message("<script>alert(1)</script> <img src=x onerror=alert(1)>").await;
    let html = message["content"]["formatted_body"].as_str().unwrap_or_default();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
}

#[tokio::test]
async fn a_message_too_large_for_matrix_is_seen_and_stops_nothing() {
    let slack = Workspace::shared().await;
    let portal = slack.bridge("C0GENERAL").await;
    let words = "long ".repeat(7_900);

    slack.tell("messages", &json!({"channel": "general", "user": "ana", "text": words, "wait": true})).await;
    slack.say("general", "ana", "after the flood").await;

    portal.message("after the flood").await;
    let messages = portal.room().messages().await;
    assert!(messages.len() >= 2, "the large message is not seen at all");
}

#[tokio::test]
async fn the_operators_calls_explain_what_is_wrong() {
    let slack = Workspace::shared().await;
    let server = &slack.server;
    let missing = server.slack("connect/finish", &json!({"login_id": slack.login_id})).await;
    assert_eq!(missing.status, 400, "{}", missing.body);
    let nobody = server.slack("connect/start", &json!({"owner": format!("@nobody:{}", server.name)})).await;
    assert_eq!(nobody.status, 404, "{}", nobody.body);
    let unknown = server.slack("status", &json!({"login_id": "no-such-login"})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let channel = json!({"login_id": slack.login_id, "channel": "no-such-channel"});
    let unknown = server.slack("bridge", &channel).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let channel = json!({"login_id": slack.login_id, "channel": "C0ELSEWHERE"});
    let foreign = server.slack("bridge", &channel).await;
    assert_eq!(foreign.status, 404, "{}", foreign.body);
    assert_eq!(server.slack("nonsense", &json!({})).await.status, 404);

    let owner = server.user("wrong").await;
    let mut wrong = Workspace::new(server, &owner).await;
    wrong.start().await;
    for token in ["xoxb-1-2-3", "", "xoxp-0-0-0-0"] {
        wrong.token = token.to_owned();
        let refused = wrong.finish().await;
        assert_eq!(refused.status, 400, "{token:?}: {}", refused.body);
    }
    assert_eq!(wrong.status().await["state"], "pending");
}
