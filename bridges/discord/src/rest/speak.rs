//! Messages of ours: by the bot, or through a webhook with the sender's name and picture.
//!
//! Each names whom it may ping, on sending and on editing alike: Discord reads an edit's mentions anew.

use base64::Engine as _;
use http::Method;
use hubbub_bridge::network::RemoteError;
use hubbub_core::secrets::hmac_sha256;
use serde::Serialize;
use serde_json::{Value as Json, json};
use serenity::{
    builder::{CreateAllowedMentions, CreateMessage, EditMessage, EditWebhookMessage, ExecuteWebhook},
    model::{channel::Nonce, id::UserId},
};

use super::{
    calls::{Call, encoded},
    webhook::Webhook,
};
use crate::{convert::Post, remote_id::Snowflake};

/// The longest name of who speaks through a webhook, in UTF-16 units.
const LONGEST_NAME: usize = 80;

/// Which part of which Matrix event a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// The event.
    pub event_id: &'a str,
    /// The part.
    pub part: u32,
}

/// The 24 letters that Discord gives back with our own message, and by which it knows a repetition.
///
/// A digest: an event's id is too long. Whoever waits for the echo computes it again.
#[must_use]
pub fn nonce(mark: Mark<'_>) -> String {
    let digest = hmac_sha256(b"discord nonce", format!("{}\n{}", mark.event_id, mark.part).as_bytes());
    let short = digest.get(..18).unwrap_or(&digest);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(short)
}

/// How somebody speaks through a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech<'a> {
    /// The name.
    pub name: &'a str,
    /// The public address of the picture.
    pub picture: Option<&'a str>,
    /// The thread, if it is not the channel itself.
    pub thread: Option<Snowflake>,
}

impl Call {
    /// Sends a message as the bot. Repeating it with the same mark within minutes gives the first one.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn create_message(
        channel: Snowflake,
        post: &Post,
        reply_to: Option<Snowflake>,
        mark: Mark<'_>,
    ) -> Result<Self, RemoteError> {
        let message = CreateMessage::new()
            .content(&post.content)
            .allowed_mentions(allowed(post))
            .nonce(Nonce::String(nonce(mark)))
            .enforce_nonce(true);
        let mut body = body_of(&message)?;
        if let (Some(target), Some(fields)) = (reply_to, body.as_object_mut()) {
            // The target may be gone: then it is an ordinary message.
            let reference = json!({ "message_id": target.to_string(), "fail_if_not_exists": false });
            fields.insert("message_reference".to_owned(), reference);
        }
        let path = format!("channels/{channel}/messages");
        Ok(Self::new(Method::POST, "POST channels/messages", channel, path).json(&body))
    }

    /// Edits a message of the bot's.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn edit_message(channel: Snowflake, message: Snowflake, post: &Post) -> Result<Self, RemoteError> {
        let body = body_of(&EditMessage::new().content(&post.content).allowed_mentions(allowed(post)))?;
        let path = format!("channels/{channel}/messages/{message}");
        Ok(Self::new(Method::PATCH, "PATCH channels/messages", channel, path).json(&body))
    }

    /// Sends a message through a webhook, and waits for it: the answer is the message. There is no key for
    /// repetitions: after an unknown outcome, [`find_sent`](super::find_sent) looks.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn execute_webhook(webhook: &Webhook, post: &Post, speech: &Speech<'_>) -> Result<Self, RemoteError> {
        let mut message = ExecuteWebhook::new()
            .content(&post.content)
            .username(webhook_name(speech.name))
            .allowed_mentions(allowed(post));
        if let Some(picture) = speech.picture {
            message = message.avatar_url(picture);
        }
        let thread = speech.thread.map(|thread| format!("&thread_id={thread}")).unwrap_or_default();
        let path = format!("{}?wait=true{thread}", webhook.path());
        let call = Self::new(Method::POST, "POST webhooks", webhook.id, path).json(&body_of(&message)?);
        Ok(Self { authorized: false, ..call })
    }

    /// Edits a message that was sent through a webhook.
    ///
    /// # Errors
    /// [`RemoteError::NotDone`] when it cannot be built.
    pub fn edit_webhook_message(
        webhook: &Webhook,
        message: Snowflake,
        thread: Option<Snowflake>,
        post: &Post,
    ) -> Result<Self, RemoteError> {
        let body = body_of(&EditWebhookMessage::new().content(&post.content).allowed_mentions(allowed(post)))?;
        let call =
            Self::new(Method::PATCH, "PATCH webhooks/messages", webhook.id, message_path(webhook, message, thread));
        Ok(Self { authorized: false, ..call.json(&body) })
    }

    /// Deletes a message that was sent through a webhook.
    #[must_use]
    pub fn delete_webhook_message(webhook: &Webhook, message: Snowflake, thread: Option<Snowflake>) -> Self {
        let path = message_path(webhook, message, thread);
        Self { authorized: false, ..Self::new(Method::DELETE, "DELETE webhooks/messages", webhook.id, path) }
    }
}

fn message_path(webhook: &Webhook, message: Snowflake, thread: Option<Snowflake>) -> String {
    let thread = thread.map(|thread| format!("?thread_id={thread}")).unwrap_or_default();
    format!("{}/messages/{message}{thread}", webhook.path())
}

impl Webhook {
    /// Its address: whoever has it can speak through it.
    fn path(&self) -> String {
        format!("webhooks/{}/{}", self.id, encoded(&self.token))
    }
}

fn body_of(message: &impl Serialize) -> Result<Json, RemoteError> {
    serde_json::to_value(message).map_err(|_| RemoteError::NotDone("a message could not be built".to_owned()))
}

/// Only whom the sender meant; nobody for a reply alone.
fn allowed(post: &Post) -> CreateAllowedMentions {
    CreateAllowedMentions::new()
        .users(post.users.iter().map(|user| UserId::new(user.0.max(1))))
        .everyone(post.everyone)
        .replied_user(false)
}

/// A name that Discord lets a webhook have: up to 80 units, and without its own names
/// ([docs](https://docs.discord.com/developers/resources/webhook#create-webhook)).
fn webhook_name(name: &str) -> String {
    let mut shown = String::new();
    let mut length = 0_usize;
    for c in name.trim().chars().filter(|c| !c.is_control()) {
        length = length.saturating_add(c.len_utf16());
        if length > LONGEST_NAME.saturating_sub(4) {
            break;
        }
        shown.push(c);
    }
    for word in ["discord", "clyde"] {
        // A space without width inside keeps the name readable.
        while let Some(at) = shown.to_ascii_lowercase().find(word) {
            shown.insert(at.saturating_add(1), '\u{200b}');
        }
    }
    let reserved = matches!(shown.to_ascii_lowercase().as_str(), "everyone" | "here");
    if shown.trim().is_empty() || reserved { "Matrix".to_owned() } else { shown }
}
