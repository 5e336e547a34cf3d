//! Discord as a network of the bridge engine.
//!
//! A login is a bot. What happens comes as frames of the gateway ([`events::stored`]); what people here write is said
//! through a webhook of ours in the channel, by their name.

mod emoji;
mod files;
mod linking;
mod people;
mod places;
mod speak;
mod threads;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_bridge::{
    contract::{ChannelKind, Hook},
    network::{
        CustomEmoji, FileUpload, HistoryPage, HistoryRequest, HookBody, HookEvent, HookKind, Identity, KnownAddresses,
        KnownNames, LinkAttempt, LinkReply, ListedEmoji, NamesIn, Network, NetworkFacts, Post, RemoteChannel,
        RemoteError, RemoteEvent, RemoteFile, RemoteProfile, RemoteReactions, RemoteThread, ShownReaction, Sought,
        ThreadStart, Words,
    },
    text::{Addresses, document::Inline},
    web::HookHeaders,
};
use hubbub_core::context::Context;
use hubbub_storage::blobs::Body;
use ruma::{EventId, MxcUri, RoomOrAliasId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json, value::RawValue};

use self::speak::Spot;
use crate::{
    convert::{self, Files, from_discord, to_discord},
    events::{self, Route, space},
    interactions,
    remote_id::{Snowflake, ghost_localpart, localpart_of_voice, user_of_ghost},
    rest::{self, Call, Limits, Rest, Webhook, find_webhook},
    text_of,
};

