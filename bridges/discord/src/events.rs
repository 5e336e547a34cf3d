//! What happens at Discord, as the engine sees it.
//!
//! A stored frame is `{"t": name, "s": seq, "at": milliseconds, "d": data}` ([`stored`]): what the
//! gateway handed out, and when it came, since a deletion or a reaction says no time of its own.
//! [`read_event`] reads what changes a channel's timeline, from such a frame or from a message of a
//! history; [`route`] tells the LoginObject where a frame belongs, and [`space`] what changes a
//! server's channels, threads, emoji and people.

pub mod space;

use hubbub_bridge::{
    contract::RemotePerson,
    emoji,
    network::{
        RemoteDeletion, RemoteEdit, RemoteEvent, RemoteLeave, RemoteMessage, RemoteReaction, RemoteReactions,
        RemoteUnreaction, ShownReaction,
    },
};
use hubbub_storage::portal::Place;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};

use crate::{
    gateway::Event,
    remote_id::{Snowflake, voice},
    text_of,
};

/// The field of a message under which a forum's post has its title here; the API calls it so in its own calls.
pub(crate) const TITLE: &str = "thread_name";

/// An event as it is kept until its portal has it.
#[must_use]
pub fn stored(event: &Event, at: i64) -> String {
    // The data is JSON already: it is kept letter by letter.
    let name = Json::from(event.name.as_str());
    format!(r#"{{"t":{name},"s":{},"at":{at},"d":{}}}"#, event.seq, event.data)
}

#[derive(Deserialize)]
struct Stored<'a> {
    t: String,
    s: u64,
    at: i64,
    #[serde(borrow)]
    d: &'a RawValue,
    /// The thread that it is in.
    #[serde(default)]
    th: Option<InThread>,
}

/// The thread of an event, as far as its portal has to know it.
#[derive(Serialize, Deserialize)]
struct InThread {
    id: String,
    name: String,
}

