//! What an event of the room becomes at the network, and which remote messages it is about.

use hubbub_core::error::Result;
use hubbub_storage::portal::{
    self as store, MappedMessage,
    changes::{self, DELETED, ReactionRow},
};
use serde_json::Value as Json;

use super::{
    PortalObject,
    alter::Call,
    outbound::{Outgoing, Progress},
    upload::{OutgoingFile, file_of},
};
use crate::{
    contract::Access,
    network::{EmojiBook, KnownAddresses},
};

/// Messages of one millisecond that are looked at.
const MOST_AT_ONCE: i64 = 200;

/// Waiting events among which an edit looks for a later one of the same message.
const LOOK_AHEAD: usize = 50;

/// What an event becomes.
pub(super) enum Plan {
    /// These posts.
    Posts {
        /// What they say.
        posts: Vec<Json>,
        /// The file that the first of them shows.
        file: Option<OutgoingFile>,
        /// The message that they answer.
        reply_to: Option<String>,
        /// The first message of the thread that they go to.
        thread_root: Option<String>,
    },
    /// Changes of what is there.
    Change(Vec<Call>),
    /// Nothing, and nobody misses it.
    Nothing,
    /// Nothing, and the room says why: each time, or once a kind.
    Explain(Option<&'static str>, String),
}

impl PortalObject {
    /// What an event at this place of the lane becomes.
    pub(super) async fn plan(&self, seq: i64, event: &Outgoing, access: &Access) -> Result<Plan> {
        let title = self.facts().title;
        let explain = |kind, text: String| Ok(Plan::Explain(kind, text));
        if event.sender != access.owner.as_str() {
            // What somebody else deletes or likes is a matter of the room.
            if event.event_type != "m.room.message" {
                return Ok(Plan::Nothing);
            }
            let text = format!("Only what {} writes goes to {title}.", access.owner);
            return explain(Some("other-people"), text);
        }
        match event.event_type.as_str() {
            "m.room.message" if relation(event) == Some("m.replace") => self.plan_edit(seq, event, access).await,
            "m.room.message" => self.plan_message(event, access).await,
            "m.reaction" => self.plan_reaction(event, access).await,
            "m.room.redaction" => self.plan_redaction(event, access).await,
            "m.room.encrypted" => explain(None, format!("This message is encrypted, so it cannot go to {title}.")),
            "m.sticker" => self.plan_message(event, access).await,
            _ => explain(Some("unknown-type"), format!("This kind of message does not go to {title}.")),
        }
    }

    async fn plan_message(&self, event: &Outgoing, access: &Access) -> Result<Plan> {
        let title = self.facts().title;
        // A message that was redacted before it came here.
        let kind = text(&event.content, "/msgtype").unwrap_or_default();
        if kind.is_empty() && event.event_type == "m.room.message" {
            return Ok(Plan::Nothing);
        }
        let file = file_of(event);
        if file.is_none()
            && (event.event_type == "m.sticker" || matches!(kind, "m.image" | "m.file" | "m.audio" | "m.video"))
        {
            let text =
                format!("This file did not go to {title}: it says not where its bytes are, or they are encrypted.");
            return Ok(Plan::Explain(None, text));
        }
        let (posts, file) = self.said_by(event, access).await?;
        if posts.is_empty() {
            let text = format!("There is nothing in this message that {title} could show.");
            return Ok(Plan::Explain(None, text));
        }
        let (reply_to, thread_root) = self.answered(&event.content).await?;
        Ok(Plan::Posts { posts, file, reply_to, thread_root })
    }

    /// The posts that a message becomes, and the file that the first of them shows.
    pub(super) async fn said_by(&self, event: &Outgoing, access: &Access) -> Result<(Vec<Json>, Option<OutgoingFile>)> {
        let file = file_of(event);
        let mut posts = match words_of(event, file.as_ref()) {
            Some(words) => self.posts_of(words, access).await?,
            None => Vec::new(),
        };
        if posts.is_empty() && file.is_some() {
            posts.push(Json::Null);
        }
        Ok((posts, file))
    }

    /// How many posts a message becomes.
    pub(super) fn parts_of(&self, event: &Outgoing, access: &Access) -> Result<usize> {
        let file = file_of(event);
        let words = words_of(event, file.as_ref());
        let posts = words.map(|words| self.convert(words, access, &EmojiBook::default())).transpose()?;
        Ok(posts.map_or(0, |posts| posts.len()).max(usize::from(file.is_some())))
    }

