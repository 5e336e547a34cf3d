//! A Discord of one server, as far as the bridge asks it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use http::{Method, Request, Response};
use hubbub_core::context::HttpError;
use hubbub_discord::remote_id::Snowflake;
use serde_json::{Value as Json, json};

use crate::guilds::{CHAT, Guilds};
use crate::talk;

pub const TOKEN: &str = "a.bot.token";
pub const GUILD: &str = "100000000000000001";
pub const GENERAL: &str = "100000000000000002";
pub const BOT: &str = "100000000000000003";
pub const ANNA: &str = "100000000000000004";
pub const APPLICATION: &str = "100000000000000005";
pub const PARTY: &str = "100000000000000006";

/// What happens to a call that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the answer is lost.
    DropAnswer,
    /// Nothing is done, and no answer comes.
    Close,
    /// Nothing is done, for a while.
    RateLimited,
    /// Nothing is done, and nothing of the bot's for a while.
    GlobalLimit,
    /// The front refuses the address, in HTML.
    Banned,
    /// The bot may have no webhook, until the fault is taken away.
    NoPermission,
}

#[derive(Default)]
pub struct FakeDiscord {
    clock: Cell<i64>,
    count: Cell<u64>,
    pub messages: RefCell<Vec<Json>>,
    pub webhooks: RefCell<Vec<Json>>,
    /// Threads and direct chats: everything but #general.
    pub places: RefCell<Vec<Json>>,
    /// Files by the path of their address.
    pub files: RefCell<HashMap<String, (String, Vec<u8>)>>,
    /// The bodies of the last calls that say something, as (method and path, body).
    pub asked: RefCell<Vec<(String, Json)>>,
    /// What the bot said under which mark.
    pub nonces: RefCell<Vec<(Json, Json)>>,
    pub faults: RefCell<Vec<Fault>>,
    /// How many sessions may be begun.
    pub identifies_left: Cell<u32>,
    /// All events of the session, in order; the first has number 1.
    pub events: RefCell<Vec<(String, Json)>>,
    /// The bot's own reactions, as (method, message, key).
    pub reactions: RefCell<Vec<(String, String, String)>>,
    pub guilds: Guilds,
    /// How often each call was made.
    pub calls: RefCell<HashMap<String, usize>>,
}

impl FakeDiscord {
    pub fn set_clock(&self, now: i64) {
        self.clock.set(now);
    }

    pub fn new_id(&self) -> String {
        self.count.set(self.count.get() + 1);
        Snowflake(Snowflake::at(self.clock.get()).0 + self.count.get()).to_string()
    }

    pub fn tell(&self, name: &str, data: Json) {
        self.events.borrow_mut().push((name.to_owned(), data));
    }

    pub fn now(&self) -> i64 {
        self.clock.get()
    }

    pub fn add(&self, author: Json, content: &str, more: Json) -> Json {
        let mut message = json!({
            "id": self.new_id(), "channel_id": GENERAL, "type": 0, "author": author, "content": content,
            "mentions": [], "attachments": [], "embeds": [], "edited_timestamp": null,
        });
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        self.messages.borrow_mut().push(message.clone());
        self.tell("MESSAGE_CREATE", self.told(&message));
        message
    }

    /// Somebody says something.
    pub fn says(&self, user: &str, name: &str, content: &str) -> Json {
        let shown = name[..1].to_uppercase() + &name[1..];
        self.add(json!({ "id": user, "username": name, "global_name": shown }), content, json!({}))
    }

    /// A webhook that is not ours says something.
    pub fn says_by_webhook(&self, webhook: &str, name: &str, content: &str) -> Json {
        let author = json!({ "id": webhook, "username": name, "bot": true });
        self.add(author, content, json!({ "webhook_id": webhook }))
    }

    /// What was said through webhooks, as (name, content).
    pub fn said(&self) -> Vec<(String, String)> {
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let messages = self.messages.borrow();
        let ours = messages.iter().filter(|message| message.get("webhook_id").is_some());
        ours.map(|message| (text(&message["author"]["username"]), text(&message["content"]))).collect()
    }

