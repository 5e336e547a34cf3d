//! How a person of Discord's says which Matrix user they are: by `/link CODE`, which comes over HTTP where the
//! application has our address and over the gateway where it has none, or by the code in a message to the bot.

use hubbub_bridge::{
    link_code,
    network::{HookBody, LinkAttempt, LinkReply, RemoteError},
};
use serde_json::Value as Json;

use super::{Discord, id_of};
use crate::{
    events::{self, space},
    interactions::{self, Interaction, Link},
    rest::Call,
    text_of,
};

/// Reads a request to the interactions endpoint whose signature holds.
pub(super) fn read_request(body: &str) -> HookBody {
    match interactions::read(body) {
        Interaction::Ping => HookBody::Answer(interactions::pong()),
        Interaction::Link(link) => HookBody::Link(attempt(link, None)),
        Interaction::Other => HookBody::Answer(interactions::answer("I know `/link` and nothing else.")),
        Interaction::Malformed => HookBody::Malformed("This is no interaction."),
    }
}

fn attempt(link: Link, reply: Option<LinkReply>) -> LinkAttempt {
    LinkAttempt { person: link.user.to_string(), name: link.name, code: link.code, reply }
}

/// The code in an event of the gateway.
pub(super) fn read_event(body: &str) -> Option<LinkAttempt> {
    // Nearly nothing that is told can hold a code: that is not worth taking apart.
    let may_hold =
        [r#"{"t":"INTERACTION_CREATE""#, r#"{"t":"MESSAGE_CREATE""#].iter().any(|start| body.starts_with(start));
    let stored = may_hold.then(|| events::envelope(body)).flatten()?;
    match stored.name.as_str() {
        "INTERACTION_CREATE" => {
            let Interaction::Link(link) = interactions::read(&stored.data) else { return None };
            let data: Json = serde_json::from_str(&stored.data).ok()?;
            let reply = LinkReply::Interaction(format!("{}/{}", text_of(&data, "id")?, link.token));
            Some(attempt(link, Some(reply)))
        }
        "MESSAGE_CREATE" => {
            let data: Json = serde_json::from_str(&stored.data).ok()?;
            // Elsewhere everybody would read it.
            if data.get("guild_id").is_some_and(|guild| !guild.is_null()) {
                return None;
            }
            let author = space::person(data.get("author")?, None, None)?;
            let content = text_of(&data, "content")?;
            let typed = interactions::code_in_message(&content).filter(|_| !author.is_bot)?;
            // What only looks a little like one is something that people say.
            let explicit = typed != content.trim() || typed.contains('-');
            let code = link_code::read(typed).filter(|_| explicit)?;
            let reply = Some(LinkReply::Chat(text_of(&data, "channel_id")?));
            Some(LinkAttempt { person: author.id, name: author.name, code, reply })
        }
        _ => None,
    }
}

impl Discord {
    pub(super) async fn answer_link(&self, token: &str, to: &LinkReply, text: &str) -> Result<(), RemoteError> {
        let call = match to {
            LinkReply::Chat(chat) => Call::say(id_of(chat)?, text),
            LinkReply::Interaction(interaction) => Call::reply_to_interaction(interaction, text),
        };
        self.call::<Json>(token, call).await.map(|_| ())
    }

    pub(super) async fn register_command(&self, token: &str) -> Result<(), RemoteError> {
        let application = self.application(token).await?;
        self.call::<Json>(token, Call::register_commands(application)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str, more: &str) -> String {
        format!(
            r#"{{"t":"MESSAGE_CREATE","s":1,"at":1,"d":{{"id":"9","channel_id":"8","content":"{content}","author":{{"id":"7","username":"alice"{more}}}"#
        ) + "}}"
    }

    #[test]
    fn a_code_is_found_in_a_message_to_the_bot_and_nothing_else_is_taken_for_one() {
        for content in ["link ABCD-EFGH", "/link abcdefgh", "ABCD-EFGH", " abcd-efgh "] {
            let found = read_event(&message(content, "")).unwrap_or_else(|| panic!("{content}"));
            assert_eq!((found.person.as_str(), found.code.as_str()), ("7", "ABCD-EFGH"));
        }
        for content in ["goodwfgh", "link me", "link ABCD-EFGH please", "hello", ""] {
            assert!(read_event(&message(content, "")).is_none(), "{content}");
        }
        assert!(read_event(&message("ABCD-EFGH", r#","bot":true"#)).is_none());
        let in_server = message("ABCD-EFGH", "").replace(r#""id":"9""#, r#""id":"9","guild_id":"6""#);
        assert!(read_event(&in_server).is_none());
    }
}
