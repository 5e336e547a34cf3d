//! The calls, as data. Their paths may hold a webhook's token, so they have no `Debug`.

use http::Method;
use serde_json::{Value as Json, json};

use super::{
    limits::Route,
    multipart::{Upload, multipart},
};
use crate::{interactions, remote_id::Snowflake};

/// A call that can be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is.
    pub route: Route,
    /// The method.
    pub method: Method,
    /// The path and query after the API's address.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    /// The body's type, if there is one.
    pub content_type: Option<String>,
    /// Whether it needs the bot's token; a webhook's address is its own key.
    pub authorized: bool,
}

impl Call {
    pub(super) fn new(method: Method, name: &'static str, major: impl ToString, path: String) -> Self {
        let route = Route { name, major: major.to_string() };
        Self { route, method, path, body: Vec::new(), content_type: None, authorized: true }
    }

    pub(super) fn json(mut self, body: &Json) -> Self {
        self.body = body.to_string().into_bytes();
        self.content_type = Some("application/json".to_owned());
        self
    }

    /// The same call with files beside its JSON. `boundary` is random, and in none of the files.
    #[must_use]
    pub fn with_files(mut self, files: &[Upload], boundary: &str) -> Self {
        let payload: Json = serde_json::from_slice(&self.body).unwrap_or_else(|_| json!({}));
        self.body = multipart(payload, files, boundary);
        self.content_type = Some(format!("multipart/form-data; boundary={boundary}"));
        self
    }

    /// The same call with one file beside its JSON, whose bytes are not here: what goes before them is the body, what
    /// goes after them comes with it. `boundary` is random.
    #[must_use]
    pub fn around_file(self, file: Upload, boundary: &str) -> (Self, Vec<u8>) {
        let mut call = self.with_files(&[file], boundary);
        let after = format!("\r\n--{boundary}--\r\n").into_bytes();
        call.body.truncate(call.body.len().saturating_sub(after.len()));
        (call, after)
    }

    /// `GET /gateway/bot`: the address and the identify budget. Asked before each identify.
    #[must_use]
    pub fn gateway_bot() -> Self {
        Self::new(Method::GET, "GET gateway/bot", "", "gateway/bot".to_owned())
    }

    /// Whose token this is.
    #[must_use]
    pub fn me() -> Self {
        Self::new(Method::GET, "GET users/@me", "", "users/@me".to_owned())
    }

    /// The application, with its public key.
    #[must_use]
    pub fn application() -> Self {
        Self::new(Method::GET, "GET applications/@me", "", "applications/@me".to_owned())
    }

    /// The servers that the bot is in, at most 200 after `after`.
    #[must_use]
    pub fn guilds(after: Option<Snowflake>) -> Self {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        Self::new(Method::GET, "GET users/@me/guilds", "", format!("users/@me/guilds?limit=200{after}"))
    }

    /// All channels of a server, without threads.
    #[must_use]
    pub fn guild_channels(guild: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds/channels", guild, format!("guilds/{guild}/channels"))
    }

    /// The active threads of a server.
    #[must_use]
    pub fn active_threads(guild: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds/threads/active", guild, format!("guilds/{guild}/threads/active"))
    }

    /// Archived threads of a channel, the last archived first, before a moment (RFC 3339).
    #[must_use]
    pub fn archived_threads(channel: Snowflake, private: bool, before: Option<&str>) -> Self {
        let kind = if private { "private" } else { "public" };
        let before = before.map(|before| format!("&before={}", encoded(before))).unwrap_or_default();
        let path = format!("channels/{channel}/threads/archived/{kind}?limit=100{before}");
        Self::new(Method::GET, "GET channels/threads/archived", channel, path)
    }

    /// A server's emoji.
    #[must_use]
    pub fn guild_emoji(guild: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds/emojis", guild, format!("guilds/{guild}/emojis"))
    }

    /// A server, with its roles.
    #[must_use]
    pub fn guild(guild: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds", guild, format!("guilds/{guild}"))
    }

    /// A server's roles.
    #[must_use]
    pub fn guild_roles(guild: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds/roles", guild, format!("guilds/{guild}/roles"))
    }

    /// A member of a server.
    #[must_use]
    pub fn member(guild: Snowflake, user: Snowflake) -> Self {
        Self::new(Method::GET, "GET guilds/members", guild, format!("guilds/{guild}/members/{user}"))
    }

    /// A user.
    #[must_use]
    pub fn user(user: Snowflake) -> Self {
        Self::new(Method::GET, "GET users", "", format!("users/{user}"))
    }

    /// A channel or thread.
    #[must_use]
    pub fn channel(channel: Snowflake) -> Self {
        Self::new(Method::GET, "GET channels", channel, format!("channels/{channel}"))
    }

    /// Messages after or before an id, at most 100; the newest when neither is given.
    #[must_use]
    pub fn messages(channel: Snowflake, after: Option<Snowflake>, before: Option<Snowflake>, limit: u8) -> Self {
        let mut path = format!("channels/{channel}/messages?limit={}", limit.clamp(1, 100));
        if let Some(after) = after {
            path.push_str(&format!("&after={after}"));
        } else if let Some(before) = before {
            path.push_str(&format!("&before={before}"));
        }
        Self::new(Method::GET, "GET channels/messages", channel, path)
    }

