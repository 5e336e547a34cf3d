//! Unread counts of a room and its threads, as receipts move.

use hubbub_conformance::{Homeserver, SyncAnswer, User};
use serde_json::{Value, json};

const BY_THREAD: &str = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;

/// Notifications and highlights.
type Counts = (u64, u64);

fn counts(section: &Value) -> Option<Counts> {
    Some((section["notification_count"].as_u64()?, section["highlight_count"].as_u64()?))
}

struct Reader {
    bob: User,
    room: String,
    /// A token from before all messages: each sync starts there.
    since: String,
    thread: String,
}

impl Reader {
    /// Waits until the room has these counts without a filter, and with a filter these of the main timeline and of
    /// the thread (`None`: there are no counts by thread at all). Returns the filtered answer.
    async fn has_unread(&self, room: Counts, main: Counts, thread: Option<Counts>) -> SyncAnswer {
        let of_room = |sync: &SyncAnswer| counts(&sync.joined(&self.room)["unread_notifications"]);
        let of_threads = |sync: &SyncAnswer| sync.joined(&self.room).get("unread_thread_notifications").cloned();
        let what = format!("the counts {room:?}");
        let unfiltered = self.bob.sync().since(&self.since);
        unfiltered.until_from_same_token(&what, |sync| of_room(sync) == Some(room) && of_threads(sync).is_none()).await;
        let what = format!("the counts {main:?} and {thread:?} by thread");
        let filtered = self.bob.sync().since(&self.since).filter(BY_THREAD);
        filtered
            .until_from_same_token(&what, |sync| {
                let of_thread = of_threads(sync).map(|threads| counts(&threads[&self.thread]));
                of_room(sync) == Some(main) && of_thread == thread.map(Some)
            })
            .await
    }

    async fn reads(&self, event_id: &str, body: Value) {
        self.bob.post(["rooms", &self.room, "receipt", "m.read", event_id]).json(body).await.ok();
    }

    fn receipt<'a>(&self, sync: &'a SyncAnswer, event_id: &str) -> Option<&'a Value> {
        let receipts = sync.ephemeral(&self.room, "m.receipt")?;
        receipts["content"][event_id]["m.read"].get(&self.bob.id)
    }
}

fn message(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

fn related(body: &str, kind: &str, event_id: &str) -> Value {
    json!({"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": kind, "event_id": event_id}})
}

/// Mentions are written the old way, as the user id in the text: they must highlight as long as `m.mentions` is absent.
///
/// Suite: TestThreadedReceipts
#[tokio::test]
async fn receipts_clear_the_counts_of_the_main_timeline_and_of_threads() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    // A rule kind that the server does not know is not found, rather than a bad request.
    let rule = bob.get(["pushrules", "global", "postcontent", ".io.element.msc4306.rule.subscribed_thread"]).await;
    assert!([200, 404].contains(&rule.status()), "200 or 404 was expected\n{rule}");
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    let since = bob.wait_for_member(&room, &bob, "join").await;

    let text = "m.room.message";
    let a1 = alice.send(&room, text, message("A1: root")).await;
    let b1 = alice.send(&room, text, related("B1: in the thread", "m.thread", &a1)).await;
    alice.send(&room, text, related(&format!("C1: in the thread, to {}", bob.id), "m.thread", &a1)).await;
    let d1 = alice.send(&room, text, message(&format!("D1: to {}", bob.id))).await;
    alice.send(&room, text, related("E1: in the thread", "m.thread", &a1)).await;
    let f1 = alice.send(&room, text, related("F1: refers to A1, not in the thread", "m.reference", &a1)).await;
    let annotation = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": f1, "key": "+1"}});
    let g1 = alice.send(&room, "m.room.reaction", annotation).await;
    bob.wait_for_event(&room, &g1).await;
    let reader = Reader { bob, room, since, thread: a1.clone() };
    reader.has_unread((6, 2), (3, 1), Some((3, 1))).await;

    reader.reads(&a1, json!({"thread_id": "main"})).await;
    reader.has_unread((5, 2), (2, 1), Some((3, 1))).await;

    reader.reads(&b1, json!({"thread_id": a1})).await;
    let sync = reader.has_unread((4, 2), (2, 1), Some((2, 1))).await;
    assert_eq!(reader.receipt(&sync, &a1).expect("a receipt on A1")["thread_id"], "main");
    assert_eq!(reader.receipt(&sync, &b1).expect("a receipt on B1")["thread_id"], a1.as_str());

    reader.reads(&d1, json!({})).await;
    let sync = reader.has_unread((2, 0), (1, 0), Some((1, 0))).await;
    assert!(reader.receipt(&sync, &d1).expect("a receipt on D1").get("thread_id").is_none());

    reader.reads(&g1, json!({"thread_id": a1})).await;
    reader.has_unread((1, 0), (1, 0), None).await;
}
