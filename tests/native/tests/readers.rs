//! Who reads what of a room: a member, one who left, was kicked, banned or forgot, who was never
//! there, and all of them while it is open to the world. Each endpoint must say the same.

use hubbub_native::{Client, Reply, TestServer};
use serde_json::{Value as Json, json};

/// A room with a history: what was said before, during and after Bob's stay.
struct Story {
    server: TestServer,
    alice: Client,
    bob: Client,
    room: String,
    before: String,
    during: String,
    after: String,
}

fn story(visibility: &str, ends: impl Fn(&Client, &Client, &str)) -> Story {
    let server = TestServer::new();
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let content = json!({"history_visibility": visibility});
    let room = alice.create_room(&json!({
        "preset": "public_chat", "name": "old name",
        "initial_state": [{"type": "m.room.history_visibility", "content": content}],
    }));
    let before = alice.send_text(&room, "before");
    bob.join(&room);
    let during = alice.send_text(&room, "during");
    ends(&alice, &bob, &room);
    let after = alice.send_text(&room, "after");
    alice.set_state(&room, "m.room.name", "", &json!({"name": "new name"})).ok();
    carol.join(&room);
    let renamed = json!({"membership": "join", "displayname": "Renamed"});
    alice.set_state(&room, "m.room.member", &alice.user_id, &renamed).ok();
    Story { server, alice, bob, room, before, during, after }
}

/// How Bob's stay ends: by himself or by Alice.
type End = fn(&Client, &Client, &str);

fn leaves(_: &Client, bob: &Client, room: &str) {
    bob.leave(room);
}

fn is_kicked(alice: &Client, bob: &Client, room: &str) {
    alice.member(room, "kick", bob).ok();
}

fn is_banned(alice: &Client, bob: &Client, room: &str) {
    alice.member(room, "ban", bob).ok();
}

fn is_invited_again(alice: &Client, bob: &Client, room: &str) {
    bob.leave(room);
    alice.member(room, "invite", bob).ok();
}

impl Story {
    fn event(&self, reader: &Client, event: &str) -> Reply {
        reader.get(["rooms", &self.room, "event", event])
    }

    fn context(&self, reader: &Client, event: &str) -> Reply {
        reader.get(["rooms", &self.room, "context", event])
    }

    /// What was said, as the reader pages it, both ways, and as `/event` and `/context` give it.
    #[track_caller]
    fn heard(&self, reader: &Client) -> Vec<&'static str> {
        let said = [("before", &self.before), ("during", &self.during), ("after", &self.after)];
        let single: Vec<&str> = said
            .iter()
            .filter(|(_, event)| {
                let (one, around) = (self.event(reader, event).status, self.context(reader, event).status);
                assert_eq!(one, around, "/event and /context agree");
                one == 200
            })
            .map(|(text, _)| *text)
            .collect();
        for direction in ["b", "f"] {
            let query = [("dir", direction), ("limit", "100")];
            let page = reader.query(["rooms", &self.room, "messages"], &query);
            let chunk = match page.status {
                200 => page.json()["chunk"].as_array().cloned().unwrap_or_default(),
                _ => Vec::new(),
            };
            let bodies: Vec<_> = chunk.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
            let found: Vec<&str> = said.iter().map(|(text, _)| *text).filter(|text| bodies.contains(text)).collect();
            assert_eq!(found, single, "/messages {direction} and /event agree");
        }
        single
    }

    /// The room's name by `/state/{type}`, by `/state` and among the members, if they may be read.
    #[track_caller]
    fn name_and_members(&self, reader: &Client) -> Option<(Json, Vec<String>)> {
        let (one, all) = (reader.state(&self.room, "m.room.name", ""), reader.get(["rooms", &self.room, "state"]));
        let members = reader.get(["rooms", &self.room, "members"]);
        assert_eq!((one.status, all.status), (members.status, members.status));
        if one.status != 200 {
            one.refused(403, "M_FORBIDDEN");
            all.refused(403, "M_FORBIDDEN");
            members.refused(403, "M_FORBIDDEN");
            return None;
        }
        let name = one.json()["name"].clone();
        let all = all.json();
        let listed = all.as_array().expect("a list");
        let found = listed.iter().find(|event| event["type"] == "m.room.name").expect("a name");
        assert_eq!(found["content"]["name"], name);
        let of = |events: &Json| {
            let events = events.as_array().expect("a list").iter();
            let members = events.filter(|event| event["type"] == "m.room.member");
            let mut members: Vec<String> = members
                .map(|event| {
                    let user = event["state_key"].as_str().expect("a key").split(':').next().expect("a name");
                    format!("{user} {}", event["content"]["membership"].as_str().expect("a membership"))
                })
                .collect();
            members.sort();
            members
        };
        let members = of(&members.json()["chunk"]);
        assert_eq!(of(&all), members);
        Some((name, members))
    }
}

