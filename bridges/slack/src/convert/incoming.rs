//! Slack → Matrix: a message event becomes `m.room.message` contents, or the wish to change one.
//!
//! The caller decides what to do with an [`Incoming`]: which room, which ghost, whether an edit or a
//! deletion is bridged at all. Nothing that Slack shows is dropped: a message that Matrix could not
//! hold in one event becomes several, a subtype that nobody knows is still shown.
//! See <https://docs.slack.dev/reference/events/message>.

use super::compose::compose;
use super::json;
use hubbub_bridge::text::Names;
use hubbub_bridge::text::document::{Block, Document, Span};
use hubbub_bridge::text::normalise;
use hubbub_bridge::text::split;
use hubbub_bridge::text::to_body;
use hubbub_bridge::text::{mentions, needs_html, to_html};
use ruma::events::room::message::RoomMessageEventContent;
use serde_json::Value;
use slack_morphism::{SlackBotId, SlackChannelId, SlackClientMessageId, SlackMessageEdited, SlackTs, SlackUserId};
use std::collections::HashSet;

/// The most that `body` and `formatted_body` of one event may hold together.
///
/// An event has at most 65,536 bytes
/// (<https://spec.matrix.org/v1.19/client-server-api/#size-limits>); the rest is for escapes in
/// JSON, mentions, and what the room adds.
const EVENT_TEXT_LIMIT: usize = 40_000;

/// What a message event asks for.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// Something was said.
    Message(Box<Message>),
    /// Something that was said is different now.
    Edit(Box<Edit>),
    /// Something that was said is gone.
    Deletion(Deletion),
    /// Bookkeeping of Slack's that shows nothing, such as `message_replied`.
    Ignored {
        /// Slack's `subtype`.
        subtype: String,
    },
    /// An event that lacks what its subtype promises; worth counting.
    Malformed {
        /// The field that is missing.
        missing: &'static str,
    },
}

/// One message of Slack's, ready for Matrix.
#[derive(Debug, Clone)]
pub struct Message {
    /// Slack's id of the message within its channel. `None` only in malformed events.
    pub ts: Option<SlackTs>,
    /// The channel, if the event names it: messages of a history do not.
    pub channel: Option<SlackChannelId>,
    /// The thread's root; equal to `ts` in the root itself.
    pub thread_ts: Option<SlackTs>,
    /// The id that the sending client chose, which tells our own echo.
    pub client_msg_id: Option<SlackClientMessageId>,
    /// Who said it.
    pub sender: Sender,
    /// Slack's `subtype`, if any.
    pub subtype: Option<String>,
    /// Whether a reply in a thread was also sent to the channel.
    pub also_in_channel: bool,
    /// The last edit by a person, if any.
    pub edited: Option<SlackMessageEdited>,
    /// At least one content, in order; more only where one event could not hold it.
    /// Each has explicit `m.mentions`, so that nothing pings by accident.
    pub contents: Vec<RoomMessageEventContent>,
}

/// Who said something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// The user, or the user that an app acts as.
    pub user: Option<SlackUserId>,
    /// The app.
    pub bot: Option<SlackBotId>,
    /// The name that an app gave itself for this message.
    pub username: Option<String>,
    /// The picture that an app gave itself.
    pub icon_url: Option<String>,
}

/// A message that is different now.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Whether a person changed it.
    pub kind: EditKind,
    /// The message as it is now; its `ts` names the one to replace.
    pub message: Message,
}

/// Why Slack says that a message changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
    /// Its author edited it.
    Author,
    /// Slack added a link preview, a reply count or the like; the author wrote nothing.
    Refresh,
}

/// A message that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The message.
    pub ts: SlackTs,
    /// The channel, if the event names it.
    pub channel: Option<SlackChannelId>,
    /// The thread that it was in.
    pub thread_ts: Option<SlackTs>,
}

