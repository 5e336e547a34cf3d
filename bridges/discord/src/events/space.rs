//! What changes a server: its channels, threads, emoji, roles, people, and whether the bot is in it.

use serde_json::Value as Json;

use crate::text_of;

/// The events that [`read`] reads.
pub(super) const NAMES: [&str; 22] = [
    "GUILD_CREATE",
    "GUILD_UPDATE",
    "GUILD_DELETE",
    "GUILD_EMOJIS_UPDATE",
    "GUILD_STICKERS_UPDATE",
    "GUILD_ROLE_CREATE",
    "GUILD_ROLE_UPDATE",
    "GUILD_ROLE_DELETE",
    "GUILD_MEMBER_ADD",
    "GUILD_MEMBER_UPDATE",
    "GUILD_MEMBER_REMOVE",
    "CHANNEL_CREATE",
    "CHANNEL_UPDATE",
    "CHANNEL_DELETE",
    "THREAD_CREATE",
    "THREAD_UPDATE",
    "THREAD_DELETE",
    "THREAD_LIST_SYNC",
    "TYPING_START",
    "USER_UPDATE",
    "WEBHOOKS_UPDATE",
    "READY",
];

/// What a channel is
/// ([docs](https://docs.discord.com/developers/resources/channel#channel-object-channel-types)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0, 5: text and announcements; 2, 13: the text of voice and stage channels.
    Text,
    /// 1: a chat with the bot.
    Direct,
    /// 4: a heading over channels.
    Category,
    /// 10, 11, 12: a thread.
    Thread,
    /// 15, 16: posts, each a thread.
    Forum,
    /// A kind that this version does not know.
    Other,
}

/// A channel, category, thread or forum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id; a thread that hangs on a message has that message's id.
    pub id: String,
    /// Its server.
    pub guild: Option<String>,
    /// Its category; of a thread the channel that it is in.
    pub parent: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its name; empty for a direct chat.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
    /// Where it stands among its siblings.
    pub position: i64,
    /// The other person of a direct chat.
    pub with: Option<String>,
    /// Whether a thread is archived: the next message brings it back.
    pub archived: bool,
    /// Whether only moderators may write in the thread.
    pub locked: bool,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its picture's hash.
    pub icon: Option<String>,
    /// Its channels; empty in an update.
    pub channels: Vec<Channel>,
    /// Its active threads; empty in an update.
    pub threads: Vec<Channel>,
    /// Its emoji.
    pub emoji: Vec<Emoji>,
    /// Its roles as (id, name).
    pub roles: Vec<(String, String)>,
}

/// A custom emoji.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emoji {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it moves.
    pub animated: bool,
}

/// How a server shows somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// The name that Discord shows.
    pub name: String,
    /// The address of their picture.
    pub picture: Option<String>,
    /// Whether it is a bot.
    pub is_bot: bool,
}