/// An event as [`stored`] made it, with the thread that it is in.
#[must_use]
pub fn in_thread(body: &str, id: &str, name: &str) -> String {
    let thread = InThread { id: id.to_owned(), name: name.to_owned() };
    match (body.trim_end().strip_suffix('}'), serde_json::to_string(&thread)) {
        (Some(open), Ok(thread)) => format!(r#"{open},"th":{thread}}}"#),
        _ => body.to_owned(),
    }
}

/// A message of a thread's history, as [`read_event`] takes it.
#[must_use]
pub fn of_thread(message: &Json, thread: &str) -> String {
    in_thread(&format!(r#"{{"t":"MESSAGE_CREATE","s":0,"at":0,"d":{message}}}"#), thread, "")
}

/// Id and name of the thread that a stored event is in.
#[must_use]
pub fn thread_of(event: &RawValue) -> Option<(Snowflake, String)> {
    let thread = serde_json::from_str::<Stored<'_>>(event.get()).ok()?.th?;
    Some((Snowflake::read(&thread.id)?, thread.name))
}

/// An event as it is kept, taken apart.
pub struct Envelope {
    /// Its name.
    pub name: String,
    /// Its number.
    pub seq: u64,
    /// When it came, in milliseconds since the epoch.
    pub at: i64,
    /// Its data: JSON.
    pub data: String,
}

/// Takes apart what [`stored`] made; `None` for everything else.
#[must_use]
pub fn envelope(body: &str) -> Option<Envelope> {
    let stored: Stored<'_> = serde_json::from_str(body).ok()?;
    Some(Envelope { name: stored.t, seq: stored.s, at: stored.at, data: stored.d.get().to_owned() })
}

/// Where a frame belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The timeline of a channel or thread.
    Channel {
        /// The channel or thread.
        channel: String,
        /// Its server; `None` for a direct message.
        guild: Option<String>,
    },
    /// The server: see [`space::read`].
    Space,
    /// The bot: somebody gave it a command.
    Command,
    /// Nowhere; its name for the counter.
    Nowhere(String),
}

/// Tells where an event belongs, by its name and the ids that it needs for that.
#[must_use]
pub fn route(name: &str, data: &str) -> Route {
    match name {
        "MESSAGE_CREATE"
        | "MESSAGE_UPDATE"
        | "MESSAGE_DELETE"
        | "MESSAGE_DELETE_BULK"
        | "MESSAGE_REACTION_ADD"
        | "MESSAGE_REACTION_REMOVE"
        | "MESSAGE_REACTION_REMOVE_ALL"
        | "MESSAGE_REACTION_REMOVE_EMOJI" => {
            let data: Json = serde_json::from_str(data).unwrap_or_default();
            match text_of(&data, "channel_id") {
                Some(channel) => Route::Channel { channel, guild: text_of(&data, "guild_id") },
                None => Route::Nowhere(name.to_owned()),
            }
        }
        "INTERACTION_CREATE" => Route::Command,
        name if space::NAMES.contains(&name) => Route::Space,
        name => Route::Nowhere(name.to_owned()),
    }
}

/// The message in a stored frame or of a history, as JSON; `None` when there is none.
#[must_use]
pub fn message_of(event: &RawValue) -> Option<Json> {
    match serde_json::from_str::<Stored<'_>>(event.get()) {
        Ok(stored) => {
            let mut message: Json = serde_json::from_str(stored.d.get()).ok()?;
            let title = stored.th.filter(|thread| begins(&message, thread) && !thread.name.is_empty());
            if let (Some(title), Some(fields)) = (title, message.as_object_mut()) {
                fields.insert(TITLE.to_owned(), title.name.into());
            }
            Some(message)
        }
        Err(_) => serde_json::from_str(event.get()).ok(),
    }
}

/// Reads a stored frame, or a message of a history.
#[must_use]
pub fn read_event(event: &RawValue) -> RemoteEvent {
    let Ok(stored) = serde_json::from_str::<Stored<'_>>(event.get()) else {
        return match serde_json::from_str::<Json>(event.get()) {
            Ok(message) => message_event(&message, None),
            Err(_) => RemoteEvent::Malformed,
        };
    };
    let Ok(data) = serde_json::from_str::<Json>(stored.d.get()) else { return RemoteEvent::Malformed };
    let thread = stored.th.as_ref().map(|thread| thread.id.as_str());
    let change = Change { data: &data, seq: stored.s, at: stored.at, thread };
    let read = match stored.t.as_str() {
        "MESSAGE_CREATE" => return message_event(&data, thread),
        "MESSAGE_UPDATE" => return change.edit(),
        "MESSAGE_DELETE" => change.deletion(text_of(&data, "id").into_iter().collect()),
        "MESSAGE_DELETE_BULK" => {
            let ids = data.get("ids").and_then(Json::as_array).into_iter().flatten();
            change.deletion(ids.filter_map(Json::as_str).map(str::to_owned).collect())
        }
        "MESSAGE_REACTION_ADD" => change.reaction(),
        "GUILD_MEMBER_REMOVE" => change.leave(),
        "MESSAGE_REACTION_REMOVE" | "MESSAGE_REACTION_REMOVE_ALL" | "MESSAGE_REACTION_REMOVE_EMOJI" => {
            change.unreaction(&stored.t)
        }
        other => return RemoteEvent::Ignored(other.to_owned()),
    };
    read.unwrap_or(RemoteEvent::Malformed)
}

/// Whether a thread begins with this message, which is in it: so it is with the posts of a forum.
fn begins(message: &Json, thread: &InThread) -> bool {
    text_of(message, "id").is_some_and(|id| id == thread.id)
}

fn message_event(message: &Json, thread: Option<&str>) -> RemoteEvent {
    // A thread's first message repeats the one that the thread hangs on.
    if message.get("type").and_then(Json::as_u64) == Some(21) {
        return RemoteEvent::Ignored("thread_starter".to_owned());
    }
    read_message(message, thread).map_or(RemoteEvent::Malformed, RemoteEvent::Message)
}