/// Converts a message event, or a message of a history.
pub fn from_slack(event: &Value, names: &dyn Names) -> Incoming {
    let channel = id::<SlackChannelId>(event, "channel");
    match json::text(event, "subtype") {
        Some("message_changed") => changed(event, channel, names),
        Some("message_deleted") => match id(event, "deleted_ts") {
            Some(ts) => {
                Incoming::Deletion(Deletion { ts, channel, thread_ts: thread_of(event.get("previous_message")) })
            }
            None => Incoming::Malformed { missing: "deleted_ts" },
        },
        Some(subtype @ "message_replied") => Incoming::Ignored { subtype: subtype.to_owned() },
        _ => Incoming::Message(Box::new(message(event, channel, names))),
    }
}

/// The message that an event is about: its new state, if it is an edit.
pub(super) fn message_of(event: &Value) -> &Value {
    match json::text(event, "subtype") {
        Some("message_changed" | "message_replied") => json::present(event, "message").unwrap_or(event),
        _ => event,
    }
}

fn changed(event: &Value, channel: Option<SlackChannelId>, names: &dyn Names) -> Incoming {
    let Some(new) = json::present(event, "message") else { return Incoming::Malformed { missing: "message" } };
    let Some(ts) = id::<SlackTs>(new, "ts") else { return Incoming::Malformed { missing: "message.ts" } };
    // A deleted message with replies stays as a tombstone.
    if json::text(new, "subtype") == Some("tombstone") {
        return Incoming::Deletion(Deletion { ts, channel, thread_ts: thread_of(Some(new)) });
    }
    let edited_at = |message: &Value| message.pointer("/edited/ts").and_then(Value::as_str).map(str::to_owned);
    let before = json::present(event, "previous_message").and_then(edited_at);
    let kind = if edited_at(new).is_some_and(|now| Some(now) != before) { EditKind::Author } else { EditKind::Refresh };
    Incoming::Edit(Box::new(Edit { kind, message: message(new, channel, names) }))
}

fn thread_of(message: Option<&Value>) -> Option<SlackTs> {
    message.and_then(|message| id(message, "thread_ts"))
}

fn message(message: &Value, channel: Option<SlackChannelId>, names: &dyn Names) -> Message {
    let subtype = json::text(message, "subtype");
    Message {
        ts: id(message, "ts"),
        channel,
        thread_ts: id(message, "thread_ts"),
        client_msg_id: id(message, "client_msg_id"),
        sender: sender(message),
        also_in_channel: subtype == Some("thread_broadcast"),
        edited: message.get("edited").and_then(|edited| serde_json::from_value(edited.clone()).ok()),
        contents: contents(message, subtype, names),
        subtype: subtype.map(str::to_owned),
    }
}

fn sender(message: &Value) -> Sender {
    let icon = ["/icons/image_72", "/icons/image_64", "/icons/image_48", "/bot_profile/icons/image_72"];
    let profile_name = message.get("bot_profile").and_then(|profile| json::text(profile, "name"));
    Sender {
        user: id(message, "user"),
        bot: id(message, "bot_id"),
        username: json::text(message, "username").or(profile_name).map(str::to_owned),
        icon_url: icon.iter().find_map(|path| message.pointer(path).and_then(Value::as_str)).map(str::to_owned),
    }
}

fn id<Id: From<String>>(value: &Value, key: &str) -> Option<Id> {
    json::text(value, key).map(|id| Id::from(id.to_owned()))
}

fn contents(message: &Value, subtype: Option<&str>, names: &dyn Names) -> Vec<RoomMessageEventContent> {
    let composition = compose(message);
    let mut document = composition.document;
    let mut alternatives = composition.alternatives;
    if document.blocks.is_empty() {
        document.blocks = alternatives.drain(..).flat_map(|alternative| alternative.blocks).collect();
    }
    if document.blocks.is_empty() {
        document.blocks.push(Block::Paragraph(vec![Span::plain(substitute(message, subtype))]));
    }
    let mut parts: Vec<Part> = cut(document, names).into_iter().map(|document| Part::new(document, names)).collect();
    add_alternatives(&mut parts, alternatives, names);
    parts.into_iter().map(|part| part.into_content(subtype)).collect()
}