    /// The message that a content answers, and the first of the thread that it goes to. What cannot be found is
    /// answered by a plain message.
    pub(super) async fn answered(&self, content: &Json) -> Result<(Option<String>, Option<String>)> {
        let threaded = text(content, "/m.relates_to/rel_type") == Some("m.thread");
        let root = text(content, "/m.relates_to/event_id").filter(|_| threaded);
        let falls_back = content.pointer("/m.relates_to/is_falling_back").and_then(Json::as_bool) == Some(true);
        let target = text(content, "/m.relates_to/m.in_reply_to/event_id").filter(|_| !(threaded && falls_back));
        let root = match root {
            Some(root) => self.remote_messages(root).await?.into_iter().next(),
            None => None,
        };
        let target = match target {
            Some(target) => self.remote_messages(target).await?.into_iter().next(),
            None => None,
        };
        let mut thread = root.map(|root| root.thread_root.unwrap_or(root.remote_id));
        let mut reply_to = None;
        if let Some(target) = target {
            if thread.is_none() {
                thread.clone_from(&target.thread_root);
            }
            if self.facts().replies_thread {
                thread = thread.or(Some(target.remote_id));
            } else {
                reply_to = Some(target.remote_id);
            }
        }
        Ok((reply_to, thread))
    }

    /// The posts that a content becomes. Custom emoji that it turns out to have are looked up first.
    pub(super) async fn posts_of(&self, content: &Json, access: &Access) -> Result<Vec<Json>> {
        let mut emoji = EmojiBook::default();
        let posts = self.convert(content, access, &emoji)?;
        let mut asked = emoji.asked.take();
        asked.sort();
        asked.dedup();
        if asked.is_empty() {
            return Ok(posts);
        }
        let found = self.emoji_named(asked.clone()).await?;
        emoji.known.extend(asked.into_iter().zip(found));
        self.convert(content, access, &emoji)
    }

    /// As [`Self::posts_of`], with the custom emoji that are known.
    pub(super) fn convert(&self, content: &Json, access: &Access, emoji: &EmojiBook) -> Result<Vec<Json>> {
        let room_id = self.room_id()?;
        let channel = self.row()?.channel;
        let known = KnownAddresses {
            team: &access.team,
            owner: &access.owner,
            own_person: access.own_person.as_deref(),
            server_name: &self.context.config.server_name,
            room_id: Some(&room_id),
            channel: &channel,
            emoji,
            channels: &access.channels,
        };
        Ok(self.network.to_remote(content, &known))
    }

    async fn plan_edit(&self, seq: i64, event: &Outgoing, access: &Access) -> Result<Plan> {
        let title = self.facts().title;
        let Some(target) = text(&event.content, "/m.relates_to/event_id") else { return Ok(Plan::Nothing) };
        let Some(content) = event.content.get("m.new_content") else { return Ok(Plan::Nothing) };
        if self.is_edited_later(seq, target)? {
            return Ok(Plan::Nothing);
        }
        let messages = self.remote_messages(target).await?;
        let messages: Vec<_> = messages.into_iter().filter(|message| message.edited < DELETED).collect();
        if messages.is_empty() {
            let text = format!("Your edit did not go to {title}: the message is not there.");
            return Ok(Plan::Explain(None, text));
        }
        // Of a file only its words can change.
        let posts = match OutgoingFile::of_message(content) {
            Some(file) => match file.caption() {
                Some(caption) => self.posts_of(caption, access).await?,
                None => Vec::new(),
            },
            None => self.posts_of(content, access).await?,
        };
        if posts.is_empty() {
            return Ok(Plan::Explain(None, format!("There is nothing in this edit that {title} could show.")));
        }
        if posts.len() > messages.len() {
            let text = format!("Your edit did not go to {title}: it is too long to replace the message. Send it anew.");
            return Ok(Plan::Explain(None, text));
        }
        let mut posts = posts.into_iter();
        // What is left over when the edit is shorter goes.
        let calls = messages.into_iter().map(|message| match posts.next() {
            Some(post) => Call::Edit(message, post),
            None => Call::Delete(message),
        });
        Ok(Plan::Change(calls.collect()))
    }