    pub fn answer(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        if request.uri().host() == Some("cdn.discordapp.com") && request.uri().path().starts_with("/emojis/") {
            assert!(request.headers().get("authorization").is_none(), "the token goes to the API only");
            *self.calls.borrow_mut().entry("picture".to_owned()).or_default() += 1;
            let known = request.uri().path().contains(PARTY);
            let answer = Response::builder().status(if known { 200 } else { 404 }).header("content-type", "image/png");
            return Ok(answer.body(request.uri().path().as_bytes().to_vec()).unwrap());
        }
        if request.uri().host() != Some("discord.example") {
            return Ok(self.serve(request));
        }
        let path = request.uri().path().strip_prefix("/api/v10/").unwrap().to_owned();
        let body = talk::body_of(request);
        self.asked.borrow_mut().push((format!("{} {path}", request.method()), body.clone()));
        let parts: Vec<&str> = path.split('/').collect();
        let name = format!("{} {}", request.method(), parts[0]);
        *self.calls.borrow_mut().entry(name).or_default() += 1;
        assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("DiscordBot ("));
        let by_bot =
            request.headers().get("authorization").is_some_and(|value| value == format!("Bot {TOKEN}").as_str());
        let is_post = *request.method() == Method::POST;
        let answer = match (request.method(), parts.as_slice()) {
            (&Method::POST, ["webhooks", id, token]) => return self.speak(id, token, &body, request.uri().query()),
            (_, ["webhooks", ..]) => self.webhook_message(request, &parts, &body),
            // It has a secret of its own in its path.
            (&Method::POST, ["interactions", ..]) => self.answer_guilds(request, &parts, &body).unwrap(),
            _ if !by_bot => (401, json!({ "message": "401: Unauthorized", "code": 0 })),
            (_, ["gateway", "bot"]) => {
                let limit = json!({ "total": 1000, "remaining": self.identifies_left.get(), "reset_after": 3_600_000 });
                (200, json!({ "url": "wss://discord.example", "session_start_limit": limit }))
            }
            (_, ["users", "@me"]) => (200, json!({ "id": BOT, "username": "hub", "bot": true })),
            (_, ["users", ANNA]) => (200, json!({ "id": ANNA, "username": "anna", "global_name": "Anna" })),
            (_, ["users", talk::SHY]) => (200, json!({ "id": talk::SHY, "username": "shy" })),
            (_, ["applications", "@me"]) => (200, json!({ "id": APPLICATION })),
            (_, ["guilds", GUILD, "emojis"]) => (200, json!([{ "id": PARTY, "name": "party" }])),
            (_, ["channels", GENERAL, "messages", id, "reactions", key, "@me"]) => {
                let key = key.replace("%3A", ":");
                self.reactions.borrow_mut().push((request.method().to_string(), (*id).to_owned(), key));
                self.talk(request, &parts, &body)
            }
            (_, ["channels", _, "webhooks"]) if self.faults.borrow().last() == Some(&Fault::NoPermission) => {
                (403, json!({ "message": "Missing Permissions", "code": 50_013 }))
            }
            (_, ["channels", id, "webhooks"]) if is_post => {
                let webhook = json!({
                    "id": self.new_id(), "token": "secret", "application_id": APPLICATION, "name": body["name"],
                    "channel_id": id,
                });
                self.webhooks.borrow_mut().push(webhook.clone());
                (200, webhook)
            }
            (_, ["channels", id, "webhooks"]) => {
                let webhooks = self.webhooks.borrow();
                let here = webhooks.iter().filter(|webhook| webhook["channel_id"] == *id);
                (200, here.cloned().collect())
            }
            (&Method::GET, ["channels", id, "messages"]) => (200, self.history(id, request.uri().query())),
            (&Method::POST, ["channels", id, "messages"]) if *id != CHAT => return self.speak_as_bot(id, &body),
            _ => match self.answer_guilds(request, &parts, &body) {
                Some(answer) => answer,
                None => self.talk(request, &parts, &body),
            },
        };
        Ok(respond(answer.0, &answer.1))
    }

    fn history(&self, channel: &str, query: Option<&str>) -> Json {
        let value =
            |key: &str| query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
        let limit: usize = value("limit=").unwrap().parse().unwrap();
        let after = value("after=").and_then(|id| Snowflake::read(&id));
        let id = |message: &Json| Snowflake::read(message["id"].as_str().unwrap());
        let messages = self.messages.borrow();
        let mut found: Vec<&Json> =
            messages.iter().filter(|one| one["channel_id"] == channel && id(one) > after).collect();
        // After an id the oldest come, otherwise the newest: and the newest first in any case.
        if after.is_none() {
            found.reverse();
        }
        found.truncate(limit);
        found.sort_by_key(|message| std::cmp::Reverse(id(message)));
        found.into_iter().cloned().collect()
    }

    /// Lets the next fault happen, before anything is done.
    pub fn fail(&self, fault: Option<Fault>) -> Option<Result<Response<Vec<u8>>, HttpError>> {
        match fault {
            Some(Fault::Close) => Some(Err(HttpError::Unknown("closed".to_owned()))),
            Some(Fault::RateLimited) => Some(Ok(respond(429, &json!({ "retry_after": 1.5, "global": false })))),
            Some(Fault::GlobalLimit) => Some(Ok(respond(429, &json!({ "retry_after": 120.0, "global": true })))),
            Some(Fault::Banned) => {
                let page = b"<html>error code: 1015</html>".to_vec();
                Some(Ok(Response::builder().status(429).body(page).unwrap()))
            }
            _ => None,
        }
    }

    fn speak(&self, id: &str, token: &str, body: &Json, query: Option<&str>) -> Result<Response<Vec<u8>>, HttpError> {
        let fault = self.faults.borrow_mut().pop();
        if let Some(failed) = self.fail(fault) {
            return failed;
        }
        if body["files"].to_string().contains("huge") {
            return Ok(respond(413, &json!({ "message": "Request entity too large", "code": 40_005 })));
        }
        let known = self.webhooks.borrow().iter().any(|webhook| webhook["id"] == id && webhook["token"] == token);
        if !known {
            return Ok(respond(404, &json!({ "message": "Unknown Webhook", "code": 10_015 })));
        }
        assert!(body["allowed_mentions"].is_object(), "nobody is pinged by accident");
        *self.guilds.spoken.borrow_mut() = body.clone();
        let webhooks = self.webhooks.borrow();
        let channel = webhooks.iter().find(|webhook| webhook["id"] == id).unwrap()["channel_id"].clone();
        let author = json!({ "id": id, "username": body["username"], "bot": true });
        let thread = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("thread_id="));
        let mut more = json!({ "webhook_id": id, "application_id": APPLICATION, "channel_id": channel });
        if self.is_forum(id) && thread.is_none() {
            let text = "Webhooks posted to forum channels must have a thread_name or thread_id";
            return Ok(respond(400, &json!({ "message": text, "code": 220_001 })));
        }
        if let Some(thread) = thread {
            if let Some(refusal) = self.enter(thread) {
                return Ok(refusal);
            }
            more["channel_id"] = thread.into();
        }
        let content = body["content"].as_str().unwrap_or_default();
        assert!(content.encode_utf16().count() <= 2_000 && (!content.is_empty() || body.get("files").is_some()));
        self.attach(body, &mut more);
        let message = self.add(author, content, more);
        match fault {
            Some(Fault::DropAnswer) => Err(HttpError::Unknown("the answer was lost".to_owned())),
            _ => Ok(respond(200, &message)),
        }
    }
}

pub fn respond(status: u16, body: &Json) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.to_string().into_bytes()).unwrap()
}
