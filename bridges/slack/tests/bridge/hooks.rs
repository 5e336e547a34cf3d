//! Slack's requests: verified, stored, acknowledged; everything else gets a clear answer.

use serde_json::json;

use crate::{
    slack::{SIGNING_SECRET, TOKEN},
    world::{ALICE, World, sign},
};

fn request(path: &str, timestamp: &str, signature: &str, body: &[u8]) -> http::Request<Vec<u8>> {
    http::Request::post(path)
        .header("x-slack-request-timestamp", timestamp)
        .header("x-slack-signature", signature)
        .body(body.to_vec())
        .unwrap()
}

#[test]
fn the_challenge_is_answered_from_finish_on() {
    let world = World::new();
    let login_id = world.start(ALICE).login_id;
    let body = json!({ "type": "url_verification", "challenge": "abc", "token": "x" }).to_string();
    assert_eq!(world.hook(&login_id, &body), 403);

    world.finish(&login_id, TOKEN).unwrap();

    let answer = world.try_hook(&login_id, &body).unwrap();
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer, json!({ "challenge": "abc" }));
}

#[test]
fn a_forged_path_reaches_no_object() {
    let (world, login_id) = World::connected();
    let good = world.hook_path(&login_id);
    let before = world.databases_made();
    for forged in [
        format!("{}x", &good[..good.len() - 1]),
        "/_hubbub/slack/AAAAAAAAAAAAAAAAAAAAAAAA/AAAA".to_owned(),
        format!("/_hubbub/slack/{login_id}/"),
    ] {
        assert_eq!(world.post(&forged, "{}").status(), 404, "{forged}");
    }
    assert_eq!(world.databases_made(), before);
}

#[test]
fn bad_signatures_and_stale_timestamps_are_refused_and_counted() {
    let (world, login_id, portal) = World::bridged();
    let path = world.hook_path(&login_id);
    let event = world.slack.says("C0GENERAL", "U0ANNA", "forged");
    let body = world.envelope(&event);
    let now = (world.now.get() / 1_000).to_string();
    let stale = (world.now.get() / 1_000 - 301).to_string();
    let refused = [
        request(&path, &now, &sign("other secret", &now, &body), body.as_bytes()),
        request(&path, &now, "", body.as_bytes()),
        request(&path, &stale, &sign(SIGNING_SECRET, &stale, &body), body.as_bytes()),
        request(&path, "", &sign(SIGNING_SECRET, "", &body), body.as_bytes()),
    ];
    for request in refused {
        assert_eq!(world.request(request).unwrap().unwrap().status(), 401);
    }
    world.settle();

    assert!(world.homeserver.bodies(portal.room_id.as_str()).is_empty());
    assert_eq!(world.status(&login_id).counters.refused, 4);
}

#[test]
fn oversized_and_malformed_bodies_get_clear_answers() {
    let (world, login_id, _) = World::bridged();
    let path = world.hook_path(&login_id);
    assert_eq!(world.post(&path, &"x".repeat((1 << 20) + 1)).status(), 413);
    let get = http::Request::get(&path).body(Vec::new()).unwrap();
    assert_eq!(world.request(get).unwrap().unwrap().status(), 405);
    let binary = request(&path, "1", "v0=", &[0xff, 0xfe]);
    assert_eq!(world.request(binary).unwrap().unwrap().status(), 400);
    for body in [
        "",
        "{}",
        "null",
        "{\"type\":\"event_callback\"}",
        "{\"type\":\"event_callback\",\"event_id\":\"E\",\"event\":5}",
    ] {
        assert_eq!(world.hook(&login_id, body), 400, "{body}");
    }
    assert_eq!(world.status(&login_id).counters.malformed, 5);
}

#[test]
fn events_that_concern_nobody_are_acknowledged_counted_and_dropped() {
    let (world, login_id, _) = World::bridged();
    world.slack_says(&login_id, "C0RANDOM", "U0ANNA", "nobody chose this channel");
    world.deliver(&login_id, &json!({ "type": "team_domain_change", "url": "x" }));
    world.deliver(&login_id, &json!({ "type": "made_up_tomorrow", "channel": { "id": "C1" } }));
    let stranger = world.envelope(&json!({ "type": "message", "channel": "C0GENERAL", "ts": "1.0" }));
    let stranger = stranger.replace("T0TEAM", "T0OTHER");
    assert_eq!(world.hook(&login_id, &stranger), 403);
    world.settle();

    let status = world.status(&login_id);
    assert_eq!(status.counters.dropped, 1);
    assert_eq!(status.counters.unknown_type, 2);
    assert_eq!(status.counters.unknown_workspace, 1);
    assert_eq!(status.waiting, 0);
    assert_eq!(world.inbound_rows(&login_id), 0);
}

#[test]
fn somebody_elses_direct_chat_makes_no_room() {
    let (world, login_id) = World::connected();
    let event = world.slack.says("D0ANNA", "U0ANNA", "psst");
    let body = world.envelope(&event).replace("\"user_id\":\"U0OWNER\"", "\"user_id\":\"U0BEN\"");

    assert_eq!(world.hook(&login_id, &body), 200);
    world.settle();

    assert!(world.status(&login_id).portals.is_empty());
    assert_eq!(world.status(&login_id).counters.dropped, 1);
}

#[test]
fn the_log_forgets_events_at_once_and_ids_after_two_days() {
    let (world, login_id, _) = World::bridged();
    for _ in 0..10 {
        world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "x");
    }
    world.settle();
    assert_eq!((world.inbound_rows(&login_id), world.known_events(&login_id)), (0, 10));

    world.now.set(world.now.get() + 3 * 86_400_000);
    world.slack.set_clock(world.now.get());
    world.slack_says(&login_id, "C0GENERAL", "U0ANNA", "later");
    world.settle();

    assert_eq!((world.inbound_rows(&login_id), world.known_events(&login_id)), (0, 1));
}