fn read_message(message: &Json, thread: Option<&str>) -> Option<RemoteMessage> {
    // A thread that was begun without a message is told of by one: that is its first, and has its id.
    let begun = message.pointer("/message_reference/channel_id").and_then(Json::as_str);
    let begun = begun.filter(|_| message.get("type").and_then(Json::as_u64) == Some(18));
    let id = begun.map_or_else(|| text_of(message, "id"), |thread| Some(thread.to_owned()))?;
    let id = Snowflake::read(&id)?;
    // What answers a slash command has its application's id there, and its bot as the author.
    let author_id = message.get("author").and_then(|author| text_of(author, "id"));
    let webhook = text_of(message, "webhook_id").filter(|id| author_id.as_ref().is_none_or(|author| author == id));
    let author = message.get("author").unwrap_or(&Json::Null);
    let is_bot = author.get("bot").and_then(Json::as_bool).unwrap_or(false);
    let guild = text_of(message, "guild_id");
    let shown = space::person(author, message.get("member"), guild.as_deref());
    let (shown, picture) = shown.map(|person| (person.name, person.picture)).unzip();
    // What speaks by a webhook has the name that it spoke by, and no nickname.
    let name = if webhook.is_some() { text_of(author, "username") } else { shown };
    let sender = match &webhook {
        Some(webhook) => {
            let by = text_of(message, "application_id").unwrap_or_else(|| webhook.clone());
            voice(Snowflake::read(&by)?, name.as_deref().unwrap_or_default())
        }
        None => author_id?,
    };
    let reference = message.get("message_reference");
    // Type 1 is a forward, which answers nothing.
    let answers = reference.filter(|reference| reference.get("type").and_then(Json::as_u64).unwrap_or(0) == 0);
    let is_reply = message.get("type").and_then(Json::as_u64) == Some(19);
    Some(RemoteMessage {
        id: id.to_string(),
        place: Place { place: id.place(), generation: 0 },
        sent_at: id.milliseconds(),
        by_program: is_bot || webhook.is_some(),
        sender: RemotePerson { id: sender, name, picture: picture.flatten() },
        // The nonce is a digest of the event's id, which only whoever sent it can tell (`nonce_of`).
        transaction: None,
        reply_to: answers.filter(|_| is_reply).and_then(|reference| text_of(reference, "message_id")),
        // A thread is a channel of its own at Discord: the LoginObject knows which.
        thread_root: thread.map(str::to_owned),
        also_in_channel: false,
        leaves: false,
        // A new name of a thread or channel.
        changes_channel: message.get("type").and_then(Json::as_u64) == Some(4),
        edited: edited_at(message).unwrap_or(0),
        // They come with the message's contents.
        files: Vec::new(),
    })
}

/// Whether a bot or webhook said this message.
#[must_use]
pub fn is_by_program(message: &str) -> bool {
    let message: Json = serde_json::from_str(message).unwrap_or_default();
    let bot = message.pointer("/author/bot").and_then(Json::as_bool) == Some(true);
    bot || text_of(&message, "webhook_id").is_some()
}

/// The mark that we left beside our own message.
#[must_use]
pub fn nonce_of(message: &Json) -> Option<String> {
    match message.get("nonce")? {
        Json::String(nonce) => Some(nonce.clone()),
        Json::Number(nonce) => Some(nonce.to_string()),
        _ => None,
    }
}

/// When a person edited a message, in microseconds since the epoch; `None` when nobody did. Previews,
/// pins and thread flags leave it alone.
fn edited_at(message: &Json) -> Option<i64> {
    let moment: jiff::Timestamp = text_of(message, "edited_timestamp")?.parse().ok()?;
    u64::try_from(moment.as_microsecond()).ok().and_then(|micros| i64::try_from(micros).ok())
}

/// A change, and what tells it apart from all others.
struct Change<'a> {
    data: &'a Json,
    seq: u64,
    at: i64,
    thread: Option<&'a str>,
}

