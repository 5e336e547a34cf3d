//! Events as they come, as the engine sees them.

use serde_json::{json, value::to_raw_value};

use super::space::{Kind, SpaceEvent};
use super::*;

const MESSAGE: &str = "175928847299117063";
const SENT: i64 = 1_462_015_105_796;

fn frame(name: &str, data: Json) -> RemoteEvent {
    let event = Event { seq: 7, name: name.to_owned(), data: data.to_string() };
    read_event(&RawValue::from_string(stored(&event, SENT + 60_000)).unwrap())
}

fn message() -> Json {
    json!({ "id": MESSAGE, "channel_id": "10", "type": 0, "content": "hi", "author": { "id": "1", "username": "a" } })
}

#[test]
fn a_message_stands_where_its_id_says() {
    let RemoteEvent::Message(read) = frame("MESSAGE_CREATE", message()) else { panic!("no message") };
    assert_eq!((read.sent_at, read.place.place.as_str()), (SENT, "00175928847299117063"));
    assert_eq!((read.sender.id.as_str(), read.by_program, read.edited), ("1", false, 0));
    // One of a history is the same.
    assert_eq!(read_event(&to_raw_value(&message()).unwrap()), RemoteEvent::Message(read));
}

#[test]
fn a_reply_names_what_it_answers_and_a_forward_does_not() {
    let mut reply = message();
    reply["type"] = 19.into();
    reply["message_reference"] = json!({ "message_id": "9", "channel_id": "10" });
    let RemoteEvent::Message(read) = frame("MESSAGE_CREATE", reply) else { panic!("no message") };
    assert_eq!(read.reply_to.as_deref(), Some("9"));
    let mut forward = message();
    forward["message_reference"] = json!({ "type": 1, "message_id": "9" });
    let RemoteEvent::Message(read) = frame("MESSAGE_CREATE", forward) else { panic!("no message") };
    assert_eq!(read.reply_to, None);
}

#[test]
fn a_webhooks_message_has_a_name_of_its_own() {
    let mut spoken = message();
    spoken["webhook_id"] = "55".into();
    spoken["author"] = json!({ "id": "55", "username": "Bob" });
    let RemoteEvent::Message(read) = frame("MESSAGE_CREATE", spoken) else { panic!("no message") };
    assert!(read.by_program);
    let id = crate::remote_id::voice(crate::remote_id::Snowflake(55), "Bob");
    assert_eq!(read.sender, RemotePerson { id, name: Some("Bob".to_owned()), picture: None });
}

#[test]
fn an_edit_by_a_person_is_one_and_a_preview_is_not() {
    let mut edited = message();
    edited["edited_timestamp"] = "2016-04-30T11:19:00.500000+00:00".into();
    let RemoteEvent::Edit(edit) = frame("MESSAGE_UPDATE", edited.clone()) else { panic!("no edit") };
    assert_eq!((edit.at, edit.message.edited), (1_462_015_140_500, 1_462_015_140_500_000));
    assert!(edit.place > edit.message.place && !edit.place.place.contains("~e7"));
    // The preview that comes with the same time is the same edit.
    edited["embeds"] = json!([{ "title": "t" }]);
    let RemoteEvent::Edit(again) = frame("MESSAGE_UPDATE", edited) else { panic!("no edit") };
    assert_eq!(edit.place, again.place);
    assert_eq!(frame("MESSAGE_UPDATE", message()), RemoteEvent::Ignored("refresh".to_owned()));
    let partial = json!({ "id": MESSAGE, "channel_id": "10", "embeds": [] });
    assert_eq!(frame("MESSAGE_UPDATE", partial), RemoteEvent::Ignored("refresh".to_owned()));
}

#[test]
fn deletions_stand_after_their_messages() {
    let RemoteEvent::Delete(deletion) = frame("MESSAGE_DELETE", json!({ "id": MESSAGE, "channel_id": "10" })) else {
        panic!("no deletion")
    };
    assert!(deletion.place.place.as_str() > "00175928847299117063");
    let RemoteEvent::Delete(bulk) = frame("MESSAGE_DELETE_BULK", json!({ "ids": ["5", MESSAGE], "channel_id": "10" }))
    else {
        panic!("no deletion")
    };
    assert_eq!(bulk.ids, ["5", MESSAGE]);
}

#[test]
fn reactions_are_compared_without_variation_selectors_and_custom_ones_by_id() {
    let data = |emoji: Json| json!({ "user_id": "1", "message_id": MESSAGE, "channel_id": "10", "emoji": emoji });
    let key = |emoji: Json| match frame("MESSAGE_REACTION_ADD", data(emoji)) {
        RemoteEvent::ReactionAdd(reaction) => reaction.key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key(json!({ "id": null, "name": "❤️" })), "❤");
    assert_eq!(key(json!({ "id": "30", "name": "party", "animated": true })), "party:30");
    assert_eq!(key(json!({ "id": "30", "name": null })), "emoji:30");
    assert_eq!(shown_reaction("❤").key, "❤️");
    assert_eq!(shown_reaction("party:30").shortcode.as_deref(), Some(":party:"));
    let known = [("party".to_owned(), Snowflake(30))];
    assert_eq!(key_of_reaction("❤️", &[]).as_deref(), Some("❤"));
    assert_eq!(key_of_reaction(":party:", &known).as_deref(), Some("party:30"));
    assert_eq!(key_of_reaction(":gone:", &known), None);
    assert_eq!(key_of_reaction("words", &known), None);
}

