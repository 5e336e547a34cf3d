//! What people here write, at Discord: through a webhook of ours in a channel, by the bot in a direct chat.
//!
//! A webhook cannot answer a message, so a line above the words leads to it. A message in a thread goes through the
//! webhook of the channel that the thread is in; a thread that is not there yet is begun, an archived one reopened.

use hubbub_bridge::network::{FileUpload, Post, RemoteError, RemoteEvent};
use serde_json::{Value as Json, value::RawValue};

use super::{Discord, before, id_of, post_of};
use crate::{
    convert::{self, POST_LIMIT, quote, without_quote},
    events,
    remote_id::Snowflake,
    rest::{Call, Mark, Speech},
    text_of,
};

/// The code of an edit of what was not sent from here: Discord lets only its author edit a message.
const NOT_OURS: &str = "50005";

/// Words that a thread is named by, at most.
const NAME_WORDS: usize = 8;

/// What is known of a channel.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// Whether it is a chat of the bot with somebody.
    pub(super) direct: bool,
    /// Whether it is a forum: all its messages are in threads.
    pub(super) forum: bool,
    /// Its server.
    pub(super) guild: Option<String>,
}

impl Spot {
    /// Where people see a message.
    pub(super) fn link(&self, channel: &str, message: &str) -> String {
        let guild = self.guild.as_deref().unwrap_or("@me");
        format!("https://discord.com/channels/{guild}/{channel}/{message}")
    }
}

impl Discord {
    /// What a channel is: asked once in a life.
    pub(super) async fn spot(&self, token: &str, channel: &str) -> Result<Spot, RemoteError> {
        if let Some(spot) = self.spots.borrow().get(channel).cloned() {
            return Ok(spot);
        }
        let found: Json = before(self.call(token, Call::channel(id_of(channel)?)).await)?;
        let kind = found.get("type").and_then(Json::as_u64);
        let (direct, forum) = (kind == Some(1), matches!(kind, Some(15 | 16)));
        let spot = Spot { direct, forum, guild: text_of(&found, "guild_id") };
        self.spots.borrow_mut().insert(channel.to_owned(), spot.clone());
        Ok(spot)
    }

