//! The webhook of ours that a channel has: made once, found again, given up when Discord says so.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::calls::Call;
use crate::{remote_id::Snowflake, text_of};

/// By this name our webhook is found again.
const NAME: &str = "Hubbub";

/// How long the making of a webhook may take before its outcome is looked for.
const MAKING_MS: i64 = 60_000;

/// A webhook. Its token is a secret, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id, which is the author of what is said through it.
    #[serde(with = "id_text")]
    pub id: Snowflake,
    /// Its token.
    pub token: String,
}

mod id_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::remote_id::Snowflake;

    pub(super) fn serialize<S: Serializer>(id: &Snowflake, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Snowflake, D::Error> {
        let text = String::deserialize(deserializer)?;
        Snowflake::read(&text).ok_or_else(|| D::Error::custom("no id"))
    }
}

/// What a portal knows about its channel's webhook. It is stored before and after each call.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnWebhook {
    /// Nothing: there may be one from before.
    #[default]
    Unknown,
    /// It is being made since this moment.
    Making(i64),
    /// It is there.
    Ready(Webhook),
    /// The bot may not have one until this moment: it speaks itself.
    Refused(i64),
}

/// What to do to speak.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Look for it ([`Call::webhooks`], [`find_webhook`]).
    Look,
    /// Make it ([`Call::create_webhook`]), having stored that it is being made.
    Make,
    /// Wait so many milliseconds: somebody makes it.
    Wait(i64),
    /// Speak through it.
    Use(Webhook),
    /// Speak as the bot.
    SpeakAsBot,
}

impl OwnWebhook {
    /// What comes next. `looked` is whether the channel's webhooks were just looked through in vain.
    #[must_use]
    pub fn step(&self, looked: bool, now: i64) -> Step {
        match self {
            Self::Ready(webhook) => Step::Use(webhook.clone()),
            Self::Making(since) if now.saturating_sub(*since) < MAKING_MS && !looked => {
                Step::Wait(MAKING_MS.saturating_sub(now.saturating_sub(*since)))
            }
            Self::Refused(until) if now < *until => Step::SpeakAsBot,
            _ if looked => Step::Make,
            _ => Step::Look,
        }
    }
}

impl Call {
    /// The webhooks of a channel, with the tokens of our own.
    #[must_use]
    pub fn webhooks(channel: Snowflake) -> Self {
        Self::new(Method::GET, "GET channels/webhooks", channel, format!("channels/{channel}/webhooks"))
    }

    /// Makes our webhook. Not to be repeated: look first.
    #[must_use]
    pub fn create_webhook(channel: Snowflake) -> Self {
        let path = format!("channels/{channel}/webhooks");
        Self::new(Method::POST, "POST channels/webhooks", channel, path).json(&json!({ "name": NAME }))
    }

    /// Takes our webhook away.
    #[must_use]
    pub fn delete_webhook(webhook: Snowflake) -> Self {
        Self::new(Method::DELETE, "DELETE webhooks", webhook, format!("webhooks/{webhook}"))
    }
}

/// Our own among a channel's webhooks: made by this application, with a token. Of several the oldest, so
/// that all who look find the same.
#[must_use]
pub fn find_webhook(webhooks: &[Json], application: Snowflake) -> Option<Webhook> {
    webhooks
        .iter()
        .filter(|webhook| text_of(webhook, "application_id") == Some(application.to_string()))
        .filter_map(|webhook| {
            Some(Webhook { id: Snowflake::read(&text_of(webhook, "id")?)?, token: text_of(webhook, "token")? })
        })
        .min_by_key(|webhook| webhook.id)
}

/// What became of a message whose sending got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was sent.
    Sent(Snowflake),
    /// It was not.
    NotSent,
    /// It cannot be told.
    Unclear,
}

/// Looks for a message that was perhaps sent through a webhook.
///
/// `messages` are all that Discord has after `after`, the last message known before the attempt; `known`
/// are those of them that are somebody else's or another attempt's. Ids grow with time, so that nothing
/// sent before can be meant.
#[must_use]
pub fn find_sent(messages: &[Json], webhook: Snowflake, after: Snowflake, content: &str, known: &[Snowflake]) -> Found {
    let ours = messages.iter().filter(|message| {
        text_of(message, "webhook_id") == Some(webhook.to_string())
            // Discord trims what it is sent.
            && message.get("content").and_then(Json::as_str).map(str::trim) == Some(content.trim())
    });
    let ids: Vec<Snowflake> = ours
        .filter_map(|message| Snowflake::read(&text_of(message, "id")?))
        .filter(|id| *id > after && !known.contains(id))
        .collect();
    match ids.as_slice() {
        [] => Found::NotSent,
        [id] => Found::Sent(*id),
        _ => Found::Unclear,
    }
}
