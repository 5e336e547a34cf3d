//! Slack's events as the engine sees them: which are for a portal, and where a message stands.
//!
//! Only what decides that is read here, leniently, and the raw JSON is kept; the words are read by
//! [`convert`].

use hubbub_bridge::{
    contract::{ChannelKind, RemotePerson},
    network::{
        HookBody, HookEvent, HookKind, RemoteDeletion, RemoteEdit, RemoteEvent, RemoteLeave, RemoteMessage,
        RemoteProfile, RemoteReaction, RemoteReactions, RemoteRefresh, RemoteUnreaction, TransactionMark,
    },
};
use serde::Deserialize;
use serde_json::{Value as Json, value::RawValue};

use crate::{
    convert, files, previews,
    remote_id::{Timestamp, place_of, place_of_change},
};

/// The type of the metadata that we leave beside our own posts.
pub(crate) const MARK: &str = "hubbub_txn";

/// The subtype that says what the counts of a thread's root say already.
const REPLIED: &str = "message_replied";

/// Subtypes with which somebody speaks: they make the portal of a direct chat.
const SPEECH: &[&str] = &["me_message", "bot_message", "file_share", "thread_broadcast"];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    challenge: Option<String>,
    #[serde(default)]
    team_id: Option<String>,
    #[serde(default)]
    context_team_id: Option<String>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    event_time: Option<i64>,
    #[serde(default)]
    authorizations: Vec<Authorization>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Authorization {
    #[serde(default)]
    team_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

/// The fields of the inner event that decide where it goes. A channel is an id or an object.
#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    channel: Json,
    #[serde(default)]
    channel_type: Option<String>,
    #[serde(default)]
    item: Json,
    #[serde(default)]
    user: Json,
    #[serde(default)]
    tokens: Json,
    #[serde(default)]
    old_channel_id: Option<String>,
    #[serde(default)]
    new_channel_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    old_name: Option<String>,
    #[serde(default)]
    new_name: Option<String>,
}

/// Reads the body of a hook whose signature holds.
pub(crate) fn read_hook(body: &str) -> HookBody {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(body) else {
        return HookBody::Malformed("The body is not an Events API request.");
    };
    match envelope.kind.as_str() {
        "url_verification" => match envelope.challenge {
            Some(challenge) => HookBody::Challenge(challenge),
            None => HookBody::Malformed("The challenge is missing."),
        },
        "app_rate_limited" => HookBody::RateLimited,
        "event_callback" => read_callback(envelope),
        _ => HookBody::Malformed("This type of request is unknown."),
    }
}

fn read_callback(envelope: Envelope<'_>) -> HookBody {
    let (Some(event_id), Some(event)) = (envelope.event_id, envelope.event) else {
        return HookBody::Malformed("The event or its id is missing.");
    };
    let Ok(inner) = serde_json::from_str::<Inner>(event.get()) else {
        return HookBody::Malformed("The event has no type.");
    };
    let authorized = envelope.authorizations.iter();
    let teams = [envelope.team_id, envelope.context_team_id]
        .into_iter()
        .flatten()
        .chain(authorized.clone().filter_map(|one| one.team_id.clone()))
        .collect();
    let mut accounts = authorized.filter_map(|one| one.user_id.clone());
    HookBody::Event(HookEvent {
        event_id,
        at: envelope.event_time.unwrap_or(0),
        teams,
        account: accounts.next(),
        kind: kind_of(inner),
    })
}