    /// One message, to have fresh addresses of its files.
    #[must_use]
    pub fn message(channel: Snowflake, message: Snowflake) -> Self {
        Self::new(Method::GET, "GET channels/messages/one", channel, format!("channels/{channel}/messages/{message}"))
    }

    /// Deletes a message, anybody's where the bot may.
    #[must_use]
    pub fn delete_message(channel: Snowflake, message: Snowflake) -> Self {
        let path = format!("channels/{channel}/messages/{message}");
        Self::new(Method::DELETE, "DELETE channels/messages", channel, path)
    }

    /// Adds the bot's reaction, or takes it away. `key` is as events say it.
    #[must_use]
    pub fn react(channel: Snowflake, message: Snowflake, key: &str, added: bool) -> Self {
        let path = format!("channels/{channel}/messages/{message}/reactions/{}/@me", encoded(key));
        let (method, name) =
            if added { (Method::PUT, "PUT channels/reactions") } else { (Method::DELETE, "DELETE channels/reactions") };
        Self::new(method, name, channel, path)
    }

    /// Who reacted with `key`, at most 100 after `after`.
    #[must_use]
    pub fn reactions(channel: Snowflake, message: Snowflake, key: &str, after: Option<Snowflake>) -> Self {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let path = format!("channels/{channel}/messages/{message}/reactions/{}?limit=100{after}", encoded(key));
        Self::new(Method::GET, "GET channels/reactions", channel, path)
    }

    /// Shows for ten seconds that the bot types.
    #[must_use]
    pub fn typing(channel: Snowflake) -> Self {
        Self::new(Method::POST, "POST channels/typing", channel, format!("channels/{channel}/typing"))
    }

    /// Begins a thread at a message. The thread has the message's id.
    #[must_use]
    pub fn start_thread(channel: Snowflake, message: Snowflake, name: &str) -> Self {
        let path = format!("channels/{channel}/messages/{message}/threads");
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let name = if name.trim().is_empty() { "Thread".to_owned() } else { name };
        Self::new(Method::POST, "POST channels/threads", channel, path).json(&json!({ "name": name }))
    }

    /// Brings an archived thread back.
    #[must_use]
    pub fn reopen_thread(thread: Snowflake) -> Self {
        Self::new(Method::PATCH, "PATCH channels", thread, format!("channels/{thread}"))
            .json(&json!({ "archived": false }))
    }

    /// The members of a server whose name begins so, at most ten.
    #[must_use]
    pub fn search_members(guild: Snowflake, name: &str) -> Self {
        let path = format!("guilds/{guild}/members/search?limit=10&query={}", encoded(name));
        Self::new(Method::GET, "GET guilds/members/search", guild, path)
    }

    /// Changes a channel's name or topic.
    #[must_use]
    pub fn change_channel(channel: Snowflake, name: Option<&str>, topic: Option<&str>) -> Self {
        let mut body = serde_json::Map::new();
        body.extend(name.map(|name| ("name".to_owned(), name.into())));
        body.extend(topic.map(|topic| ("topic".to_owned(), topic.into())));
        Self::new(Method::PATCH, "PATCH channels", channel, format!("channels/{channel}")).json(&Json::Object(body))
    }

    /// Opens the direct chat of the bot with somebody; the same one each time.
    #[must_use]
    pub fn open_direct(user: Snowflake) -> Self {
        let body = json!({ "recipient_id": user.to_string() });
        Self::new(Method::POST, "POST users/@me/channels", "", "users/@me/channels".to_owned()).json(&body)
    }

    /// Writes the answer of a deferred interaction (`interactions::later`).
    #[must_use]
    pub fn answer_interaction(link: &interactions::Link, text: &str) -> Self {
        let path = format!("webhooks/{}/{}/messages/@original", link.application, encoded(&link.token));
        let body = json!({ "content": text, "allowed_mentions": { "parse": [] } });
        let call = Self::new(Method::PATCH, "PATCH interaction", link.application, path).json(&body);
        Self { authorized: false, ..call }
    }

    /// Answers an interaction of the gateway (`<id>/<token>`), so that only the person sees it.
    #[must_use]
    pub fn reply_to_interaction(interaction: &str, text: &str) -> Self {
        let (id, token) = interaction.split_once('/').unwrap_or((interaction, ""));
        let path = format!("interactions/{}/{}/callback", encoded(id), encoded(token));
        let call = Self::new(Method::POST, "POST interactions", id, path).json(&interactions::answer(text));
        Self { authorized: false, ..call }
    }

    /// The bot says something of its own, and pings nobody.
    #[must_use]
    pub fn say(channel: Snowflake, text: &str) -> Self {
        let path = format!("channels/{channel}/messages");
        let body = json!({ "content": text, "allowed_mentions": { "parse": [] } });
        Self::new(Method::POST, "POST channels/messages", channel, path).json(&body)
    }

    /// Registers the slash command, in place of all that were.
    #[must_use]
    pub fn register_commands(application: Snowflake) -> Self {
        let path = format!("applications/{application}/commands");
        Self::new(Method::PUT, "PUT commands", application, path).json(&interactions::command_list())
    }
}

/// A text as one segment of a path or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