    pub(super) async fn say(
        &self,
        token: &str,
        channel: &str,
        post: &Post,
        mut file: Option<FileUpload>,
    ) -> Result<Json, RemoteError> {
        let mut said = post_of(&post.content);
        let spot = self.spot(token, channel).await?;
        if let Some(file) = &file {
            self.check_size(token, &spot, file).await?;
        }
        let reply = post.reply_to.as_deref().and_then(Snowflake::read).filter(|_| post.transaction.part == 0);
        if spot.direct {
            // A chat with the bot has no webhooks.
            let mark = Mark { event_id: &post.transaction.event_id, part: post.transaction.part };
            return self.deliver(token, Call::create_message(id_of(channel)?, &said, reply, mark)?, file).await;
        }
        let thread = post.thread_root.as_deref().and_then(Snowflake::read);
        if let (Some(thread), Some(_)) = (thread, &file) {
            self.open_thread(token, channel, thread).await?;
        }
        if let Some(target) = reply {
            // The message that a thread was begun at is in the channel.
            let inside = |root: &&str| spot.forum || *root != target.to_string();
            let place = post.thread_root.as_deref().filter(inside).unwrap_or(channel);
            self.put_quote(token, &spot, place, target, &mut said).await?;
        }
        let speech = Speech { name: &post.speaker, picture: post.picture.as_deref(), thread };
        let with_file = file.is_some();
        let outcome = self.say_through_webhook(token, channel, &said, &speech, file.take()).await;
        match (outcome, thread.filter(|_| !with_file)) {
            (Err(RemoteError::Refused(code)), Some(thread)) if code == "10003" => {
                self.begin_thread(token, channel, thread).await?;
                self.say_through_webhook(token, channel, &said, &speech, None).await
            }
            (Err(RemoteError::Refused(code)), Some(thread)) if code == "50083" => {
                before(self.call::<Json>(token, Call::reopen_thread(thread)).await)?;
                self.say_through_webhook(token, channel, &said, &speech, None).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn say_through_webhook(
        &self,
        token: &str,
        channel: &str,
        said: &convert::Post,
        speech: &Speech<'_>,
        file: Option<FileUpload>,
    ) -> Result<Json, RemoteError> {
        let webhook = self.webhook(token, channel).await?;
        let outcome = self.deliver(token, Call::execute_webhook(&webhook, said, speech)?, file).await;
        self.judge(channel, outcome)
    }

    /// Puts the line above a message that leads to what it answers. Its author is told when the sender means them, by
    /// `m.mentions`, and never for the answer alone.
    async fn put_quote(
        &self,
        token: &str,
        spot: &Spot,
        place: &str,
        target: Snowflake,
        said: &mut convert::Post,
    ) -> Result<(), RemoteError> {
        let answered = match self.call::<Json>(token, Call::message(id_of(place)?, target)).await {
            Ok(message) => Some(message),
            Err(RemoteError::RateLimited(wait)) => return Err(RemoteError::RateLimited(wait)),
            // The link says enough.
            Err(_) => None,
        };
        let author = answered.as_ref().filter(|message| message.get("webhook_id").is_none());
        let author = author.and_then(|message| Snowflake::read(&text_of(message.get("author")?, "id")?));
        let pings = author.filter(|author| said.meant.contains(author));
        let line = quote(&spot.link(place, &target.to_string()), answered.as_ref(), pings);
        let whole = format!("{line}\n{}", said.content);
        if whole.encode_utf16().count() <= POST_LIMIT {
            said.content = whole;
            said.users.extend(pings.filter(|author| !said.users.contains(author)));
        }
        Ok(())
    }

    /// Begins a thread at a message, named by its first words. It is fine when there is one.
    pub(super) async fn begin_thread(&self, token: &str, channel: &str, root: Snowflake) -> Result<(), RemoteError> {
        let channel = id_of(channel)?;
        let message: Json = before(self.call(token, Call::message(channel, root)).await)?;
        let content = text_of(&message, "content").unwrap_or_default();
        let (_, content) = without_quote(&content);
        let name: Vec<&str> = content.split_whitespace().take(NAME_WORDS).collect();
        let begun = self.done(token, Call::start_thread(channel, root, &name.join(" ")), &["160004"]).await;
        before(begun)
    }

    /// Edits what was said from here.
    pub(super) async fn change(
        &self,
        token: &str,
        channel: &str,
        remote_id: &str,
        post: &Post,
    ) -> Result<i64, RemoteError> {
        let mut said = post_of(&post.content);
        let message = id_of(remote_id)?;
        let outcome = if self.spot(token, channel).await?.direct {
            self.call::<Box<RawValue>>(token, Call::edit_message(id_of(channel)?, message, &said)?).await?
        } else {
            let place = post.thread_root.as_deref().unwrap_or(channel);
            let there: Json = before(self.call(token, Call::message(id_of(place)?, message)).await)?;
            let webhook = self.webhook(token, channel).await?;
            if text_of(&there, "webhook_id") != Some(webhook.id.to_string()) {
                return Err(RemoteError::Refused(NOT_OURS.to_owned()));
            }
            let before_it = text_of(&there, "content").unwrap_or_default();
            if let (Some(line), _) = without_quote(&before_it) {
                let whole = format!("{line}\n{}", said.content);
                if whole.encode_utf16().count() <= POST_LIMIT {
                    said.content = whole;
                }
            }
            let thread = post.thread_root.as_deref().and_then(Snowflake::read);
            let call = Call::edit_webhook_message(&webhook, message, thread, &said)?;
            self.judge(channel, self.call::<Box<RawValue>>(token, call).await)?
        };
        match events::read_event(&outcome) {
            RemoteEvent::Message(message) if message.edited > 0 => Ok(message.edited),
            _ => Ok(self.context.clock.now().saturating_mul(1_000)),
        }
    }

    /// Whether a message of a history says what a post does. The line that leads to an answered message is ours.
    pub(super) fn says(&self, message: &Json, sought: &hubbub_bridge::network::Sought<'_>) -> bool {
        let by_us = match text_of(message, "webhook_id") {
            // A portal that has just been woken does not know its webhook: then any may be it.
            Some(webhook) => {
                let known = self.webhooks.borrow();
                known.is_empty() || known.values().any(|known| known.id.to_string() == webhook)
            }
            // The bot itself speaks in direct chats only.
            None => message.get("author").and_then(|author| text_of(author, "id")).as_deref() == Some(sought.account),
        };
        let content = text_of(message, "content").unwrap_or_default();
        let wanted = text_of(sought.content, "content").unwrap_or_default();
        // Discord trims what it is sent.
        let same = content.trim() == wanted.trim() || without_quote(&content).1.trim() == wanted.trim();
        let attached = message.get("attachments").and_then(Json::as_array);
        let file = attached.and_then(|files| files.first()).and_then(|file| text_of(file, "filename"));
        by_us && same && file.is_some() == sought.file.is_some()
    }
}