fn kind_of(inner: Inner) -> HookKind {
    let channel = inner.channel.as_str().map(str::to_owned);
    match (inner.kind.as_str(), channel) {
        ("message", Some(channel)) => {
            let subtype = inner.subtype.as_deref();
            if subtype == Some(REPLIED) {
                return HookKind::NotBridged;
            }
            HookKind::ForChannel {
                kind: channel_kind(inner.channel_type.as_deref(), &channel),
                channel,
                opens: subtype.is_none_or(|subtype| SPEECH.contains(&subtype)),
            }
        }
        ("reaction_added" | "reaction_removed", _) => match inner.item.get("channel").and_then(Json::as_str) {
            Some(channel) => {
                HookKind::ForChannel { kind: channel_kind(None, channel), channel: channel.to_owned(), opens: false }
            }
            // A reaction to a file, which has no channel.
            None => HookKind::NotBridged,
        },
        ("member_left_channel", Some(channel)) => {
            HookKind::ForChannel { kind: channel_kind(None, &channel), channel, opens: false }
        }
        ("tokens_revoked", _) => {
            let users = inner.tokens.get("oauth").and_then(Json::as_array);
            let accounts: Vec<String> =
                users.into_iter().flatten().filter_map(|user| user.as_str().map(str::to_owned)).collect();
            // Only bot tokens were revoked: none of ours.
            if accounts.is_empty() && inner.tokens.get("bot").is_some() {
                return HookKind::Other;
            }
            HookKind::Revoked { accounts, reason: "token_revoked" }
        }
        ("app_uninstalled", _) => HookKind::Revoked { accounts: Vec::new(), reason: "app_uninstalled" },
        (
            "channel_rename" | "channel_archive" | "channel_unarchive" | "channel_deleted" | "channel_left"
            | "group_rename" | "group_archive" | "group_unarchive" | "group_deleted" | "group_left",
            _,
        ) => {
            let channel = inner.channel.as_str().or_else(|| inner.channel.get("id")?.as_str());
            channel.map_or(HookKind::Other, |channel| HookKind::ChannelChanged { channel: channel.to_owned() })
        }
        ("channel_id_changed", _) => match (inner.old_channel_id, inner.new_channel_id) {
            (Some(old), Some(new)) => HookKind::ChannelRenamed { old, new },
            _ => HookKind::Other,
        },
        ("user_change", _) => person_of(&inner.user),
        ("emoji_changed", _) => HookKind::EmojiChanged {
            keys: [inner.name, inner.old_name, inner.new_name].into_iter().flatten().chain(inner.names).collect(),
        },
        _ => HookKind::Other,
    }
}

fn person_of(user: &Json) -> HookKind {
    let id = user.get("id").and_then(Json::as_str);
    match (id, profile_of(user)) {
        (Some(id), Some(profile)) => HookKind::PersonChanged { person: id.to_owned(), profile },
        _ => HookKind::Other,
    }
}

/// How Slack shows a user object: its name, and its picture at a size that clients show.
pub(crate) fn profile_of(user: &Json) -> Option<RemoteProfile> {
    let pictures = ["/profile/image_192", "/profile/image_512", "/profile/image_72"];
    let picture = pictures.iter().find_map(|pointer| user.pointer(pointer)?.as_str()).map(ToOwned::to_owned);
    Some(RemoteProfile { name: name_of(user)?, picture })
}

/// Whether a user object of somebody who is there has this id or one of these names.
pub(crate) fn is_called(user: &Json, name: &str) -> bool {
    let gone = user.get("deleted").and_then(Json::as_bool).unwrap_or(false);
    let known = ["/profile/display_name", "/profile/real_name", "/real_name", "/name", "/id"];
    let named = known.iter().filter_map(|pointer| user.pointer(pointer)?.as_str());
    !gone && named.map(str::to_lowercase).any(|known| known == name.to_lowercase())
}

/// The name that Slack shows for a user object.
fn name_of(user: &Json) -> Option<String> {
    ["/profile/display_name", "/profile/real_name", "/real_name", "/name"]
        .iter()
        .filter_map(|pointer| user.pointer(pointer)?.as_str())
        .find(|name| !name.trim().is_empty())
        .map(str::to_owned)
}

fn channel_kind(channel_type: Option<&str>, channel: &str) -> Option<ChannelKind> {
    match (channel_type, channel.chars().next()) {
        (Some("im"), _) | (None, Some('D')) => Some(ChannelKind::Direct),
        (Some("mpim"), _) => Some(ChannelKind::Group),
        (Some("channel" | "group"), _) | (None, Some('C' | 'G')) => Some(ChannelKind::Channel),
        _ => None,
    }
}