#[test]
fn reactions_go_one_by_one_by_emoji_or_all_at_once() {
    let data =
        json!({ "user_id": "1", "message_id": MESSAGE, "channel_id": "10", "emoji": { "id": null, "name": "👍" } });
    let removed = |name: &str| match frame(name, data.clone()) {
        RemoteEvent::ReactionRemove(removal) => (removal.sender.map(|sender| sender.id), removal.key),
        other => panic!("{other:?}"),
    };
    let (one, thumb) = (Some("1".to_owned()), Some("👍".to_owned()));
    assert_eq!(removed("MESSAGE_REACTION_REMOVE"), (one, thumb.clone()));
    assert_eq!(removed("MESSAGE_REACTION_REMOVE_EMOJI"), (None, thumb));
    assert_eq!(removed("MESSAGE_REACTION_REMOVE_ALL"), (None, None));
}

#[test]
fn frames_go_where_they_belong() {
    let data = json!({ "id": "1", "channel_id": "10", "guild_id": "5" }).to_string();
    let channel = Route::Channel { channel: "10".to_owned(), guild: Some("5".to_owned()) };
    assert_eq!(route("MESSAGE_DELETE", &data), channel);
    assert_eq!(route("THREAD_LIST_SYNC", "{}"), Route::Space);
    assert_eq!(route("INTERACTION_CREATE", "{}"), Route::Command);
    assert_eq!(route("PRESENCE_UPDATE", "{}"), Route::Nowhere("PRESENCE_UPDATE".to_owned()));
    assert_eq!(route("MESSAGE_CREATE", "[]"), Route::Nowhere("MESSAGE_CREATE".to_owned()));
}

#[test]
fn an_outage_removes_no_server() {
    let gone = space::read("GUILD_DELETE", r#"{"id":"5","unavailable":true}"#);
    assert_eq!(gone, SpaceEvent::GuildUnavailable("5".to_owned()));
    assert_eq!(space::read("GUILD_DELETE", r#"{"id":"5"}"#), SpaceEvent::GuildDelete("5".to_owned()));
    assert_eq!(
        space::read("GUILD_CREATE", r#"{"id":"5","unavailable":true}"#),
        SpaceEvent::GuildUnavailable("5".to_owned())
    );
}

#[test]
fn a_server_comes_with_its_channels_threads_emoji_and_roles() {
    let data = json!({
        "id": "5", "name": "Guild", "channels": [
            { "id": "9", "type": 4, "name": "Cat" }, { "id": "10", "type": 0, "name": "general", "parent_id": "9", "topic": "t" },
            { "id": "11", "type": 15, "name": "forum" }, { "id": "12" },
        ],
        "threads": [{ "id": "13", "type": 11, "parent_id": "10", "name": "th", "thread_metadata": { "archived": true, "locked": false } }],
        "emojis": [{ "id": "30", "name": "party" }], "roles": [{ "id": "20", "name": "mods" }],
    });
    let SpaceEvent::GuildCreate(guild) = space::read("GUILD_CREATE", &data.to_string()) else { panic!("no guild") };
    let kinds: Vec<Kind> = guild.channels.iter().map(|channel| channel.kind).collect();
    assert_eq!(kinds, [Kind::Category, Kind::Text, Kind::Forum]);
    assert_eq!(guild.channels[1].guild.as_deref(), Some("5"));
    assert!(guild.threads[0].archived && guild.threads[0].parent.as_deref() == Some("10"));
    assert_eq!((guild.emoji.len(), guild.roles.len()), (1, 1));
}

#[test]
fn a_nickname_goes_before_a_name() {
    let data = json!({ "guild_id": "5", "nick": "Ally", "avatar": "a_x", "user": { "id": "1", "username": "alice", "avatar": "y" } });
    let SpaceEvent::Member { person, .. } = space::read("GUILD_MEMBER_UPDATE", &data.to_string()) else {
        panic!("no member")
    };
    assert_eq!(person.name, "Ally");
    assert_eq!(person.picture.as_deref(), Some("https://cdn.discordapp.com/guilds/5/users/1/avatars/a_x.gif"));
}

#[test]
fn odd_frames_are_malformed_and_never_panic() {
    for name in [
        "MESSAGE_CREATE",
        "MESSAGE_UPDATE",
        "MESSAGE_DELETE",
        "MESSAGE_DELETE_BULK",
        "MESSAGE_REACTION_ADD",
        "MESSAGE_REACTION_REMOVE",
    ] {
        for data in
            [json!(null), json!([]), json!("x"), json!({}), json!({ "id": 5 }), json!({ "id": "x", "ids": [1] })]
        {
            assert_eq!(frame(name, data), RemoteEvent::Malformed, "{name}");
        }
    }
    for name in space::NAMES {
        for data in ["", "null", "[]", "{}", r#"{"id":1,"guild_id":[],"user":{}}"#] {
            assert!(matches!(space::read(name, data), SpaceEvent::Malformed | SpaceEvent::Ignored(_)), "{name} {data}");
        }
    }
}
