//! What Discord's answers mean
//! ([docs](https://docs.discord.com/developers/topics/opcodes-and-status-codes#http)).

use hubbub_bridge::network::RemoteError;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::limits::wait_of;

/// How long to wait after a refusal that does not say so, in milliseconds.
const DEFAULT_WAIT_MS: i64 = 5_000;
/// The same for one that is about our address.
const ADDRESS_WAIT_MS: i64 = 600_000;

/// Reads an answer: the status first, since the front's errors are HTML, then Discord's own code.
///
/// # Errors
/// What the answer means; never a text of the answer itself.
pub fn read_answer<T: DeserializeOwned>(name: &str, answer: &http::Response<Vec<u8>>) -> Result<T, RemoteError> {
    let status = answer.status();
    if status.is_success() {
        let body: &[u8] = if answer.body().is_empty() { b"null" } else { answer.body() };
        // It was done, though the answer is not what it should be.
        return serde_json::from_slice(body)
            .map_err(|_| RemoteError::Unknown(format!("{name}: an answer without sense")));
    }
    let body: Option<Json> = serde_json::from_slice(answer.body()).ok();
    let code = body.as_ref().and_then(|body| body.get("code")).and_then(Json::as_u64);
    match status.as_u16() {
        429 if body.is_none() => Err(RemoteError::RateLimited(wait_of(answer).unwrap_or(ADDRESS_WAIT_MS))),
        429 => Err(RemoteError::RateLimited(wait_of(answer).unwrap_or(DEFAULT_WAIT_MS))),
        403 if body.is_none() => Err(RemoteError::RateLimited(wait_of(answer).unwrap_or(ADDRESS_WAIT_MS))),
        401 => Err(RemoteError::BadCredentials("401".to_owned())),
        400..=499 => Err(match code {
            // Discord says so where it is overloaded or the channel is too busy.
            Some(20_016 | 20_028 | 20_029 | 130_000) => {
                RemoteError::RateLimited(wait_of(answer).unwrap_or(DEFAULT_WAIT_MS))
            }
            Some(code) if code > 0 => RemoteError::Refused(code.to_string()),
            _ => RemoteError::Refused(status.as_u16().to_string()),
        }),
        _ => Err(RemoteError::Unknown(format!("{name}: status {}", status.as_u16()))),
    }
}

/// The permission without which a call is refused; `None` where that is not one alone.
#[must_use]
pub fn permission_for(call: &str) -> Option<&'static str> {
    match call {
        "GET channels/webhooks" | "POST channels/webhooks" => Some("Manage Webhooks"),
        "POST channels/messages" => Some("Send Messages"),
        "GET channels/messages" => Some("Read Message History"),
        "DELETE channels/messages" => Some("Manage Messages"),
        "PUT channels/reactions" => Some("Add Reactions"),
        "POST channels/threads" => Some("Create Public Threads"),
        _ => None,
    }
}

/// What a code means for the person who wrote the message.
#[must_use]
pub fn explain(code: &str) -> String {
    if let Some(permission) = code.strip_prefix("50013 ") {
        return format!("the bot lacks the permission “{permission}” in this channel.");
    }
    let sentence = match code {
        "404" | "10003" => "the channel does not exist any more, or the bot may not see it.",
        "10004" => "the bot is not in this server any more.",
        "10008" => "the message does not exist any more.",
        "10014" | "10015" => "the emoji or webhook does not exist any more.",
        "30007" => "the channel has 15 webhooks already: remove one in its settings.",
        "30010" => "the message has as many reactions as it may have.",
        "40005" => "the file is too large.",
        "50001" => "the bot may not see the channel.",
        "50003" => "in a direct chat everybody deletes their own messages only.",
        "50005" => "Discord lets only its author edit it. What you wrote in Discord, edit there.",
        "50006" => "there is nothing in it that Discord could show.",
        "50007" => "the person does not take direct messages.",
        "50013" => "the bot lacks a permission in this channel (it needs Manage Webhooks, too).",
        "50035" => "Discord does not understand how it is written.",
        "50083" => "the thread is archived.",
        "160005" => "the thread is locked.",
        "220001" => "it is a forum: write in one of its threads.",
        "160004" => "the message has a thread already.",
        "200000" | "240000" => "the server's moderation does not let it through.",
        other => return format!("its answer was `{other}`."),
    };
    sentence.to_owned()
}
