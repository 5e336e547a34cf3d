//! Discord as a network of the bridge engine.
//!
//! A login is a bot. What happens comes as frames of the gateway ([`events::stored`]); what people here write is said
//! through a webhook of ours in the channel, by their name.

mod files;
mod people;
mod speak;
mod threads;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use futures_util::future::LocalBoxFuture;
use hubbub_bridge::{
    contract::{ChannelKind, Hook},
    network::{
        FileUpload, HistoryPage, HistoryRequest, HookBody, HookEvent, HookKind, Identity, KnownAddresses, KnownNames,
        NamesIn, Network, NetworkFacts, Post, RemoteChannel, RemoteError, RemoteEvent, RemoteFile, RemoteProfile,
        RemoteReactions, RemoteThread, ShownReaction, Sought, ThreadStart,
    },
    text::Addresses,
    web::HookHeaders,
};
use hubbub_core::context::Context;
use hubbub_storage::blobs::Body;
use ruma::{EventId, RoomOrAliasId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json, value::RawValue};

use self::speak::Spot;
use crate::{
    convert::{self, Files, from_discord, to_discord},
    events::{self, Route, space},
    interactions,
    remote_id::{Snowflake, ghost_localpart, user_of_ghost},
    rest::{self, API_URL, Call, Limits, Rest, Webhook, find_webhook},
    text_of,
};

/// What never changes about Discord.
pub static FACTS: NetworkFacts = NetworkFacts {
    id: "discord",
    title: "Discord",
    bot: "discordbot",
    // Five messages in five seconds are what most channels let through.
    pace: 1,
    replies_thread: false,
    speaks_by_name: true,
    threads_are_channels: true,
    files_with_posts: true,
    hook_headers: HookHeaders { signature: "x-signature-ed25519", timestamp: "x-signature-timestamp" },
    channels_method: "GET guilds/channels",
    person_method: "GET users",
    channel_method: "GET channels",
    mark_method: None,
    history_method: "GET channels/messages",
    thread_method: "GET channels/messages",
};

/// How to make the app.
const INSTRUCTIONS: &str = "Make an application at https://discord.com/developers/applications, switch on “Message \
                            Content Intent” under “Bot”, and add the bot to your server with the permissions to view \
                            channels, send and manage messages, add reactions, manage webhooks and read history.";

/// Pages of one listing that are read at most, and servers of one bot.
const MOST_PAGES: usize = 20;

/// Discord.
pub struct Discord {
    context: Rc<Context>,
    limits: RefCell<Limits>,
    /// Our webhooks by channel, looked up again after an eviction.
    webhooks: RefCell<HashMap<String, Webhook>>,
    /// What is known of channels.
    spots: RefCell<HashMap<String, Spot>>,
    /// The largest file that a server takes.
    file_limits: RefCell<HashMap<String, u64>>,
}

impl Discord {
    /// Discord as this server reaches it.
    pub fn new(context: Rc<Context>) -> Self {
        Self {
            context,
            limits: RefCell::default(),
            webhooks: RefCell::default(),
            spots: RefCell::default(),
            file_limits: RefCell::default(),
        }
    }

    async fn call<T: DeserializeOwned>(&self, token: &str, call: Call) -> Result<T, RemoteError> {
        self.rest(token).send(call, &self.limits).await
    }

    fn rest<'a>(&'a self, token: &'a str) -> Rest<'a> {
        Rest { context: &self.context, base: API_URL, token }
    }

