//! Whom a direct chat can be opened with.

use hubbub_bridge::network::RemoteError;
use serde_json::Value as Json;

use super::{Discord, id_of};
use crate::{events::space, remote_id::Snowflake, rest::Call, text_of};

/// Servers in which a name is looked for.
const MOST_GUILDS: usize = 10;

impl Discord {
    /// The people with this id or name, as (id, name): a bot knows those of its servers.
    pub(super) async fn find_people(&self, token: &str, name: &str) -> Result<Vec<(String, String)>, RemoteError> {
        let name = name.trim().trim_start_matches("<@").trim_start_matches('@').trim_end_matches('>');
        if let Some(id) = Snowflake::read(name) {
            return match self.call::<Json>(token, Call::user(id)).await {
                Ok(user) => Ok(space::person(&user, None, None).map(|one| (one.id, one.name)).into_iter().collect()),
                Err(RemoteError::Refused(code)) if code == "10013" || code == "404" => Ok(Vec::new()),
                Err(error) => Err(error),
            };
        }
        let guilds: Vec<Json> = self.call(token, Call::guilds(None)).await?;
        let mut people: Vec<(String, String)> = Vec::new();
        for guild in guilds.iter().filter_map(|guild| text_of(guild, "id")).take(MOST_GUILDS) {
            let members: Vec<Json> = self.call(token, Call::search_members(id_of(&guild)?, name)).await?;
            for member in members.iter().filter(|member| is_called(member, name)) {
                let user = member.get("user").unwrap_or(&Json::Null);
                let found = space::person(user, Some(member), Some(&guild)).filter(|person| !person.is_bot);
                people.extend(found.map(|one| (one.id, one.name)));
            }
        }
        people.sort();
        people.dedup_by(|one, other| one.0 == other.0);
        Ok(people)
    }

    /// The bot's chat with somebody.
    pub(super) async fn open_direct(&self, token: &str, person: &str) -> Result<String, RemoteError> {
        let opened: Json = self.call(token, Call::open_direct(id_of(person)?)).await?;
        text_of(&opened, "id").ok_or_else(|| RemoteError::Unknown("a chat without an id".to_owned()))
    }
}

/// Whether a member goes by this name, in the server or at all.
fn is_called(member: &Json, name: &str) -> bool {
    let user = member.get("user").unwrap_or(&Json::Null);
    let names = [text_of(member, "nick"), text_of(user, "global_name"), text_of(user, "username")];
    names.into_iter().flatten().any(|known| known.to_lowercase() == name.to_lowercase())
}