/// The event inside a hook.
pub(crate) fn event_of(body: &str) -> Option<Box<RawValue>> {
    let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
    envelope.event.map(ToOwned::to_owned)
}

/// What says where a message stands and who wrote it.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    thread_ts: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    bot_id: Option<String>,
    #[serde(default)]
    app_id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    bot_profile: Json,
    #[serde(default)]
    metadata: Json,
    #[serde(default)]
    files: Json,
    #[serde(default)]
    edited: Option<Edited>,
}

#[derive(Deserialize)]
struct Edited {
    ts: String,
}

/// What says what an event changes.
#[derive(Deserialize)]
struct Change<'a> {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    event_ts: Option<String>,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    deleted_ts: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    reaction: Option<String>,
    #[serde(default)]
    item: Json,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    previous_message: Option<&'a RawValue>,
}

impl Change<'_> {
    /// When it happened.
    fn at(&self) -> Option<Timestamp> {
        Timestamp::read(self.event_ts.as_deref().or(self.ts.as_deref())?)
    }
}

/// Reads an event of a channel, or a message of a history.
pub(crate) fn read_event(event: &RawValue) -> RemoteEvent {
    let Ok(change) = serde_json::from_str::<Change<'_>>(event.get()) else {
        return RemoteEvent::Malformed;
    };
    let read = match (change.kind.as_str(), change.subtype.as_deref()) {
        ("reaction_added" | "reaction_removed", _) => reaction_of(&change),
        ("member_left_channel", _) => leave_of(&change),
        (_, Some("message_changed")) => edit_of(&change),
        (_, Some("message_deleted")) => change.deleted_ts.as_deref().and_then(|ts| deletion_of(&change, ts)),
        // What a history has in the place of a message that is gone.
        (_, Some("tombstone")) => change.ts.as_deref().and_then(|ts| deletion_of(&change, ts)),
        (_, Some(REPLIED)) => Some(RemoteEvent::Ignored(REPLIED.to_owned())),
        _ => message_of(event).map(RemoteEvent::Message),
    };
    read.unwrap_or(RemoteEvent::Malformed)
}

fn message_of(message: &RawValue) -> Option<RemoteMessage> {
    let head: Head = serde_json::from_str(message.get()).ok()?;
    let id = head.ts.clone()?;
    Some(RemoteMessage {
        place: place_of(&id)?,
        sent_at: Timestamp::read(&id)?.milliseconds(),
        by_program: head.bot_id.is_some() || head.app_id.is_some(),
        transaction: mark_of(&head.metadata),
        reply_to: None,
        thread_root: head.thread_ts.clone().filter(|root| *root != id),
        leaves: matches!(head.subtype.as_deref(), Some("channel_leave" | "group_leave")),
        changes_channel: matches!(
            head.subtype.as_deref(),
            Some("channel_topic" | "channel_name" | "group_topic" | "group_name")
        ),
        also_in_channel: head.subtype.as_deref() == Some("thread_broadcast"),
        edited: head.edited.as_ref().and_then(|edited| Timestamp::read(&edited.ts)).map_or(0, Timestamp::micros),
        files: files::ids_in(&head.files),
        sender: sender_of(head),
        id,
    })
}

