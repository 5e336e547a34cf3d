//! What the stand-in knows of servers, people and commands.

use std::cell::RefCell;

use http::{Method, Request};
use serde_json::{Value as Json, json};

use crate::discord::{APPLICATION, BOT, FakeDiscord};

/// Alice's own account at Discord.
pub const ALICE: &str = "100000000000000011";
/// The chat of alice with the bot.
pub const CHAT: &str = "100000000000000012";

/// What there is beside the channel of the first server.
#[derive(Default)]
pub struct Guilds {
    /// The commands as they were registered last.
    pub commands: RefCell<Json>,
    /// What was answered to interactions of the gateway, as (path, answer).
    pub callbacks: RefCell<Vec<(String, Json)>>,
    /// What the bot itself said, as (channel, content).
    pub by_bot: RefCell<Vec<(String, String)>>,
}

impl FakeDiscord {
    /// The answer to what this knows, as (status, body).
    pub fn answer_guilds(&self, request: &Request<Vec<u8>>, parts: &[&str], body: &Json) -> Option<(u16, Json)> {
        let answer = match (request.method(), parts) {
            (&Method::PUT, ["applications", APPLICATION, "commands"]) => {
                *self.guilds.commands.borrow_mut() = body.clone();
                (200, body.clone())
            }
            (&Method::POST, ["interactions", id, token, "callback"]) => {
                self.guilds.callbacks.borrow_mut().push((format!("{id}/{token}"), body.clone()));
                (204, Json::Null)
            }
            (_, ["channels", CHAT]) => {
                (200, json!({ "id": CHAT, "type": 1, "recipients": [{ "id": ALICE, "username": "alice" }] }))
            }
            (&Method::POST, ["channels", CHAT, "messages"]) => {
                assert!(body["allowed_mentions"].is_object(), "nobody is pinged by accident");
                let content = body["content"].as_str().unwrap();
                self.guilds.by_bot.borrow_mut().push((CHAT.to_owned(), content.to_owned()));
                (200, self.says_in(CHAT, json!({ "id": BOT, "username": "hub", "bot": true }), content))
            }
            (&Method::GET, ["channels", CHAT, "messages"]) => (200, json!([])),
            (_, ["users", ALICE]) => (200, json!({ "id": ALICE, "username": "alice", "global_name": "Alice D." })),
            _ => return None,
        };
        Some(answer)
    }

    /// Somebody says something in a chat with the bot.
    pub fn says_in(&self, chat: &str, author: Json, content: &str) -> Json {
        let message = json!({
            "id": self.new_id(), "channel_id": chat, "type": 0, "author": author, "content": content,
            "mentions": [], "attachments": [], "embeds": [], "edited_timestamp": null,
        });
        self.tell("MESSAGE_CREATE", message.clone());
        message
    }
}