/// What never changes about Discord.
pub static FACTS: NetworkFacts = NetworkFacts {
    id: "discord",
    title: "Discord",
    bot: "discordbot",
    object_prefix: "discord-",
    words: Words {
        team: "bot",
        secrets: "the public key and the bot's token",
        key: "Public key (General Information)",
        token: "Token (Bot)",
        renew: "Copy it again under “Bot”, where it can be reset.",
        silence: "Look whether the bot may still view the channel and whether “Message Content Intent” is still on.",
        then: "Under General Information, the address that the bot told is the Interactions Endpoint URL: enter it now.",
    },
    has_gateway: true,
    // Five messages in five seconds are what most channels let through.
    pace: 1,
    replies_thread: false,
    speaks_by_name: true,
    threads_are_channels: true,
    files_with_posts: true,
    links_owner: true,
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
                            channels, send and manage messages, add reactions, manage webhooks and read history. \
                            Once this app is connected, enter the address below as its “Interactions Endpoint URL” \
                            under “General Information”, and say `link` here so that I know who you are.";

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
    application: Cell<Option<Snowflake>>,
    /// The bot.
    bot: Cell<Option<Snowflake>>,
    /// The owner's own person.
    owner: RefCell<Option<String>>,
    /// Roles' names, and when they were read.
    roles: RefCell<(i64, HashMap<String, String>)>,
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
            application: Cell::default(),
            bot: Cell::default(),
            owner: RefCell::default(),
            roles: RefCell::default(),
        }
    }

    async fn call<T: DeserializeOwned>(&self, token: &str, call: Call) -> Result<T, RemoteError> {
        let permission = rest::permission_for(call.route.name);
        self.rest(token).send(call, &self.limits).await.map_err(|error| match (error, permission) {
            // Which one is missing Discord does not say, but the call does.
            (RemoteError::Refused(code), Some(permission)) if code == "50013" => {
                RemoteError::Refused(format!("50013 {permission}"))
            }
            (error, _) => error,
        })
    }

    fn rest<'a>(&'a self, token: &'a str) -> Rest<'a> {
        Rest { context: &self.context, base: &self.context.config.discord_api_url, token }
    }

    /// A call that is fine when Discord has one of these codes against it: it was done already.
    async fn done(&self, token: &str, call: Call, fine: &[&str]) -> Result<(), RemoteError> {
        match self.call::<Json>(token, call).await {
            Err(RemoteError::Refused(code)) if fine.contains(&code.as_str()) => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// The application whose bot this is.
    async fn application(&self, token: &str) -> Result<Snowflake, RemoteError> {
        if let Some(known) = self.application.get() {
            return Ok(known);
        }
        let found: Json = self.call(token, Call::application()).await?;
        let id = text_of(&found, "id").as_deref().and_then(Snowflake::read);
        let id = id.ok_or_else(|| RemoteError::NotDone("an application without an id".to_owned()))?;
        self.application.set(Some(id));
        Ok(id)
    }

    /// Our webhook in a channel: the one that is there, or a new one. A portal makes one call at a time, and what an
    /// answer that was lost made is found by the next look.
    async fn webhook(&self, token: &str, channel: &str) -> Result<Webhook, RemoteError> {
        if let Some(webhook) = self.webhooks.borrow().get(channel).cloned() {
            return Ok(webhook);
        }
        let id = id_of(channel)?;
        let application = before(self.application(token).await)?;
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
            // What was known is of the token from before.
            self.application.set(None);
            self.bot.set(None);
            let team = self.application(token).await?.to_string();
            Ok(Identity { team, team_name: bot.name.clone(), user: bot.id, user_name: bot.name })
        })
    }

    fn connecting<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Json, RemoteError>> {
        Box::pin(self.call(token, Call::gateway_bot()))
    }

    fn verify(&self, public_key: &str, hook: &Hook, now: i64) -> Result<(), &'static str> {
        interactions::verify(public_key, &hook.timestamp, &hook.signature, &hook.body, now)
    }

    fn read_hook(&self, body: &str) -> HookBody {
        let Some(stored) = events::envelope(body) else {
            return linking::read_request(body);
        };
        let kind = match events::route(&stored.name, &stored.data) {
            Route::Channel { channel, guild } => {
                let direct = guild.is_none();
                let opens =
                    stored.name == "MESSAGE_CREATE" && (guild.is_some() || !events::is_by_program(&stored.data));
                HookKind::ForChannel { channel, kind: direct.then_some(ChannelKind::Direct), opens }
            }
            // An id keeps its picture: only what was looked for and not found may be there now.
            Route::Space => match space::read(&stored.name, &stored.data) {
                space::SpaceEvent::Emojis { .. } => HookKind::EmojiChanged { keys: Vec::new() },
                told => places::kind_of(told),
            },
            // A code is found by `link_in`, before this: nothing else can be commanded.
            Route::Command | Route::Nowhere(_) => HookKind::Other,
        };
        HookBody::Event(HookEvent {
            event_id: stored.seq.to_string(),
            at: stored.at / 1_000,
            teams: Vec::new(),
            account: None,
            kind,
        })
    }

    fn link_answer(&self, text: &str) -> Json {
        interactions::answer(text)
    }

    fn link_help(&self, code: &str) -> String {
        format!("At Discord, type `/link {code}` where the bot is, or send it `link {code}` as a direct message.")
    }

    fn link_in(&self, body: &str) -> Option<LinkAttempt> {
        linking::read_event(body)
    }

    fn reply_to_link<'a>(
        &'a self,
        token: &'a str,
        to: &'a LinkReply,
        text: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.answer_link(token, to, text))
    }

    fn prepare<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.register_command(token))
    }

    fn voice_of<'a>(&self, person: &'a str) -> Option<&'a str> {
        person.split_once('~').map(|(voice, _)| voice)
    }

    fn event_of(&self, body: &str) -> Option<Box<RawValue>> {
        RawValue::from_string(body.to_owned()).ok()
    }

    fn channels<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<RemoteChannel>, RemoteError>> {
        Box::pin(self.list_channels(token))
    }

    fn channel<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<RemoteChannel, RemoteError>> {
        Box::pin(self.describe(token, channel))
    }

    fn join<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteChannel>, RemoteError>> {
        Box::pin(async move {
            // A bot is in all that it sees.
            let channels = self.list_channels(token).await?;
            Ok(channels.into_iter().find(|one| one.id == channel || one.is_called(channel)))
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
        matches!(code, "404" | "10003" | "10004" | "50001")
    }

    fn held_until(&self) -> i64 {
        self.limits.borrow().paused_until
    }

    fn hold(&self, until: i64) {
        self.limits.borrow_mut().hold(until);
    }

    fn take_refused(&self) -> u32 {
        self.limits.borrow_mut().take_refused()
    }

    fn know_owner(&self, person: Option<&str>) {
        *self.owner.borrow_mut() = person.map(str::to_owned);
    }

    /// Discord's limits are of routes, and known only from its answers.
    fn budget(&self, _: &str) -> Option<(u32, u32)> {
        None
    }

    fn ghost_localpart(&self, _: &str, person: &str) -> String {
        Snowflake::read(person).map_or_else(|| localpart_of_voice(person), ghost_localpart)
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
        let message = message(event);
        let references = convert::references(&message);
        // A webhook is nobody: who speaks by it is the sender.
        let webhook = text_of(&message, "webhook_id");
        let people = references.users.into_iter().filter(|user| webhook.as_ref() != Some(user)).collect();
        let emoji = references.emoji.into_iter().map(|(name, id)| CustomEmoji { name, id: Some(id) }).collect();
        NamesIn { people, channels: references.channels, groups: references.roles, emoji }
    }

    fn groups<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        ids: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<(String, String)>, RemoteError>> {
        Box::pin(self.roles_named(token, channel, ids))
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

    fn emoji_of_key(&self, key: &str) -> Option<CustomEmoji> {
        emoji::of_key(key)
    }

    fn key_of_emoji(&self, emoji: &CustomEmoji) -> String {
        emoji::key_of(emoji)
    }

    fn emoji_picture(&self, emoji: &CustomEmoji) -> Option<String> {
        emoji::picture(emoji)
    }

    fn list_emoji<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<ListedEmoji>, RemoteError>> {
        Box::pin(self.all_emoji(token))
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
            return self.0.own_person.map(str::to_owned);
        }
        let local = mxid.server_name() == self.0.server_name;
        user_of_ghost(mxid.localpart()).filter(|_| local).map(|user| user.to_string())
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        self.0.channel_of(room, &FACTS)
    }

    fn permalink(&self, _: &RoomOrAliasId, _: &EventId) -> Option<String> {
        None
    }

    fn emoji(&self, name: &str, picture: Option<&MxcUri>) -> Inline {
        self.0.emoji.inline(name, picture)
    }
}
