//! Custom emoji: their keys, their pictures, and those of the servers that the bot is in.

use hubbub_bridge::network::{CustomEmoji, ListedEmoji, RemoteError};
use serde_json::Value as Json;

use super::{Discord, id_of, places::MOST_SERVERS};
use crate::{convert::emoji_id, events, remote_id::Snowflake, rest::Call, text_of};

/// Where Discord has the pictures ([docs](https://docs.discord.com/developers/reference#image-formatting)).
const PICTURES: &str = "https://cdn.discordapp.com/emojis";

/// The emoji's number, and whether it moves.
fn parts(emoji: &CustomEmoji) -> Option<(Snowflake, bool)> {
    let id = emoji.id.as_deref()?;
    let moves = id.strip_prefix("a:");
    Some((Snowflake::read(moves.unwrap_or(id))?, moves.is_some()))
}

/// The emoji of a reaction's key.
pub(super) fn of_key(key: &str) -> Option<CustomEmoji> {
    let (name, id) = events::custom(key)?;
    Some(CustomEmoji { name: name.to_owned(), id: Some(id.to_string()) })
}

/// The key of a reaction: the same whether the emoji moves or not.
pub(super) fn key_of(emoji: &CustomEmoji) -> String {
    match parts(emoji) {
        Some((id, _)) => format!("{}:{id}", emoji.name),
        None => emoji.name.clone(),
    }
}

/// The address of an emoji's picture. A reaction does not tell whether its emoji moves: then this one does not.
pub(super) fn picture(emoji: &CustomEmoji) -> Option<String> {
    let (id, moves) = parts(emoji)?;
    let kind = if moves { "gif" } else { "png" };
    Some(format!("{PICTURES}/{id}.{kind}?size=64"))
}

impl Discord {
    /// The emoji of all servers that the bot is in.
    pub(super) async fn all_emoji(&self, token: &str) -> Result<Vec<ListedEmoji>, RemoteError> {
        let guilds: Vec<Json> = self.call(token, Call::guilds(None)).await?;
        let mut all = Vec::new();
        for guild in guilds.iter().filter_map(|guild| text_of(guild, "id")).take(MOST_SERVERS) {
            let emoji: Vec<Json> = self.call(token, Call::guild_emoji(id_of(&guild)?)).await?;
            all.extend(emoji.iter().filter_map(listed));
        }
        Ok(all)
    }
}

fn listed(emoji: &Json) -> Option<ListedEmoji> {
    let moves = emoji.get("animated").and_then(Json::as_bool).unwrap_or(false);
    let id = Snowflake::read(&text_of(emoji, "id")?)?;
    let emoji = CustomEmoji { name: text_of(emoji, "name")?, id: Some(emoji_id(&id.to_string(), moves)) };
    Some(ListedEmoji { picture: picture(&emoji)?, emoji, alias_of: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_message_mean_the_same_emoji_whether_it_moves_or_not() {
        let of_message = CustomEmoji { name: "party".to_owned(), id: Some("a:30".to_owned()) };
        assert_eq!(key_of(&of_message), "party:30");
        assert_eq!(key_of(&of_key("party:30").unwrap()), "party:30");
        assert_eq!(picture(&of_message).as_deref(), Some("https://cdn.discordapp.com/emojis/30.gif?size=64"));
        assert_eq!(of_key("👍"), None);
    }

    #[test]
    fn an_id_that_is_no_number_leads_to_no_address() {
        for id in ["../x", "30/../../y", "", "a:", "a:a:30"] {
            let emoji = CustomEmoji { name: "x".to_owned(), id: Some(id.to_owned()) };
            assert_eq!(picture(&emoji), None, "{id}");
        }
    }
}
