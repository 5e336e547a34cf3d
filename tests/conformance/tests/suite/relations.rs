//! `GET /rooms/{id}/relations/{eventId}`: which events it returns, and in which pages.

use std::collections::BTreeSet;

use hubbub_conformance::{Answer, Call, Homeserver, User};
use serde_json::{Value, json};

fn related(body: &str, kind: &str, event_id: &str) -> Value {
    json!({"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": kind, "event_id": event_id}})
}

fn relations(user: &User, room: &str, event_id: &str) -> Call {
    user.get(["rooms", room, "relations", event_id]).version("v1")
}

/// The ids of a page, whose order is not looked at, and the token of the next one.
fn page(answer: Answer) -> (BTreeSet<String>, Option<String>) {
    let body = answer.ok();
    let chunk = body["chunk"].as_array().expect("a chunk");
    let ids = chunk.iter().map(|event| event["event_id"].as_str().expect("an event id").to_owned());
    (ids.collect(), body["next_batch"].as_str().map(str::to_owned))
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

struct Thread {
    alice: User,
    room: String,
    root: String,
}

impl Thread {
    async fn begin() -> Self {
        let alice = Homeserver::from_env().register("alice").await;
        let room = alice.create_room(json!({"preset": "public_chat"})).await;
        let root = alice.send_text(&room, "root").await;
        Self { alice, room, root }
    }

    async fn replies(&self, from: u32, to: u32) -> Vec<String> {
        let mut replies = Vec::new();
        for number in from..to {
            let content = related(&format!("reply {number}"), "m.thread", &self.root);
            replies.push(self.alice.send(&self.room, "m.room.message", content).await);
        }
        replies
    }

    fn relations(&self) -> Call {
        relations(&self.alice, &self.room, &self.root)
    }
}

/// Suite: TestRelations
#[tokio::test]
async fn related_events_are_found_by_relation_and_by_type() {
    let thread = Thread::begin().await;
    let Thread { alice, room, root } = &thread;
    let message = alice.send(room, "m.room.message", related("in the thread", "m.thread", root)).await;
    let dummy = alice.send(room, "m.dummy", related("of another type", "m.thread", root)).await;
    let mut edit = related("* edited", "m.replace", root);
    edit["m.new_content"] = json!({"msgtype": "m.text", "body": "edited"});
    let edit = alice.send(room, "m.room.message", edit).await;

    let all = page(thread.relations().await).0;
    assert_eq!(all, set(&[message.clone(), dummy.clone(), edit]));
    let typed = alice.get(["rooms", room, "relations", root, "m.thread"]).version("v1").await;
    assert_eq!(page(typed).0, set(&[message.clone(), dummy]));
    let messages = alice.get(["rooms", room, "relations", root, "m.thread", "m.room.message"]).version("v1").await;
    assert_eq!(page(messages).0, set(&[message]));
}

/// Suite: TestRelationsPagination
#[tokio::test]
async fn related_events_are_paged_from_the_newest_and_from_the_oldest() {
    let thread = Thread::begin().await;
    let replies = thread.replies(0, 10).await;

    let (newest, next) = page(thread.relations().query("limit", "3").await);
    assert_eq!(newest, set(&replies[7..]));
    let next = next.filter(|next| !next.is_empty()).expect("a token of the next page");
    let (older, _) = page(thread.relations().query("limit", "3").query("from", &next).await);
    assert_eq!(older, set(&replies[4..7]));

    let forwards = || thread.relations().query("limit", "3").query("dir", "f");
    let (oldest, next) = page(forwards().await);
    assert_eq!(oldest, set(&replies[..3]));
    let next = next.filter(|next| !next.is_empty()).expect("a token of the next page");
    assert_eq!(page(forwards().query("from", &next).await).0, set(&replies[3..6]));
}

/// Suite: TestRelationsPaginationSync
#[tokio::test]
async fn pages_of_related_events_may_start_at_a_token_of_a_sync() {
    let thread = Thread::begin().await;
    let early = thread.replies(0, 5).await;
    let since = thread.alice.wait_for_event(&thread.room, &early[4]).await;
    let late = thread.replies(5, 10).await;

    let forwards = |from: &str| thread.relations().query("limit", "3").query("dir", "f").query("from", from);
    let (first, next) = page(forwards(&since).await);
    assert_eq!(first, set(&late[..3]));
    let next = next.filter(|next| !next.is_empty()).expect("a token of the next page");
    assert_eq!(page(forwards(&next).await).0, set(&late[3..]));
}

/// No bullet of the public suite: what the specification says of aggregations, at each endpoint that has them.
#[tokio::test]
async fn an_edit_and_a_thread_come_bundled_with_the_event_wherever_it_is_read() {
    let thread = Thread::begin().await;
    let Thread { alice, room, root } = &thread;
    let replies = thread.replies(0, 2).await;
    let mut edit = related("* edited", "m.replace", root);
    edit["m.new_content"] = json!({"msgtype": "m.text", "body": "edited"});
    let edit = alice.send(room, "m.room.message", edit).await;
    alice.wait_for_event(room, &edit).await;

    let of = |events: &Value| {
        let events = events.as_array().expect("a list of events");
        events.iter().find(|event| event["event_id"] == root.as_str()).cloned().expect("the root")
    };
    let messages = alice.get(["rooms", room, "messages"]).query("dir", "b").await.ok();
    let context = alice.get(["rooms", room, "context", &replies[0]]).await.ok();
    // Some servers bundle in a timeline only if it is limited: a client that has all events can do it itself.
    let sync = alice.sync().filter(r#"{"room":{"timeline":{"limit":4}}}"#).await;
    for event in [
        alice.event(room, root).await.ok(),
        of(&messages["chunk"]),
        of(&context["events_before"]),
        of(&sync.joined(room)["timeline"]["events"]),
    ] {
        let relations = &event["unsigned"]["m.relations"];
        assert_eq!(relations["m.replace"]["event_id"], edit.as_str(), "{event}");
        assert_eq!(relations["m.thread"]["count"], 2, "{event}");
        assert_eq!(relations["m.thread"]["latest_event"]["event_id"], replies[1].as_str(), "{event}");
        assert_eq!(relations["m.thread"]["current_user_participated"], true, "{event}");
    }
}