fn cut(document: Document, names: &dyn Names) -> Vec<Document> {
    let measure = |block: &Block| {
        let alone = Document { blocks: vec![block.clone()] };
        to_html(&alone, names).len().saturating_add(to_body(&alone, names).len())
    };
    split(document, EVENT_TEXT_LIMIT, &measure).into_iter().map(normalise).collect()
}

struct Part {
    document: Document,
    body: String,
    html: Option<String>,
    mentions: ruma::events::Mentions,
}

impl Part {
    fn new(document: Document, names: &dyn Names) -> Self {
        let html = needs_html(&document, names).then(|| to_html(&document, names));
        Self { body: to_body(&document, names), html, mentions: mentions(&document, names), document }
    }

    fn into_content(self, subtype: Option<&str>) -> RoomMessageEventContent {
        let Self { body, html, mentions, .. } = self;
        let content = match (subtype, html) {
            (Some("me_message"), Some(html)) => RoomMessageEventContent::emote_html(body, html),
            (Some("me_message"), None) => RoomMessageEventContent::emote_plain(body),
            (Some(subtype), Some(html)) if is_notice(subtype) => RoomMessageEventContent::notice_html(body, html),
            (Some(subtype), None) if is_notice(subtype) => RoomMessageEventContent::notice_plain(body),
            (_, Some(html)) => RoomMessageEventContent::text_html(body, html),
            (_, None) => RoomMessageEventContent::text_plain(body),
        };
        content.add_mentions(mentions)
    }
}

/// Adds what the plain text says and the blocks do not: to the plain body, which shows what Slack's
/// notifications do, or if it is too long for that, as a message of its own.
fn add_alternatives(parts: &mut Vec<Part>, alternatives: Vec<Document>, names: &dyn Names) {
    let bodies: Vec<String> = parts.iter().map(|part| part.body.clone()).collect();
    let said: HashSet<&str> = bodies.iter().flat_map(|body| words(body)).collect();
    let all_letters: String = bodies.iter().map(|body| letters(body)).collect();
    let mut missing: Vec<String> = Vec::new();
    for alternative in alternatives {
        let body = to_body(&alternative, names);
        // Markup may stand between the letters of a word, and lists are numbered differently.
        let is_said = all_letters.contains(&letters(&body)) || words(&body).all(|word| said.contains(word));
        if is_said || missing.contains(&body) {
            continue;
        }
        if body.len() <= EVENT_TEXT_LIMIT / 4 {
            missing.push(body);
        } else {
            parts.extend(cut(alternative, names).into_iter().map(|document| Part::new(document, names)));
        }
    }
    if let Some(first) = parts.first_mut().filter(|_| !missing.is_empty()) {
        first.html.get_or_insert_with(|| to_html(&first.document, names));
        first.body = format!("{}\n\n{}", missing.join("\n\n"), first.body);
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The words of a text, without the single letters and digits that number lists.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().nth(1).is_some())
}

/// The subtypes by which Slack itself speaks
/// (<https://docs.slack.dev/reference/events/message#subtypes>).
fn is_notice(subtype: &str) -> bool {
    let about_channel = ["channel_", "group_", "pinned_item", "unpinned_item", "reminder_", "huddle_", "sh_room_"];
    about_channel.iter().any(|prefix| subtype.starts_with(prefix))
        || matches!(subtype, "bot_add" | "bot_remove" | "joiner_notification" | "tombstone" | "ekm_access_denied")
}

/// What to say for a message that says nothing.
fn substitute(message: &Value, subtype: Option<&str>) -> String {
    let value = ["topic", "purpose", "name"].iter().find_map(|key| json::text(message, key));
    match (subtype, value) {
        (Some(subtype), Some(value)) => format!("{}: {value}", subtype.replace('_', " ")),
        (Some(subtype), None) => format!("[{}]", subtype.replace('_', " ")),
        (None, _) => "[empty message]".to_owned(),
    }
}