/// An edit by a person has a new `edited`; previews, pins and reply counts change a message without one. `edited`
/// counts whole seconds: a second edit within one has other words and its place in that second.
fn edit_of(change: &Change<'_>) -> Option<RemoteEvent> {
    let at = change.at()?;
    let raw = change.message?;
    let mut message = message_of(raw)?;
    let new: Json = serde_json::from_str(raw.get()).ok()?;
    if new.get("subtype").and_then(Json::as_str) == Some("tombstone") {
        return deletion_of(change, &message.id);
    }
    let old: Json = change.previous_message.and_then(|old| serde_json::from_str(old.get()).ok()).unwrap_or_default();
    let refresh = |message: RemoteMessage| {
        if previews::added(&old, &new).next().is_none() && files::gone(&old, &new).1.is_empty() {
            return Some(RemoteEvent::Ignored("refreshed message".to_owned()));
        }
        let place = place_of_change(at, &format!("p{}", message.id));
        Some(RemoteEvent::Refresh(RemoteRefresh { place, message, at: at.milliseconds() }))
    };
    if message.edited == 0 {
        return refresh(message);
    }
    if old.pointer("/edited/ts") == new.pointer("/edited/ts") {
        if old.get("text") == new.get("text") && old.get("blocks") == new.get("blocks") {
            return refresh(message);
        }
        message.edited = message.edited.saturating_add(at.micros().rem_euclid(1_000_000).max(SECOND_EDIT));
    }
    let place = place_of_change(at, &format!("e{}", message.id));
    Some(RemoteEvent::Edit(RemoteEdit { place, message, at: at.milliseconds() }))
}

/// The least that a second edit within one second adds to the count; less is for the echo of our own.
const SECOND_EDIT: i64 = 2;

/// The count of an edit of our own that Slack says it made then.
pub(crate) fn own_edit(edited_at: Timestamp) -> i64 {
    edited_at.micros().saturating_add(SECOND_EDIT - 1)
}

fn deletion_of(change: &Change<'_>, ts: &str) -> Option<RemoteEvent> {
    Timestamp::read(ts)?;
    let place = place_of_change(change.at()?, &format!("d{ts}"));
    Some(RemoteEvent::Delete(RemoteDeletion { place, ids: vec![ts.to_owned()] }))
}

fn reaction_of(change: &Change<'_>) -> Option<RemoteEvent> {
    let at = change.at()?;
    let target = change.item.get("ts").and_then(Json::as_str)?.to_owned();
    Timestamp::read(&target)?;
    let key = convert::reaction_key(change.reaction.as_deref().filter(|name| !name.is_empty())?);
    let sender = RemotePerson { id: change.user.clone()?, name: None, picture: None };
    let place = place_of_change(at, &format!("r{target}{}{key}", sender.id));
    if change.kind == "reaction_removed" {
        let (sender, key) = (Some(sender), Some(key));
        return Some(RemoteEvent::ReactionRemove(RemoteUnreaction { place, target, sender, key }));
    }
    Some(RemoteEvent::ReactionAdd(RemoteReaction { place, target, sender, key, at: at.milliseconds() }))
}

/// The newest reply to the first message of a thread.
pub(crate) fn newest_reply(message: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Root {
        ts: String,
        thread_ts: String,
        latest_reply: String,
    }
    let root: Root = serde_json::from_str(message.get()).ok()?;
    (root.ts == root.thread_ts).then_some(root.latest_reply)
}

fn leave_of(change: &Change<'_>) -> Option<RemoteEvent> {
    let person = RemotePerson { id: change.user.clone()?, name: None, picture: None };
    let place = place_of_change(change.at()?, &format!("l{}", person.id));
    Some(RemoteEvent::Leave(RemoteLeave { place, person }))
}

/// The reactions that a message of a history has. Of a popular one Slack names only some people.
pub(crate) fn reactions_in(message: &RawValue) -> Vec<RemoteReactions> {
    #[derive(Deserialize)]
    struct Reacted {
        #[serde(default)]
        reactions: Vec<Reaction>,
    }
    #[derive(Deserialize)]
    struct Reaction {
        name: String,
        #[serde(default)]
        users: Vec<String>,
        #[serde(default)]
        count: usize,
    }
    let read: Option<Reacted> = serde_json::from_str(message.get()).ok();
    let reactions = read.map(|read| read.reactions).unwrap_or_default();
    reactions
        .into_iter()
        .map(|reaction| RemoteReactions {
            key: convert::reaction_key(&reaction.name),
            complete: reaction.users.len() >= reaction.count,
            people: reaction.users.into_iter().map(|id| RemotePerson { id, name: None, picture: None }).collect(),
        })
        .collect()
}