/// An event about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpaceEvent {
    /// The bot is online; the servers that it is in come one by one.
    Ready {
        /// The bot.
        bot: Person,
        /// The application.
        application: Option<String>,
        /// The servers.
        guilds: Vec<String>,
    },
    /// A server is there, or has come back from an outage.
    GuildCreate(Guild),
    /// A server is different now.
    GuildUpdate(Guild),
    /// The bot is not in the server any more.
    GuildDelete(String),
    /// The server has an outage, which changes nothing.
    GuildUnavailable(String),
    /// The server's emoji, all of them.
    Emojis {
        /// The server.
        guild: String,
        /// The emoji.
        emoji: Vec<Emoji>,
    },
    /// A channel is new.
    ChannelCreate(Channel),
    /// A channel is different now.
    ChannelUpdate(Channel),
    /// A channel is gone.
    ChannelDelete(Channel),
    /// A thread is new, or the bot may see it now.
    ThreadCreate(Channel),
    /// A thread is different now: archived, locked, renamed.
    ThreadUpdate(Channel),
    /// A thread is gone.
    ThreadDelete(Channel),
    /// The active threads of some channels, all of them.
    ThreadList {
        /// The server.
        guild: String,
        /// The channels that the list is about; empty: the whole server.
        parents: Vec<String>,
        /// The threads.
        threads: Vec<Channel>,
    },
    /// Somebody types.
    Typing {
        /// Where.
        channel: String,
        /// Who.
        person: String,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
    /// Somebody came, or has another name or picture.
    Member {
        /// The server.
        guild: String,
        /// Who, as it shows them.
        person: Person,
    },
    /// Somebody left.
    MemberLeft {
        /// The server.
        guild: String,
        /// Who.
        person: String,
    },
    /// A role has this name now; `None`: it is gone.
    Role {
        /// The server.
        guild: String,
        /// The role.
        role: String,
        /// Its name.
        name: Option<String>,
    },
    /// The webhooks of a channel changed: ours may be gone.
    Webhooks {
        /// The channel.
        channel: String,
    },
    /// Known, and of no use yet.
    Ignored(String),
    /// It lacks what it must have.
    Malformed,
}

/// Reads an event about a server.
#[must_use]
pub fn read(name: &str, data: &str) -> SpaceEvent {
    let Ok(data) = serde_json::from_str::<Json>(data) else { return SpaceEvent::Malformed };
    read_known(name, &data).unwrap_or(SpaceEvent::Malformed)
}

fn read_known(name: &str, data: &Json) -> Option<SpaceEvent> {
    let guild = || text_of(data, "guild_id");
    let unavailable = data.get("unavailable").and_then(Json::as_bool) == Some(true);
    Some(match name {
        "READY" => SpaceEvent::Ready {
            bot: person(data.get("user")?, None, None)?,
            application: data.get("application").and_then(|application| text_of(application, "id")),
            guilds: list(data, "guilds").filter_map(|guild| text_of(guild, "id")).collect(),
        },
        "GUILD_CREATE" | "GUILD_DELETE" if unavailable => SpaceEvent::GuildUnavailable(text_of(data, "id")?),
        "GUILD_CREATE" => SpaceEvent::GuildCreate(read_guild(data)?),
        "GUILD_UPDATE" => SpaceEvent::GuildUpdate(read_guild(data)?),
        "GUILD_DELETE" => SpaceEvent::GuildDelete(text_of(data, "id")?),
        "GUILD_EMOJIS_UPDATE" => SpaceEvent::Emojis { guild: guild()?, emoji: emoji(data) },
        "CHANNEL_CREATE" => SpaceEvent::ChannelCreate(channel(data, None)?),
        "CHANNEL_UPDATE" => SpaceEvent::ChannelUpdate(channel(data, None)?),
        "CHANNEL_DELETE" => SpaceEvent::ChannelDelete(channel(data, None)?),
        "THREAD_CREATE" => SpaceEvent::ThreadCreate(channel(data, None)?),
        "THREAD_UPDATE" => SpaceEvent::ThreadUpdate(channel(data, None)?),
        "THREAD_DELETE" => SpaceEvent::ThreadDelete(channel(data, None)?),
        "THREAD_LIST_SYNC" => SpaceEvent::ThreadList {
            parents: list(data, "channel_ids").filter_map(Json::as_str).map(str::to_owned).collect(),
            threads: list(data, "threads").filter_map(|thread| channel(thread, guild().as_deref())).collect(),
            guild: guild()?,
        },
        "TYPING_START" => SpaceEvent::Typing {
            channel: text_of(data, "channel_id")?,
            person: text_of(data, "user_id")?,
            at: data.get("timestamp").and_then(Json::as_i64)?.saturating_mul(1_000),
        },
        "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" => {
            let guild = guild()?;
            let person = person(data.get("user")?, Some(data), Some(&guild))?;
            SpaceEvent::Member { guild, person }
        }
        "GUILD_MEMBER_REMOVE" => SpaceEvent::MemberLeft { guild: guild()?, person: text_of(data.get("user")?, "id")? },
        "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" => {
            let role = data.get("role")?;
            SpaceEvent::Role { guild: guild()?, role: text_of(role, "id")?, name: text_of(role, "name") }
        }
        "GUILD_ROLE_DELETE" => SpaceEvent::Role { guild: guild()?, role: text_of(data, "role_id")?, name: None },
        "WEBHOOKS_UPDATE" => SpaceEvent::Webhooks { channel: text_of(data, "channel_id")? },
        other => SpaceEvent::Ignored(other.to_owned()),
    })
}

