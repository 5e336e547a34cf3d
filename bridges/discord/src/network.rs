//! Discord as a network of the bridge engine.
//!
//! A login is a bot. What happens comes as frames of the gateway ([`events::stored`]); what people here write is said
//! through a webhook of ours in the channel, by their name.

mod linking;
mod places;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_bridge::{
    contract::{ChannelKind, Hook},
    network::{
        HistoryPage, HistoryRequest, HookBody, HookEvent, HookKind, Identity, KnownAddresses, KnownNames, LinkAttempt,
        LinkReply, NamesIn, Network, NetworkFacts, Post, RemoteChannel, RemoteError, RemoteEvent, RemoteProfile,
        RemoteReactions, ShownReaction,
    },
    text::Addresses,
    web::HookHeaders,
};
use hubbub_core::context::Context;
use ruma::{EventId, RoomOrAliasId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{
    Value as Json, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    convert::{self, Files, from_discord, to_discord},
    events::{self, Route, space},
    interactions,
    remote_id::{Snowflake, ghost_localpart, localpart_of_voice, user_of_ghost},
    rest::{self, API_URL, Call, Limits, Mark, Rest, Speech, Webhook, find_webhook},
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
            application: Cell::default(),
            bot: Cell::default(),
            owner: RefCell::default(),
            roles: RefCell::default(),
        }
    }

    async fn call<T: DeserializeOwned>(&self, token: &str, call: Call) -> Result<T, RemoteError> {
        let rest = Rest { context: &self.context, base: API_URL, token };
        let permission = rest::permission_for(call.route.name);
        rest.send(call, &self.limits).await.map_err(|error| match (error, permission) {
            // Which one is missing Discord does not say, but the call does.
            (RemoteError::Refused(code), Some(permission)) if code == "50013" => {
                RemoteError::Refused(format!("50013 {permission}"))
            }
            (error, _) => error,
        })
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

    async fn say(&self, token: &str, channel: &str, post: &Post) -> Result<Json, RemoteError> {
        let said = post_of(&post.content);
        let has_webhook = self.webhooks.borrow().contains_key(channel);
        let direct: Json = match has_webhook {
            true => Json::Null,
            false => before(self.call(token, Call::channel(id_of(channel)?)).await)?,
        };
        if direct.get("type").and_then(Json::as_u64) == Some(1) {
            // A chat with the bot has no webhooks.
            let mark = Mark { event_id: &post.transaction.event_id, part: post.transaction.part };
            let reply = post.reply_to.as_deref().and_then(Snowflake::read);
            return self.call(token, Call::create_message(id_of(channel)?, &said, reply, mark)?).await;
        }
        let webhook = self.webhook(token, channel).await?;
        let speech = Speech { name: &post.speaker, picture: post.picture.as_deref(), thread: None };
        let outcome = self.call(token, Call::execute_webhook(&webhook, &said, &speech)?).await;
        self.judge(channel, outcome)
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
    json!({ "content": post.content, "users": users, "everyone": post.everyone })
}

fn post_of(content: &Json) -> convert::Post {
    let users = content.get("users").and_then(Json::as_array).into_iter().flatten();
    convert::Post {
        content: text_of(content, "content").unwrap_or_default(),
        users: users.filter_map(Json::as_str).filter_map(Snowflake::read).collect(),
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
            Route::Space => places::kind_of(space::read(&stored.name, &stored.data)),
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

    fn history<'a>(
        &'a self,
        token: &'a str,
        request: &'a HistoryRequest<'a>,
    ) -> LocalBoxFuture<'a, Result<HistoryPage, RemoteError>> {
        Box::pin(async move {
            let limit = u8::try_from(request.limit.clamp(1, 100)).unwrap_or(100);
            let after = request.cursor.or(request.after).and_then(Snowflake::read);
            let call = Call::messages(id_of(request.channel)?, after, None, limit);
            let messages: Vec<Json> = self.call(token, call).await?;
            let newest = messages.iter().filter_map(|one| Snowflake::read(&text_of(one, "id")?)).max();
            // Only who reads forwards reads on.
            let full = after.is_some() && messages.len() >= usize::from(limit);
            Ok(HistoryPage {
                messages: messages.iter().filter_map(|message| to_raw_value(message).ok()).collect(),
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
            let said = self.say(token, channel, post).await?;
            text_of(&said, "id").ok_or_else(|| RemoteError::Unknown("a message without an id".to_owned()))
        })
    }

    fn edit<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<i64, RemoteError>> {
        Box::pin(async move {
            let webhook = self.webhook(token, channel).await?;
            let call = Call::edit_webhook_message(&webhook, id_of(remote_id)?, None, &post_of(&post.content))?;
            let outcome = self.call::<Box<RawValue>>(token, call).await;
            match events::read_event(&self.judge(channel, outcome)?) {
                RemoteEvent::Message(message) if message.edited > 0 => Ok(message.edited),
                _ => Ok(self.context.clock.now().saturating_mul(1_000)),
            }
        })
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
        NamesIn { people, channels: references.channels, groups: references.roles }
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
        let contents = from_discord(&message(event), names, Files::AsLines).contents;
        contents.into_iter().filter_map(|content| serde_json::to_value(content).ok()).collect()
    }

    fn shown_reaction(&self, key: &str) -> ShownReaction {
        events::shown_reaction(key)
    }

    fn reaction_key(&self, key: &str) -> Option<String> {
        events::key_of_reaction(key, &[])
    }

    /// A thread is a channel of its own at Discord.
    fn newest_reply(&self, _: &RawValue) -> Option<String> {
        None
    }

    fn reactions_in(&self, _: &RawValue) -> Option<Vec<RemoteReactions>> {
        None
    }

    fn to_remote(&self, content: &Json, known: &KnownAddresses<'_>) -> Vec<Json> {
        to_discord(content, &Here(known)).iter().map(content_of).collect()
    }

    fn is_post(&self, event: &RawValue, content: &Json) -> bool {
        let message = message(event);
        // Discord trims what it is sent.
        let said = |value: &Json| value.get("content").and_then(Json::as_str).map(|text| text.trim().to_owned());
        let Some(by) = text_of(&message, "webhook_id").as_deref().and_then(Snowflake::read) else { return false };
        // A portal that has just been woken does not know its webhook: then any may be it.
        let known = self.webhooks.borrow();
        let by_us = known.is_empty() || known.values().any(|webhook| webhook.id == by);
        by_us && said(&message) == said(content)
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
}