    /// A call that is fine when Discord has one of these codes against it: it was done already.
    async fn done(&self, token: &str, call: Call, fine: &[&str]) -> Result<(), RemoteError> {
        match self.call::<Json>(token, call).await {
            Err(RemoteError::Refused(code)) if fine.contains(&code.as_str()) => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// Our webhook in a channel: the one that is there, or a new one. A portal makes one call at a time, and what an
    /// answer that was lost made is found by the next look.
    async fn webhook(&self, token: &str, channel: &str) -> Result<Webhook, RemoteError> {
        if let Some(webhook) = self.webhooks.borrow().get(channel).cloned() {
            return Ok(webhook);
        }
        let id = id_of(channel)?;
        let application: Json = before(self.call(token, Call::application()).await)?;
        let application = text_of(&application, "id").as_deref().and_then(Snowflake::read);
        let application = application.ok_or_else(|| RemoteError::NotDone("an application without an id".to_owned()))?;
        let there: Vec<Json> = before(self.call(token, Call::webhooks(id)).await)?;
        let webhook = match find_webhook(&there, application) {
            Some(webhook) => webhook,
            None => {
                let made: Json = before(self.call(token, Call::create_webhook(id)).await)?;
                find_webhook(&[made], application)
                    .ok_or_else(|| RemoteError::NotDone("a webhook without a token".to_owned()))?
            }
        };
        self.webhooks.borrow_mut().insert(channel.to_owned(), webhook.clone());
        Ok(webhook)
    }

    /// Forgets a webhook of which Discord says that it is gone.
    fn judge<T>(&self, channel: &str, outcome: Result<T, RemoteError>) -> Result<T, RemoteError> {
        match outcome {
            Err(RemoteError::Refused(code)) if code == "10015" => {
                self.webhooks.borrow_mut().remove(channel);
                Err(RemoteError::NotDone("the webhook is gone".to_owned()))
            }
            // It needs no token of the bot's: only the webhook's own can be wrong.
            Err(RemoteError::BadCredentials(_)) => {
                self.webhooks.borrow_mut().remove(channel);
                Err(RemoteError::NotDone("the webhook has another token now".to_owned()))
            }
            outcome => outcome,
        }
    }
}

/// The outcome of a call that comes before the one that says something: nothing was said yet.
fn before<T>(outcome: Result<T, RemoteError>) -> Result<T, RemoteError> {
    outcome.map_err(|error| match error {
        RemoteError::Unknown(cause) => RemoteError::NotDone(cause),
        error => error,
    })
}

fn id_of(text: &str) -> Result<Snowflake, RemoteError> {
    Snowflake::read(text).ok_or_else(|| RemoteError::Refused("404".to_owned()))
}

/// A post as the engine carries it.
fn content_of(post: &convert::Post) -> Json {
    let users: Vec<String> = post.users.iter().map(Snowflake::to_string).collect();
    let meant: Vec<String> = post.meant.iter().map(Snowflake::to_string).collect();
    json!({ "content": post.content, "users": users, "everyone": post.everyone, "meant": meant })
}

fn post_of(content: &Json) -> convert::Post {
    let people = |key: &str| {
        let people = content.get(key).and_then(Json::as_array).into_iter().flatten();
        people.filter_map(Json::as_str).filter_map(Snowflake::read).collect()
    };
    convert::Post {
        content: text_of(content, "content").unwrap_or_default(),
        users: people("users"),
        meant: people("meant"),
        everyone: content.get("everyone").and_then(Json::as_bool).unwrap_or(false),
    }
}

/// The message of a frame or of a history.
fn message(event: &RawValue) -> Json {
    events::message_of(event).unwrap_or_default()
}

fn remote_channel(channel: space::Channel) -> RemoteChannel {
    let direct = channel.kind == space::Kind::Direct;
    RemoteChannel {
        id: channel.id,
        name: channel.name,
        topic: channel.topic,
        kind: if direct { ChannelKind::Direct } else { ChannelKind::Channel },
        with: channel.with.filter(|_| direct),
        last_read: None,
        read_only: channel.locked,
    }
}

impl Network for Discord {
    fn facts(&self) -> &'static NetworkFacts {
        &FACTS
    }

    fn manifest(&self, hook_url: &str) -> Json {
        json!({ "interactions_endpoint_url": hook_url })
    }

    fn instructions(&self) -> &'static str {
        INSTRUCTIONS
    }