fn sender_of(head: Head) -> RemotePerson {
    if let Some(user) = head.user {
        return RemotePerson { id: user, name: None, picture: None };
    }
    let profile = head.bot_profile.get("name").and_then(Json::as_str);
    let name = head.username.or_else(|| profile.map(str::to_owned));
    RemotePerson {
        // What nobody signed is Slack's own word.
        id: head.bot_id.unwrap_or_else(|| "USLACKBOT".to_owned()),
        name,
        picture: None,
    }
}

fn mark_of(metadata: &Json) -> Option<TransactionMark> {
    if metadata.get("event_type").and_then(Json::as_str) != Some(MARK) {
        return None;
    }
    let payload = metadata.get("event_payload")?;
    let part = payload.get("p").and_then(Json::as_str).unwrap_or("0");
    Some(TransactionMark { event_id: payload.get("t")?.as_str()?.to_owned(), part: part.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn callback(event: Json) -> HookBody {
        let envelope = json!({
            "type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event_time": 1_700_000_000,
            "authorizations": [{ "team_id": "T1", "user_id": "U1", "is_bot": false }],
            "event": event,
        });
        read_hook(&envelope.to_string())
    }

    fn kind(event: Json) -> HookKind {
        let HookBody::Event(event) = callback(event) else {
            panic!("not an event");
        };
        event.kind
    }

    #[test]
    fn a_message_is_for_its_channel() {
        let event = json!({ "type": "message", "channel": "D1", "channel_type": "im", "ts": "1.0" });
        let expected = HookKind::ForChannel { channel: "D1".to_owned(), kind: Some(ChannelKind::Direct), opens: true };
        assert_eq!(kind(event), expected);
    }

    #[test]
    fn a_channel_join_opens_no_direct_chat() {
        let event = json!({ "type": "message", "subtype": "group_join", "channel": "G1", "channel_type": "mpim" });
        let HookKind::ForChannel { opens, .. } = kind(event) else {
            panic!("not for a channel");
        };
        assert!(!opens);
    }

    #[test]
    fn revoked_tokens_name_their_users() {
        let event = json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U1"], "bot": [] } });
        let expected = HookKind::Revoked { accounts: vec!["U1".to_owned()], reason: "token_revoked" };
        assert_eq!(kind(event), expected);
        let bots = json!({ "type": "tokens_revoked", "tokens": { "oauth": [], "bot": ["U9"] } });
        assert_eq!(kind(bots), HookKind::Other);
    }

    #[test]
    fn what_is_no_events_api_request_is_malformed() {
        for body in ["", "{}", "[]", "null", "{\"type\":\"event_callback\"}", "{\"type\":1}", "\u{0}"] {
            assert!(matches!(read_hook(body), HookBody::Malformed(_)), "{body}");
        }
    }

    #[test]
    fn our_own_mark_is_read_back() {
        let event = json!({
            "type": "message", "ts": "1712345678.000100", "user": "U1", "bot_id": "B1",
            "metadata": { "event_type": "hubbub_txn", "event_payload": { "t": "$event", "p": "2" } },
        });
        let RemoteEvent::Message(message) = read_event(&to_raw_value(&event).unwrap()) else {
            panic!("not a message");
        };
        assert_eq!(message.sent_at, 1_712_345_678_000);
        assert!(message.by_program);
        let mark = message.transaction.unwrap();
        assert_eq!((mark.event_id.as_str(), mark.part), ("$event", 2));
    }

    #[test]
    fn odd_messages_are_malformed_and_never_panic() {
        for event in [json!({}), json!([]), json!({ "ts": "x" }), json!({ "ts": 5 }), json!("x")] {
            let read = read_event(&to_raw_value(&event).unwrap());
            assert_eq!(read, RemoteEvent::Malformed, "{event}");
        }
    }
}