    /// Whether a later edit of the same message waits: that one alone is sent.
    fn is_edited_later(&self, seq: i64, target: &str) -> Result<bool> {
        let later: Vec<i64> =
            self.outbound.borrow().iter().copied().filter(|waiting| *waiting > seq).take(LOOK_AHEAD).collect();
        for waiting in later {
            let row = store::get_outbound(self.database.as_query(), waiting)?;
            let body = row.and_then(|row| row.body);
            let event = body.and_then(|body| serde_json::from_str::<Outgoing>(&body).ok());
            let edits = event.is_some_and(|event| {
                relation(&event) == Some("m.replace") && text(&event.content, "/m.relates_to/event_id") == Some(target)
            });
            if edits {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn plan_reaction(&self, event: &Outgoing, access: &Access) -> Result<Plan> {
        let title = self.facts().title;
        let target = text(&event.content, "/m.relates_to/event_id");
        let (Some(target), Some(key)) = (target, text(&event.content, "/m.relates_to/key")) else {
            return Ok(Plan::Nothing);
        };
        let message = self.remote_messages(target).await?.into_iter().next();
        let Some(message) = message.filter(|message| message.edited < DELETED) else {
            return Ok(Plan::Nothing);
        };
        let Some(key) = self.reaction_key(key).await? else {
            let text = format!("This reaction did not go to {title}: it has no such emoji.");
            return Ok(Plan::Explain(None, text));
        };
        let known = self.reaction(&message.place, &access.remote_user, &key)?;
        let there = known.as_ref().and_then(|known| known.event_id.as_ref());
        if there.is_some_and(|there| *there != event.event_id) {
            return Ok(Plan::Nothing);
        }
        let row = ReactionRow {
            place: message.place,
            person: access.remote_user.clone(),
            key,
            generation: known.map_or(0, |known| known.generation.saturating_add(1)),
            changed: String::new(),
            sender: access.owner.to_string(),
            event_id: Some(event.event_id.clone()),
        };
        Ok(Plan::Change(vec![Call::React(message.remote_id, row)]))
    }

    async fn plan_redaction(&self, event: &Outgoing, access: &Access) -> Result<Plan> {
        let target = event.redacts.as_deref().or_else(|| text(&event.content, "/redacts"));
        let Some(target) = target.filter(|target| !self.sending.was_taken_back(target)) else {
            return Ok(Plan::Nothing);
        };
        if let Some(row) = changes::find_reaction(self.database.as_query(), target)? {
            let message = changes::list_parts(self.database.as_query(), &row.place)?.into_iter().next();
            return Ok(match message {
                Some(message) if row.person == access.remote_user => {
                    Plan::Change(vec![Call::Unreact(message.remote_id, row)])
                }
                _ => Plan::Nothing,
            });
        }
        let file = self.revoke_file(target).await?;
        let messages = self.remote_messages(target).await?;
        let messages = messages.into_iter().filter(|message| message.edited < DELETED).map(Call::Delete);
        let calls: Vec<_> = messages.chain(file.map(Call::DeleteFile)).collect();
        Ok(if calls.is_empty() { Plan::Nothing } else { Plan::Change(calls) })
    }

    /// The remote messages that an event became, or that it shows; empty when there is none.
    pub(super) async fn remote_messages(&self, event_id: &str) -> Result<Vec<MappedMessage>> {
        let query = self.database.as_query();
        if let Some(row) = store::find_outbound(query, event_id)? {
            let mut messages = Vec::new();
            for (_, remote_id) in Progress::read(row.outcome.as_deref()).parts() {
                let Some(place) = self.network.place(remote_id) else { continue };
                messages.extend(changes::list_parts(query, &place)?);
            }
            return Ok(messages);
        }
        // What came from the network has the time that is in the remote id.
        let event = self.matrix.bot().get_event(&self.room_id()?, event_id).await?;
        let sent_at = event.as_ref().and_then(|event| event.get("origin_server_ts")).and_then(Json::as_i64);
        let Some(sent_at) = sent_at else { return Ok(Vec::new()) };
        let place_at = |at: i64| self.network.place(&self.network.id_at(at));
        let (Some(from), Some(before)) = (place_at(sent_at), place_at(sent_at.saturating_add(1))) else {
            return Ok(Vec::new());
        };
        let mut messages = changes::list_between(query, &from, &before, MOST_AT_ONCE)?;
        messages.retain(|message| message.event_id == event_id);
        Ok(messages)
    }
}

fn text<'a>(content: &'a Json, pointer: &str) -> Option<&'a str> {
    content.pointer(pointer).and_then(Json::as_str)
}

fn relation(event: &Outgoing) -> Option<&str> {
    text(&event.content, "/m.relates_to/rel_type")
}

/// What is said by an event: of a file, its caption.
fn words_of<'a>(event: &'a Outgoing, file: Option<&'a OutgoingFile>) -> Option<&'a Json> {
    file.map_or(Some(&event.content), OutgoingFile::caption)
}