impl Change<'_> {
    /// Where it stands: at its own time, after the message that it changes.
    fn place(&self, at: i64, target: Snowflake, kind: &str) -> Place {
        let moment = Snowflake::at(at).max(Snowflake(target.0.saturating_add(1)));
        Place { place: format!("{}~{kind}{}", moment.place(), self.seq), generation: 0 }
    }

    fn edit(&self) -> RemoteEvent {
        let Some(message) = read_message(self.data, self.thread) else {
            // Only Discord's own refreshes come without an author.
            let partial = text_of(self.data, "id").is_some_and(|id| Snowflake::read(&id).is_some());
            return if partial { RemoteEvent::Ignored("refresh".to_owned()) } else { RemoteEvent::Malformed };
        };
        if message.edited == 0 {
            return RemoteEvent::Ignored("refresh".to_owned());
        }
        let Some(target) = Snowflake::read(&message.id) else { return RemoteEvent::Malformed };
        let at = message.edited / 1_000;
        // Not by the frame: the same edit comes again with each preview, and is one.
        let moment = Snowflake::at(at).max(Snowflake(target.0.saturating_add(1)));
        let place = Place { place: format!("{}~e{target}-{}", moment.place(), message.edited), generation: 0 };
        RemoteEvent::Edit(RemoteEdit { place, message, at })
    }

    fn deletion(&self, ids: Vec<String>) -> Option<RemoteEvent> {
        let newest = ids.iter().filter_map(|id| Snowflake::read(id)).max()?;
        Some(RemoteEvent::Delete(RemoteDeletion { place: self.place(self.at, newest, "d"), ids }))
    }

    fn leave(&self) -> Option<RemoteEvent> {
        let id = text_of(self.data.get("user")?, "id")?;
        let place = self.place(self.at, Snowflake(0), "l");
        Some(RemoteEvent::Leave(RemoteLeave { place, person: RemotePerson { id, name: None, picture: None } }))
    }

    fn target(&self) -> Option<(String, Snowflake)> {
        let target = text_of(self.data, "message_id")?;
        let id = Snowflake::read(&target)?;
        Some((target, id))
    }

    fn sender(&self) -> Option<RemotePerson> {
        text_of(self.data, "user_id").map(|id| RemotePerson { id, name: None, picture: None })
    }

    fn reaction(&self) -> Option<RemoteEvent> {
        let (target, id) = self.target()?;
        Some(RemoteEvent::ReactionAdd(RemoteReaction {
            place: self.place(self.at, id, "r"),
            target,
            sender: self.sender()?,
            key: reaction_key(self.data.get("emoji")?)?,
            at: self.at.max(id.milliseconds()),
        }))
    }

    fn unreaction(&self, name: &str) -> Option<RemoteEvent> {
        let (target, id) = self.target()?;
        let one = name == "MESSAGE_REACTION_REMOVE";
        let all = name == "MESSAGE_REACTION_REMOVE_ALL";
        Some(RemoteEvent::ReactionRemove(RemoteUnreaction {
            place: self.place(self.at, id, "u"),
            target,
            sender: if one { Some(self.sender()?) } else { None },
            key: if all { None } else { Some(reaction_key(self.data.get("emoji")?)?) },
        }))
    }
}

/// The key by which reactions are compared: the character without its variation selector, or
/// `name:id` of a custom emoji (`a:name:id` of one that moves is the same emoji).
fn reaction_key(emoji: &Json) -> Option<String> {
    let name = text_of(emoji, "name");
    match text_of(emoji, "id") {
        Some(id) => Some(format!("{}:{}", name.unwrap_or_else(|| "emoji".to_owned()), Snowflake::read(&id)?)),
        None => name.map(|name| name.replace('\u{fe0f}', "")),
    }
}

/// How Matrix shows a reaction with this key. A custom one needs its picture, which the caller knows.
#[must_use]
pub fn shown_reaction(key: &str) -> ShownReaction {
    if let Some((name, _)) = custom(key) {
        let shown = format!(":{name}:");
        return ShownReaction { key: shown.clone(), shortcode: Some(shown) };
    }
    // Clients compare reactions with the selector that asks for a picture.
    let qualified = emoji::get(key).map_or(key, |emoji| emoji.shown);
    ShownReaction { key: qualified.to_owned(), shortcode: None }
}

/// The key of a reaction of Matrix's, where Discord has such an emoji: a character. A custom one is found by
/// its name, in the server's list.
#[must_use]
pub fn key_of_reaction(reaction: &str, emoji: &[(String, Snowflake)]) -> Option<String> {
    let name = reaction.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    if let Some(name) = name {
        return emoji.iter().find(|(known, _)| known == name).map(|(name, id)| format!("{name}:{id}"));
    }
    emoji::get(reaction).map(|_| emoji::bare(reaction))
}

/// Name and id of a custom emoji's key.
pub(crate) fn custom(key: &str) -> Option<(&str, Snowflake)> {
    let (name, id) = key.rsplit_once(':')?;
    Some((name, Snowflake::read(id)?)).filter(|(name, _)| !name.is_empty())
}

/// The reactions of a message of a history. Discord counts them; who reacted is another call for each.
#[must_use]
pub fn reactions_in(message: &Json) -> Vec<RemoteReactions> {
    let reactions = message.get("reactions").and_then(Json::as_array).into_iter().flatten();
    reactions
        .filter_map(|reaction| reaction_key(reaction.get("emoji")?))
        .map(|key| RemoteReactions { key, people: Vec::new(), complete: false })
        .collect()
}

#[cfg(test)]
mod tests;