    fn check_secrets(&self, public_key: &str, token: &str) -> Result<(), String> {
        if token.is_empty() || token.len() > 512 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "The token has characters that no token has: copy it under “Bot”, without “Bot ” before it.".to_owned()
            );
        }
        if !interactions::is_public_key(public_key) {
            return Err("The public key is 64 hexadecimal digits, under General Information of your app.".to_owned());
        }
        Ok(())
    }

    fn identify<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Identity, RemoteError>> {
        Box::pin(async move {
            let me: Json = self.call(token, Call::me()).await?;
            let bot = space::person(&me, None, None)
                .ok_or_else(|| RemoteError::Unknown("an account without an id".to_owned()))?;
            if !bot.is_bot {
                return Err(RemoteError::Refused("not_a_bot".to_owned()));
            }
            Ok(Identity { team: bot.id.clone(), team_name: bot.name.clone(), user: bot.id, user_name: bot.name })
        })
    }

    fn verify(&self, public_key: &str, hook: &Hook, now: i64) -> Result<(), &'static str> {
        interactions::verify(public_key, &hook.timestamp, &hook.signature, &hook.body, now)
    }

    fn read_hook(&self, body: &str) -> HookBody {
        let Some(stored) = events::envelope(body) else {
            return HookBody::Malformed("This is no event of Discord's gateway.");
        };
        let kind = match events::route(&stored.name, &stored.data) {
            Route::Channel { channel, guild } => {
                let direct = guild.is_none();
                let opens = stored.name == "MESSAGE_CREATE";
                HookKind::ForChannel { channel, kind: direct.then_some(ChannelKind::Direct), opens }
            }
            Route::Space => match space::read(&stored.name, &stored.data) {
                space::SpaceEvent::ChannelUpdate(channel) | space::SpaceEvent::ThreadUpdate(channel) => {
                    HookKind::ChannelChanged { channel: channel.id }
                }
                _ => HookKind::NotBridged,
            },
            Route::Nowhere(_) => HookKind::Other,
        };
        HookBody::Event(HookEvent {
            event_id: stored.seq.to_string(),
            at: stored.at / 1_000,
            teams: Vec::new(),
            account: None,
            kind,
        })
    }

    fn event_of(&self, body: &str) -> Option<Box<RawValue>> {
        RawValue::from_string(body.to_owned()).ok()
    }

    fn channels<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<RemoteChannel>, RemoteError>> {
        Box::pin(async move {
            let guilds: Vec<Json> = self.call(token, Call::guilds(None)).await?;
            let mut all = Vec::new();
            for guild in guilds.iter().filter_map(|guild| text_of(guild, "id")).take(MOST_PAGES) {
                let channels: Vec<Json> = self.call(token, Call::guild_channels(id_of(&guild)?)).await?;
                let read = channels.iter().filter_map(|channel| space::channel(channel, Some(&guild)));
                all.extend(
                    read.filter(|channel| matches!(channel.kind, space::Kind::Text | space::Kind::Forum))
                        .map(remote_channel),
                );
            }
            Ok(all)
        })
    }

    fn channel<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<RemoteChannel, RemoteError>> {
        Box::pin(async move {
            let found: Json = self.call(token, Call::channel(id_of(channel)?)).await?;
            let channel = space::channel(&found, None).map(remote_channel);
            channel.ok_or_else(|| RemoteError::Unknown("a channel without an id".to_owned()))
        })
    }

    fn person<'a>(
        &'a self,
        token: &'a str,
        person: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteProfile>, RemoteError>> {
        Box::pin(async move {
            match self.call::<Json>(token, Call::user(id_of(person)?)).await {
                Ok(user) => Ok(space::person(&user, None, None)
                    .map(|person| RemoteProfile { name: person.name, picture: person.picture })),
                // Who speaks through a webhook is no user.
                Err(RemoteError::Refused(code)) if code == "10013" || code == "404" => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn thread<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteThread>, RemoteError>> {
        Box::pin(self.read_thread(token, channel))
    }

    fn threads_in(&self, body: &str) -> Vec<RemoteThread> {
        threads::threads_in(body)
    }

    fn in_thread(&self, body: &str, thread: &RemoteThread) -> String {
        events::in_thread(body, &thread.id, &thread.name)
    }

    fn thread_start(&self, event: &RawValue) -> Option<ThreadStart> {
        threads::start(event)
    }

    fn people_named<'a>(
        &'a self,
        token: &'a str,
        name: &'a str,
    ) -> LocalBoxFuture<'a, Result<Vec<(String, String)>, RemoteError>> {
        Box::pin(self.find_people(token, name))
    }

    fn open_chat<'a>(&'a self, token: &'a str, person: &'a str) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(self.open_direct(token, person))
    }

    fn history<'a>(
        &'a self,
        token: &'a str,
        request: &'a HistoryRequest<'a>,
    ) -> LocalBoxFuture<'a, Result<HistoryPage, RemoteError>> {
        Box::pin(async move {
            let limit = u8::try_from(request.limit.clamp(1, 100)).unwrap_or(100);
            let after = request.cursor.or(request.after).and_then(Snowflake::read);
            let call = Call::messages(id_of(request.thread.unwrap_or(request.channel))?, after, None, limit);
            let messages: Vec<Json> = self.call(token, call).await?;
            let newest = messages.iter().filter_map(|one| Snowflake::read(&text_of(one, "id")?)).max();
            // Only who reads forwards reads on.
            let full = after.is_some() && messages.len() >= usize::from(limit);
            Ok(HistoryPage {
                messages: messages.iter().filter_map(|message| threads::raw(message, request.thread)).collect(),
                next: newest.filter(|_| full).map(|id| id.to_string()),
            })
        })
    }

    fn send<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(async move {
            let said = self.say(token, channel, post, None).await?;
            text_of(&said, "id").ok_or_else(|| RemoteError::Unknown("a message without an id".to_owned()))
        })
    }

    fn send_file<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        post: &'a Post,
        file: FileUpload,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(async move {
            let said = self.say(token, channel, post, Some(file)).await?;
            text_of(&said, "id").ok_or_else(|| RemoteError::Unknown("a message without an id".to_owned()))
        })
    }

    fn most_file_bytes(&self) -> u64 {
        files::MOST_BYTES
    }

    fn refuses_file(&self, code: &str) -> bool {
        matches!(code, files::TOO_LARGE | "413")
    }

    fn files_in(&self, event: &RawValue) -> Vec<RemoteFile> {
        files::files_in(event)
    }

    fn file_request(&self, _: &str, file: &RemoteFile) -> Option<http::Request<Body>> {
        files::request(file)
    }

    fn fresh_file<'a>(
        &'a self,
        token: &'a str,
        file: &'a RemoteFile,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteFile>, RemoteError>> {
        Box::pin(self.refresh(token, file))
    }

    fn edit<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<i64, RemoteError>> {
        Box::pin(self.change(token, channel, remote_id, post))
    }

    fn delete<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let call = Call::delete_message(id_of(channel)?, id_of(remote_id)?);
            self.done(token, call, &["10008"]).await
        })
    }

    fn react<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        key: &'a str,
        added: bool,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let call = Call::react(id_of(channel)?, id_of(remote_id)?, key, added);
            let fine: &[&str] = if added { &[] } else { &["10008", "10014"] };
            self.done(token, call, fine).await
        })
    }

    fn mark_read<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_gone(&self, code: &str) -> bool {
        matches!(code, "404" | "10003" | "50001")
    }

    /// Discord's limits are of routes, and known only from its answers.
    fn budget(&self, _: &str) -> Option<(u32, u32)> {
        None
    }

    fn ghost_localpart(&self, _: &str, person: &str) -> String {
        Snowflake::read(person).map_or_else(|| "_discord_".to_owned(), ghost_localpart)
    }

    fn person_of_ghost(&self, _: &str, localpart: &str) -> Option<String> {
        user_of_ghost(localpart).map(|user| user.to_string())
    }

    fn read_event(&self, event: &RawValue) -> RemoteEvent {
        events::read_event(event)
    }

    fn place(&self, remote_id: &str) -> Option<String> {
        Snowflake::read(remote_id).map(Snowflake::place)
    }

    fn id_at(&self, at: i64) -> String {
        Snowflake::at(at).to_string()
    }

    fn names_in(&self, event: &RawValue) -> NamesIn {
        let references = convert::references(&message(event));
        NamesIn { people: references.users, channels: references.channels }
    }

    fn to_matrix(&self, event: &RawValue, names: &KnownNames) -> Vec<Json> {
        let contents = from_discord(&message(event), names, Files::ByThemselves).contents;
        contents.into_iter().filter_map(|content| serde_json::to_value(content).ok()).collect()
    }

    fn shown_reaction(&self, key: &str) -> ShownReaction {
        events::shown_reaction(key)
    }

    fn reaction_key(&self, key: &str) -> Option<String> {
        events::key_of_reaction(key, &[])
    }

    fn newest_reply(&self, event: &RawValue) -> Option<String> {
        text_of(message(event).get("thread")?, "last_message_id")
    }

    /// A history counts reactions only: who reacted is a call for each emoji of each message.
    fn reactions_in(&self, _: &RawValue) -> Option<Vec<RemoteReactions>> {
        None
    }

    fn to_remote(&self, content: &Json, known: &KnownAddresses<'_>) -> Vec<Json> {
        to_discord(content, &Here(known)).iter().map(content_of).collect()
    }

    fn is_post(&self, event: &RawValue, sought: &Sought<'_>) -> bool {
        self.says(&message(event), sought)
    }

    fn explain(&self, code: &str) -> String {
        rest::explain(code)
    }
}

/// The engine's addresses, as the converter asks for them.
struct Here<'a>(&'a KnownAddresses<'a>);

impl Addresses for Here<'_> {
    fn user(&self, mxid: &UserId) -> Option<String> {
        if mxid == self.0.owner {
            return Some(self.0.remote_user.to_owned());
        }
        let local = mxid.server_name() == self.0.server_name;
        user_of_ghost(mxid.localpart()).filter(|_| local).map(|user| user.to_string())
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        let own = self.0.room_id.is_some_and(|own| own.as_str() == room.as_str());
        own.then(|| self.0.channel.to_owned())
    }

    fn permalink(&self, _: &RoomOrAliasId, _: &EventId) -> Option<String> {
        None
    }
}