#[test]
fn whoever_is_out_reads_the_room_as_it_was_then() {
    let ends: [(&str, End); 4] =
        [("leave", leaves), ("leave", is_kicked), ("ban", is_banned), ("leave", is_invited_again)];
    for (visibility, heard) in
        [("shared", vec!["before", "during"]), ("joined", vec!["during"]), ("invited", vec!["during"])]
    {
        for (out, end) in ends {
            let story = story(visibility, end);
            assert_eq!(story.heard(&story.bob), heard, "{visibility} {out}");
            let (name, members) = story.name_and_members(&story.bob).expect("the past is there");
            assert_eq!(name, "old name");
            assert_eq!(members, ["@alice join".to_owned(), format!("@bob {out}")]);
            story.bob.get(["rooms", &story.room, "joined_members"]).refused(403, "M_FORBIDDEN");
            story.bob.get(["rooms", &story.room, "aliases"]).refused(403, "M_FORBIDDEN");
            story.bob.send_with(&story.room, "t", "hello").refused(403, "M_FORBIDDEN");
        }
    }
}

#[test]
fn whoever_is_out_is_told_no_newer_names_of_those_who_spoke() {
    let story = story("shared", leaves);
    let query = [("dir", "b"), ("limit", "100"), ("filter", r#"{"lazy_load_members":true}"#)];
    let members = |reader: &Client| {
        let state = reader.query(["rooms", &story.room, "messages"], &query).ok()["state"].clone();
        let mut names: Vec<Json> =
            state.as_array().expect("a list").iter().map(|e| e["content"]["displayname"].clone()).collect();
        names.retain(|name| !name.is_null());
        names
    };
    assert_eq!(members(&story.alice), [json!("Renamed")]);
    assert_eq!(members(&story.bob), [] as [Json; 0]);
    let context = story.bob.query(["rooms", &story.room, "context", &story.during], &[("limit", "100")]).ok();
    assert!(!context.to_string().contains("Renamed") && !context.to_string().contains("new name"));
}

#[test]
fn whoever_was_never_there_reads_nothing() {
    for visibility in ["shared", "joined", "invited"] {
        let story = story(visibility, leaves);
        let dora = story.server.account("dora");
        assert_eq!(story.heard(&dora), [] as [&str; 0]);
        assert_eq!(story.name_and_members(&dora), None);
        // An invite opens nothing yet.
        story.alice.member(&story.room, "invite", &dora).ok();
        assert_eq!(story.heard(&dora), [] as [&str; 0]);
        assert_eq!(story.name_and_members(&dora), None);
        story.event(&dora, &story.during).refused(404, "M_NOT_FOUND");
        story.event(&dora, "$absent").refused(404, "M_NOT_FOUND");
    }
}

#[test]
fn whoever_forgot_the_room_reads_nothing_until_they_are_back() {
    let story = story("shared", leaves);
    story.bob.post(["rooms", &story.room, "forget"], &json!({})).ok();
    assert_eq!(story.heard(&story.bob), [] as [&str; 0]);
    assert_eq!(story.name_and_members(&story.bob), None);
    story.bob.join(&story.room);
    assert_eq!(story.heard(&story.bob), ["before", "during", "after"]);
}

#[test]
fn a_room_open_to_the_world_is_read_by_everybody() {
    let story = story("world_readable", leaves);
    let dora = story.server.account("dora");
    assert_eq!(story.heard(&dora), ["before", "during", "after"]);
    let (name, members) = story.name_and_members(&dora).expect("it is open");
    assert_eq!(name, "new name");
    assert_eq!(members, ["@alice join", "@bob leave", "@carol join"]);
    dora.get(["rooms", &story.room, "aliases"]).ok();
    dora.get(["rooms", &story.room, "joined_members"]).refused(403, "M_FORBIDDEN");
    dora.send_with(&story.room, "t", "hello").refused(403, "M_FORBIDDEN");
    // Who left hears on, and sees the state of the own time there.
    assert_eq!(story.heard(&story.bob), ["before", "during", "after"]);
    assert_eq!(story.name_and_members(&story.bob).expect("it is open").0, "old name");
    // Closing it shuts out whoever was never there.
    let closed = json!({"history_visibility": "shared"});
    story.alice.set_state(&story.room, "m.room.history_visibility", "", &closed).ok();
    assert_eq!(story.heard(&dora), [] as [&str; 0]);
    assert_eq!(story.name_and_members(&dora), None);
}

#[test]
fn members_at_a_token_end_where_the_stay_ended() {
    let story = story("shared", leaves);
    let token = story.alice.sync(None).next_batch();
    let page = story.alice.query(["rooms", &story.room, "messages"], &[("dir", "b"), ("limit", "1")]).ok();
    let newest = page["start"].as_str().expect("a token");
    let at = |reader: &Client, token: &str| {
        let members = reader.query(["rooms", &story.room, "members"], &[("at", token)]).ok();
        members["chunk"].as_array().expect("a list").len()
    };
    assert_eq!(at(&story.alice, &token), 3);
    assert_eq!(at(&story.alice, newest), 3);
    assert_eq!(at(&story.bob, newest), 2);
}
