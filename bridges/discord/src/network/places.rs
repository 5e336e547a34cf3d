//! Where channels stand in their servers, and what the bot and the owner may do there.

use hubbub_bridge::{
    contract::ChannelKind,
    network::{HookKind, RemoteChannel, RemoteError, RemotePlace, RemoteProfile},
};
use serde_json::Value as Json;

use super::{Discord, id_of};
use crate::{
    events::space::{self, Kind, SpaceEvent},
    permissions::{Guild, MANAGE_MESSAGES, SEND_MESSAGES, VIEW_CHANNEL},
    remote_id::Snowflake,
    rest::Call,
    text_of,
};

/// Categories stand after the channels that are in none.
const AFTER_CHANNELS: i64 = 1_000_000;

/// Servers that are listed at most.
pub(super) const MOST_SERVERS: usize = 20;

/// How long names of roles are taken for good, in milliseconds.
const ROLES_MS: i64 = 3_600_000;

/// A server, and what matters of those who act there.
struct Seen {
    id: String,
    guild: Json,
    bot: Json,
    owner: Option<Json>,
}

impl Seen {
    fn may(&self, member: &Json, channel: &Json, what: u64) -> bool {
        let guild = Guild { guild: &self.guild, id: &self.id };
        guild.permissions(member, channel) & what == what
    }
}

fn server_place(guild: &Json, id: &str) -> RemotePlace {
    RemotePlace { id: id.to_owned(), name: text_of(guild, "name").unwrap_or_default(), order: 0 }
}

fn category(channel: &space::Channel) -> RemotePlace {
    let order = channel.position.saturating_add(AFTER_CHANNELS);
    RemotePlace { id: channel.id.clone(), name: channel.name.clone(), order }
}

fn plain(channel: space::Channel) -> RemoteChannel {
    let direct = channel.kind == Kind::Direct;
    RemoteChannel {
        id: channel.id,
        name: channel.name,
        topic: channel.topic,
        kind: if direct { ChannelKind::Direct } else { ChannelKind::Channel },
        with: channel.with.filter(|_| direct),
        last_read: None,
        read_only: channel.locked,
        own_only: false,
        path: Vec::new(),
        order: channel.position,
    }
}

impl Discord {
    async fn bot(&self, token: &str) -> Result<Snowflake, RemoteError> {
        if let Some(known) = self.bot.get() {
            return Ok(known);
        }
        let me: Json = self.call(token, Call::me()).await?;
        let me = id_of(&text_of(&me, "id").unwrap_or_default())?;
        self.bot.set(Some(me));
        Ok(me)
    }

