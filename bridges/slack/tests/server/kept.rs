//! Data of a bridged server that earlier versions left opens in this one: every file in `kept/`.
//!
//! A new schema step of a login, a portal or an appservice brings a new file: `HUBBUB_KEEP=NAME cargo test -p
//! hubbub-slack --test server kept` writes it. Files that are there never change.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
};

use http::Method;
use hubbub_native::kept::{Kept, prove_every, prove_this_version};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::World;

/// A bridged server's data.
#[derive(Serialize, Deserialize)]
struct KeptBridge {
    /// The objects and D1; its room is that of `#general`.
    #[serde(flatten)]
    kept: Kept,
    login_id: String,
    /// A session of alice's.
    access_token: String,
    device_id: String,
    /// When it was kept.
    now: i64,
}

const TOKEN_OF_IRC: &str = "as_token_of_irc_kept";

const IRC: &str = "
id: irc
url: https://irc.example
as_token: as_token_of_irc_kept
hs_token: hs_token_of_irc_kept
sender_localpart: ircbot
rate_limited: false
namespaces:
  users:
    - exclusive: true
      regex: '@_irc_.*:hub\\.example'
  aliases: []
  rooms: []
";

/// What the appservice is sent: the bodies, or nothing while it is down.
#[derive(Clone, Default)]
struct Irc(Rc<(Cell<bool>, RefCell<Vec<String>>)>);

impl Irc {
    /// Answers for the appservice, and lets Slack answer for itself.
    fn of(world: &World) -> Self {
        let irc = Self::default();
        let (answering, slack, clock) = (irc.clone(), Rc::clone(&world.slack), world.server.clone());
        world.server.http().answer_by(move |request| {
            if request.uri().host() != Some("irc.example") {
                slack.set_clock(clock.now());
                return slack.answer(&request);
            }
            let (down, told) = &*answering.0;
            if down.get() {
                return Ok(http::Response::builder().status(502).body(Vec::new()).unwrap());
            }
            let body: Json = serde_json::from_slice(request.body()).unwrap_or_default();
            let events = body["events"].as_array().cloned().unwrap_or_default();
            told.borrow_mut()
                .extend(events.iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)));
            Ok(http::Response::new(b"{}".to_vec()))
        });
        irc
    }
}

/// A server with a bridged channel, a direct chat, an appservice that is down while something waits for it, a file,
/// receipts, tags and account data.
fn lived_in() -> KeptBridge {
    let world = World::connected(1);
    let irc = Irc::of(&world);
    let alice = &world.alice;
    let room = world.bridge("#general");
    for number in 0..20 {
        world.slack_says("C0GENERAL", "U0ANNA", &format!("from Slack {number}"));
    }
    let answer = world.send(&room, "kept", &json!({ "msgtype": "m.text", "body": "the answer" }));
    world.slack_says("D0ANNA", "U0ANNA", "psst");
    world.server.register_appservice(IRC).ok();
    let bot = world.server.appservice_user(TOKEN_OF_IRC, "@ircbot:hub.example");
    let lobby = alice.create_room(&json!({ "preset": "public_chat", "name": "Lobby" }));
    bot.join(&lobby);
    alice.send_text(&lobby, "taken");
    alice.post(["rooms", &room, "receipt", "m.read", &answer], &json!({})).ok();
    alice.put(["user", &alice.user_id, "account_data", "org.example.kept"], &json!({ "is": "kept" })).ok();
    alice.put(["user", &alice.user_id, "rooms", &room, "tags", "m.favourite"], &json!({ "order": 0.5 })).ok();
    let mut upload = alice.request(Method::POST, "/_matrix/media/v3/upload?filename=kept.txt", None);
    *upload.body_mut() = b"kept".to_vec();
    world.server.request(upload).ok();
    world.server.advance(120_000);
    assert_eq!(*irc.0.1.borrow(), ["taken"]);
    irc.0.0.set(true);
    alice.send_text(&lobby, "waits");
    world.server.advance(20_000);
    KeptBridge {
        login_id: world.login_id.clone(),
        access_token: alice.token.clone(),
        device_id: alice.device_id.clone(),
        now: world.server.now(),
        kept: Kept::of(&world.server, room),
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kept"))
}

fn prove(kept: &KeptBridge) {
    let server = kept.kept.open(World::options(7));
    server.advance(kept.now - server.now());
    let world = World {
        slack: World::slack_of(&server),
        alice: server.session("@alice:hub.example", &kept.access_token, &kept.device_id),
        login_id: kept.login_id.clone(),
        // Slack never gives an event's id twice.
        events: Cell::new(1_000),
        server,
    };
    let irc = Irc::of(&world);
    let (alice, room) = (&world.alice, kept.kept.room_id.as_str());

    let mut expected: Vec<String> = (0..20).map(|number| format!("from Slack {number}")).collect();
    expected.push("the answer".to_owned());
    assert_eq!(world.bodies(room), expected);
    let account_data = |kind: &str| alice.get(["user", &alice.user_id, "account_data", kind]).ok();
    assert_eq!(account_data("org.example.kept")["is"], "kept");
    let direct = account_data("m.direct")["@_slack_t0team_u0anna:hub.example"][0].as_str().unwrap().to_owned();
    assert_eq!(world.bodies(&direct), ["psst"]);
    let tags = alice.get(["user", &alice.user_id, "rooms", room, "tags"]).ok();
    assert_eq!(tags["tags"]["m.favourite"]["order"], 0.5);
    let sync = alice.sync(None);
    let ephemeral = sync.0["rooms"]["join"][room]["ephemeral"]["events"].to_string();
    assert!(ephemeral.contains("m.receipt") && ephemeral.contains(&alice.user_id), "{ephemeral}");
    let deleted = world.server.admin(Method::POST, "delete-media", &json!({ "uploader": alice.user_id })).ok();
    assert_eq!(deleted["deleted"], 1, "{deleted}");

    // Both ways go on, and what waited for the appservice comes first.
    world.slack_says("C0GENERAL", "U0ANNA", "from Slack again");
    world.slack_says("D0ANNA", "U0ANNA", "still there?");
    world.send(room, "kept", &json!({ "msgtype": "m.text", "body": "the answer" }));
    world.send(room, "new", &json!({ "msgtype": "m.text", "body": "from this version" }));
    world.server.settle();
    expected.extend(["from Slack again", "from this version"].map(str::to_owned));
    assert_eq!(world.bodies(room), expected, "a repeated transaction is known");
    assert_eq!(world.slack.posted("C0GENERAL"), ["from this version"]);
    assert_eq!(world.bodies(&direct), ["psst", "still there?"]);
    let lobby = sync.0["rooms"]["join"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, joined)| joined["timeline"]["events"].to_string().contains("waits"));
    alice.send_with(lobby.unwrap().0, "more", "and more").ok();
    world.server.advance(600_000);
    assert_eq!(*irc.0.1.borrow(), ["waits", "and more"]);
}

#[test]
fn a_bridged_server_that_any_earlier_version_left_goes_on() {
    prove_every(&folder(), lived_in, prove);
}

#[test]
fn a_bridged_server_of_this_version_can_be_kept() {
    prove_this_version(&lived_in(), prove);
}
