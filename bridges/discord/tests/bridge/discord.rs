//! A Discord of one server, as far as the bridge asks it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use http::{Method, Request, Response};
use hubbub_core::context::HttpError;
use hubbub_discord::remote_id::Snowflake;
use serde_json::{Value as Json, json};

use crate::guilds::Guilds;

pub const TOKEN: &str = "a.bot.token";
pub const GUILD: &str = "100000000000000001";
pub const GENERAL: &str = "100000000000000002";
pub const BOT: &str = "100000000000000003";
pub const ANNA: &str = "100000000000000004";
pub const APPLICATION: &str = "100000000000000005";

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
    pub faults: RefCell<Vec<Fault>>,
    /// All events of the session, in order; the first has number 1.
    pub events: RefCell<Vec<(String, Json)>>,
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

    pub fn add(&self, author: Json, content: &str, more: Json) -> Json {
        let mut message = json!({
            "id": self.new_id(), "channel_id": GENERAL, "type": 0, "author": author, "content": content,
            "mentions": [], "attachments": [], "embeds": [], "edited_timestamp": null,
        });
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        self.messages.borrow_mut().push(message.clone());
        let mut told = message.clone();
        told["guild_id"] = GUILD.into();
        self.tell("MESSAGE_CREATE", told);
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
        let path = request.uri().path().strip_prefix("/api/v10/").unwrap().to_owned();
        let body: Json = serde_json::from_slice(request.body()).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let name = format!("{} {}", request.method(), parts[0]);
        *self.calls.borrow_mut().entry(name).or_default() += 1;
        assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("DiscordBot ("));
        let by_bot =
            request.headers().get("authorization").is_some_and(|value| value == format!("Bot {TOKEN}").as_str());
        let is_post = *request.method() == Method::POST;
        if let Some((status, answer)) = self.answer_guilds(request, &parts, &body) {
            return Ok(respond(status, &answer));
        }
        let answer = match (request.method(), parts.as_slice()) {
            (&Method::POST, ["webhooks", id, token]) => return self.speak(id, token, &body),
            _ if !by_bot => (401, json!({ "message": "401: Unauthorized", "code": 0 })),
            (_, ["users", "@me"]) => (200, json!({ "id": BOT, "username": "hub", "bot": true })),
            (_, ["users", id]) if *id == ANNA => {
                (200, json!({ "id": ANNA, "username": "anna", "global_name": "Anna" }))
            }
            (_, ["users", _]) => (404, json!({ "message": "Unknown User", "code": 10_013 })),
            (_, ["applications", "@me"]) => (200, json!({ "id": APPLICATION })),
            (_, ["channels", _, "webhooks"]) if self.faults.borrow().last() == Some(&Fault::NoPermission) => {
                (403, json!({ "message": "Missing Permissions", "code": 50_013 }))
            }
            (_, ["channels", channel, "webhooks"]) if is_post => {
                let webhook = json!({
                    "id": self.new_id(), "token": "secret", "application_id": APPLICATION, "name": body["name"],
                    "channel_id": channel,
                });
                self.webhooks.borrow_mut().push(webhook.clone());
                (200, webhook)
            }
            (_, ["channels", channel, "webhooks"]) => {
                let webhooks = self.webhooks.borrow();
                (200, webhooks.iter().filter(|webhook| webhook["channel_id"] == *channel).cloned().collect())
            }
            (&Method::GET, ["channels", GENERAL, "messages"]) => (200, self.history(request.uri().query())),
            _ => (404, json!({ "message": "404: Not Found", "code": 0 })),
        };
        Ok(respond(answer.0, &answer.1))
    }

    fn history(&self, query: Option<&str>) -> Json {
        let value =
            |key: &str| query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
        let limit: usize = value("limit=").unwrap().parse().unwrap();
        let after = value("after=").and_then(|id| Snowflake::read(&id));
        let id = |message: &Json| Snowflake::read(message["id"].as_str().unwrap());
        let messages = self.messages.borrow();
        let mut found: Vec<&Json> = messages.iter().filter(|message| id(message) > after).collect();
        // After an id the oldest come, otherwise the newest: and the newest first in any case.
        if after.is_none() {
            found.reverse();
        }
        found.truncate(limit);
        found.sort_by_key(|message| std::cmp::Reverse(id(message)));
        found.into_iter().cloned().collect()
    }

    fn speak(&self, id: &str, token: &str, body: &Json) -> Result<Response<Vec<u8>>, HttpError> {
        let fault = self.faults.borrow_mut().pop();
        match fault {
            Some(Fault::Close) => return Err(HttpError::Unknown("closed".to_owned())),
            Some(Fault::RateLimited) => return Ok(respond(429, &json!({ "retry_after": 1.5, "global": false }))),
            Some(Fault::GlobalLimit) => {
                return Ok(respond(429, &json!({ "retry_after": 120.0, "global": true })));
            }
            Some(Fault::Banned) => {
                let page = b"<html>error code: 1015</html>".to_vec();
                return Ok(Response::builder().status(429).body(page).unwrap());
            }
            _ => {}
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
        let content = body["content"].as_str().unwrap();
        let message = self.add(
            author,
            content,
            json!({ "webhook_id": id, "application_id": APPLICATION, "channel_id": channel }),
        );
        match fault {
            Some(Fault::DropAnswer) => Err(HttpError::Unknown("the answer was lost".to_owned())),
            _ => Ok(respond(200, &message)),
        }
    }
}

fn respond(status: u16, body: &Json) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.to_string().into_bytes()).unwrap()
}