    async fn server(&self, token: &str, id: &str) -> Result<Seen, RemoteError> {
        let guild = self.call(token, Call::guild(id_of(id)?)).await?;
        let me = self.bot(token).await?;
        let bot = self.call(token, Call::member(id_of(id)?, me)).await?;
        let owner = self.owner.borrow().clone();
        let owner = match owner {
            Some(owner) => match self.call(token, Call::member(id_of(id)?, id_of(&owner)?)).await {
                Ok(member) => Some(member),
                // The owner is not in this server, and sees it by the bot.
                Err(RemoteError::Refused(_)) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(Seen { id: id.to_owned(), guild, bot, owner })
    }

    /// A channel: what it is, where it stands, what may be done there.
    pub(super) async fn describe(&self, token: &str, channel: &str) -> Result<RemoteChannel, RemoteError> {
        let found: Json = self.call(token, Call::channel(id_of(channel)?)).await?;
        let read = space::channel(&found, None);
        let read = read.ok_or_else(|| RemoteError::Unknown("a channel without an id".to_owned()))?;
        let Some(guild) = read.guild.clone() else { return Ok(plain(read)) };
        let seen = self.server(token, &guild).await?;
        let above = match &read.parent {
            Some(parent) => Some(self.call::<Json>(token, Call::channel(id_of(parent)?)).await?),
            None => None,
        };
        // A thread has the rights and the place of its channel.
        let (rights, heading) = match (read.kind, above) {
            (Kind::Thread, Some(channel)) => {
                let heading = match text_of(&channel, "parent_id") {
                    Some(parent) => Some(self.call::<Json>(token, Call::channel(id_of(&parent)?)).await?),
                    None => None,
                };
                (channel, heading)
            }
            (_, above) => (found, above),
        };
        let heading = heading.and_then(|heading| space::channel(&heading, None));
        let mut channel = plain(read);
        let may = |what: u64| {
            seen.may(&seen.bot, &rights, what) && seen.owner.as_ref().is_none_or(|owner| seen.may(owner, &rights, what))
        };
        channel.read_only |= !may(SEND_MESSAGES);
        channel.own_only = !may(MANAGE_MESSAGES);
        channel.path =
            std::iter::once(server_place(&seen.guild, &seen.id)).chain(heading.as_ref().map(category)).collect();
        Ok(channel)
    }

    /// The names of roles in a channel's server, asked for once an hour.
    pub(super) async fn roles_named(
        &self,
        token: &str,
        channel: &str,
        ids: &[String],
    ) -> Result<Vec<(String, String)>, RemoteError> {
        let now = self.context.clock.now();
        let fresh = self.roles.borrow().0 > now.saturating_sub(ROLES_MS);
        if !fresh {
            let found: Json = self.call(token, Call::channel(id_of(channel)?)).await?;
            let Some(guild) = text_of(&found, "guild_id") else { return Ok(Vec::new()) };
            let roles: Vec<Json> = self.call(token, Call::guild_roles(id_of(&guild)?)).await?;
            let named = roles.iter().filter_map(|role| Some((text_of(role, "id")?, text_of(role, "name")?)));
            *self.roles.borrow_mut() = (now, named.collect());
        }
        let roles = self.roles.borrow();
        Ok(ids.iter().filter_map(|id| Some((id.clone(), roles.1.get(id)?.clone()))).collect())
    }

    /// The channels of all servers that the bot may see, in their order.
    pub(super) async fn list_channels(&self, token: &str) -> Result<Vec<RemoteChannel>, RemoteError> {
        let guilds: Vec<Json> = self.call(token, Call::guilds(None)).await?;
        let me = self.bot(token).await?;
        let mut all = Vec::new();
        // Two calls a server: all of them together are fewer than a second allows.
        for guild in guilds.iter().take(MOST_SERVERS) {
            let Some(id) = text_of(guild, "id") else { continue };
            let bot: Json = self.call(token, Call::member(id_of(&id)?, me)).await?;
            let channels: Vec<Json> = self.call(token, Call::guild_channels(id_of(&id)?)).await?;
            let rights = Guild { guild, id: &id };
            let visible = |channel: &&Json| rights.permissions_there(&bot, channel) & VIEW_CHANNEL != 0;
            let read = |channel: &Json| space::channel(channel, Some(&id));
            let headings: Vec<_> = channels.iter().filter_map(read).filter(|one| one.kind == Kind::Category).collect();
            let mut there: Vec<RemoteChannel> = channels
                .iter()
                .filter(visible)
                .filter_map(read)
                .filter(|channel| matches!(channel.kind, Kind::Text | Kind::Forum))
                .map(|channel| {
                    let heading = headings.iter().find(|heading| Some(&heading.id) == channel.parent.as_ref());
                    let path = std::iter::once(server_place(guild, &id)).chain(heading.map(category)).collect();
                    RemoteChannel { path, ..plain(channel) }
                })
                .collect();
            there.sort_by_key(|channel| (channel.path.last().map_or(0, |place| place.order), channel.order));
            all.extend(there);
        }
        Ok(all)
    }
}

/// What an event about a server means for the login.
pub(super) fn kind_of(event: SpaceEvent) -> HookKind {
    let changed = |place, name, order| HookKind::PlaceChanged { place, name, order };
    match event {
        SpaceEvent::ChannelUpdate(channel) if channel.kind == Kind::Category => {
            let place = category(&channel);
            changed(place.id, Some(place.name), Some(place.order))
        }
        SpaceEvent::ChannelUpdate(channel)
        | SpaceEvent::ChannelDelete(channel)
        | SpaceEvent::ThreadUpdate(channel)
        | SpaceEvent::ThreadDelete(channel) => HookKind::ChannelChanged { channel: channel.id },
        SpaceEvent::GuildCreate(guild) | SpaceEvent::GuildUpdate(guild) => {
            changed(guild.id, Some(guild.name).filter(|name| !name.is_empty()), None)
        }
        SpaceEvent::GuildDelete(guild) | SpaceEvent::Role { guild, .. } => changed(guild, None, None),
        // Without the intent for members only the bot's own changes come: its roles may be others now.
        SpaceEvent::Member { guild, person } if person.is_bot => changed(guild, None, None),
        SpaceEvent::Member { person, .. } => HookKind::PersonChanged {
            person: person.id,
            profile: RemoteProfile { name: person.name, picture: person.picture },
        },
        SpaceEvent::MemberLeft { guild, person } => HookKind::PersonLeft { person, place: guild },
        _ => HookKind::NotBridged,
    }
}