fn list<'a>(data: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    data.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn read_guild(data: &Json) -> Option<Guild> {
    let id = text_of(data, "id")?;
    // Inside a guild, channels do not repeat its id.
    let channels = |key: &str| list(data, key).filter_map(|entry| channel(entry, Some(&id))).collect();
    Some(Guild {
        name: text_of(data, "name").unwrap_or_default(),
        icon: text_of(data, "icon"),
        channels: channels("channels"),
        threads: channels("threads"),
        emoji: emoji(data),
        roles: list(data, "roles").filter_map(|role| Some((text_of(role, "id")?, text_of(role, "name")?))).collect(),
        id,
    })
}

fn emoji(data: &Json) -> Vec<Emoji> {
    let read = |emoji: &Json| {
        let animated = emoji.get("animated").and_then(Json::as_bool).unwrap_or(false);
        Some(Emoji { id: text_of(emoji, "id")?, name: text_of(emoji, "name")?, animated })
    };
    list(data, "emojis").filter_map(read).collect()
}

/// Reads a channel object, of an event or of REST.
#[must_use]
pub fn channel(data: &Json, guild: Option<&str>) -> Option<Channel> {
    let kind = match data.get("type").and_then(Json::as_u64)? {
        0 | 2 | 5 | 13 => Kind::Text,
        1 => Kind::Direct,
        4 => Kind::Category,
        10..=12 => Kind::Thread,
        15 | 16 => Kind::Forum,
        _ => Kind::Other,
    };
    let thread = |key: &str| {
        data.get("thread_metadata").and_then(|thread| thread.get(key)).and_then(Json::as_bool).unwrap_or(false)
    };
    Some(Channel {
        id: text_of(data, "id")?,
        guild: text_of(data, "guild_id").or_else(|| guild.map(str::to_owned)),
        parent: text_of(data, "parent_id"),
        kind,
        name: text_of(data, "name").unwrap_or_default(),
        topic: text_of(data, "topic"),
        position: data.get("position").and_then(Json::as_i64).unwrap_or(0),
        with: list(data, "recipients").find_map(|person| text_of(person, "id")),
        archived: thread("archived"),
        locked: thread("locked"),
    })
}

/// How somebody is shown: by the server's nickname and picture before Discord's own.
#[must_use]
pub fn person(user: &Json, member: Option<&Json>, guild: Option<&str>) -> Option<Person> {
    let id = text_of(user, "id")?;
    let of_member = |key: &str| member.and_then(|member| text_of(member, key));
    let name = of_member("nick").or_else(|| text_of(user, "global_name")).or_else(|| text_of(user, "username"))?;
    let file = |hash: &str| if hash.starts_with("a_") { format!("{hash}.gif") } else { format!("{hash}.png") };
    let own = text_of(user, "avatar").map(|hash| format!("https://cdn.discordapp.com/avatars/{id}/{}", file(&hash)));
    let there = of_member("avatar")
        .zip(guild)
        .map(|(hash, guild)| format!("https://cdn.discordapp.com/guilds/{guild}/users/{id}/avatars/{}", file(&hash)));
    let is_bot = user.get("bot").and_then(Json::as_bool).unwrap_or(false);
    Some(Person { name, picture: there.or(own), is_bot, id })
}
