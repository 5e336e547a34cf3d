//! What the stand-in knows of servers, people and commands.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use http::{Method, Request};
use serde_json::{Value as Json, json};

use crate::discord::{APPLICATION, BOT, FakeDiscord, GENERAL, GUILD};

/// Alice's own account at Discord.
pub const ALICE: &str = "100000000000000011";
/// The chat of alice with the bot.
pub const CHAT: &str = "100000000000000012";

/// The second server, and its only channel, which is called as the first one's.
pub const ATTIC: &str = "100000000000000021";
pub const ATTIC_GENERAL: &str = "100000000000000022";
/// A category of the first server, a channel in it, and one that the bot may not see.
pub const SHEDS: &str = "100000000000000031";
pub const TOOLS: &str = "100000000000000032";
pub const SECRET: &str = "100000000000000033";
/// The bot's role in the first server.
pub const KEEPERS: &str = "100000000000000041";

/// Permission bits.
pub const VIEW: u64 = 1 << 10;
pub const SEND: u64 = 1 << 11;
pub const MANAGE_MESSAGES: u64 = 1 << 13;

/// Servers, people and commands.
pub struct Guilds {
    pub servers: RefCell<Vec<Json>>,
    pub channels: RefCell<Vec<Json>>,
    /// The roles of the members of each server.
    pub members: RefCell<BTreeMap<(String, String), Vec<String>>>,
    /// Servers that the bot was thrown out of.
    pub lost: RefCell<BTreeSet<String>>,
    /// The commands as they were registered last.
    pub commands: RefCell<Json>,
    /// What was answered to interactions of the gateway, as (path, answer).
    pub callbacks: RefCell<Vec<(String, Json)>>,
    /// What was last said through a webhook, as it was asked for.
    pub spoken: RefCell<Json>,
    /// What the bot itself said, as (channel, content).
    pub by_bot: RefCell<Vec<(String, String)>>,
}

fn channel(id: &str, guild: &str, kind: u64, name: &str, position: u64) -> Json {
    json!({
        "id": id, "type": kind, "guild_id": guild, "name": name, "position": position, "parent_id": null,
        "permission_overwrites": [],
    })
}

impl Default for Guilds {
    fn default() -> Self {
        let mut general = channel(GENERAL, GUILD, 0, "general", 0);
        general["topic"] = "Everything".into();
        let mut tools = channel(TOOLS, GUILD, 0, "tools", 1);
        tools["parent_id"] = SHEDS.into();
        let mut secret = channel(SECRET, GUILD, 0, "secret", 2);
        secret["permission_overwrites"] = json!([{ "id": GUILD, "type": 0, "allow": "0", "deny": VIEW.to_string() }]);
        let everyone =
            |guild: &str| json!({ "id": guild, "name": "@everyone", "permissions": (VIEW | SEND).to_string() });
        let keepers = json!({ "id": KEEPERS, "name": "keepers", "permissions": MANAGE_MESSAGES.to_string() });
        let member = |guild: &str, user: &str, roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
            ((guild.to_owned(), user.to_owned()), roles)
        };
        Self {
            servers: RefCell::new(vec![
                json!({ "id": GUILD, "name": "Garden", "owner_id": "1", "roles": [everyone(GUILD), keepers] }),
                json!({ "id": ATTIC, "name": "Attic", "owner_id": "1", "roles": [everyone(ATTIC)] }),
            ]),
            channels: RefCell::new(vec![
                general,
                channel(SHEDS, GUILD, 4, "Sheds", 0),
                tools,
                secret,
                channel(ATTIC_GENERAL, ATTIC, 0, "general", 0),
            ]),
            members: RefCell::new(BTreeMap::from([
                member(GUILD, BOT, &[KEEPERS]),
                member(GUILD, ALICE, &[KEEPERS]),
                member(ATTIC, BOT, &[]),
            ])),
            lost: RefCell::default(),
            commands: RefCell::default(),
            callbacks: RefCell::default(),
            by_bot: RefCell::default(),
            spoken: RefCell::default(),
        }
    }
}

impl Guilds {
    /// Changes a channel and returns it.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Json)) -> Json {
        let mut channels = self.channels.borrow_mut();
        let channel = channels.iter_mut().find(|channel| channel["id"] == id).unwrap();
        change(channel);
        channel.clone()
    }

    fn server(&self, id: &str) -> Option<Json> {
        let lost = self.lost.borrow().contains(id);
        self.servers.borrow().iter().find(|server| server["id"] == id && !lost).cloned()
    }

    /// The answer to a question about servers, as (status, body).
    fn answer(&self, parts: &[&str]) -> Option<(u16, Json)> {
        let lost = || (403, json!({ "message": "Missing Access", "code": 50_001 }));
        Some(match parts {
            ["users", "@me", "guilds"] => {
                let lost = self.lost.borrow();
                let servers = self.servers.borrow();
                let there = servers.iter().filter(|server| !lost.contains(server["id"].as_str().unwrap()));
                (200, there.map(|server| json!({ "id": server["id"], "name": server["name"], "permissions": (VIEW | SEND).to_string() })).collect())
            }
            ["guilds", id] => self.server(id).map_or_else(lost, |server| (200, server)),
            ["guilds", id, "roles"] => self.server(id).map_or_else(lost, |server| (200, server["roles"].clone())),
            ["guilds", id, "channels"] => {
                let channels = self.channels.borrow();
                self.server(id).map_or_else(lost, |_| {
                    (200, channels.iter().filter(|channel| channel["guild_id"] == *id).cloned().collect())
                })
            }
            ["guilds", _, "emojis"] => (200, json!([])),
            ["guilds", id, "members", user] if *user != "search" => {
                let members = self.members.borrow();
                match members.get(&((*id).to_owned(), (*user).to_owned())) {
                    Some(roles) => (200, json!({ "user": { "id": user }, "roles": roles })),
                    None => (404, json!({ "message": "Unknown Member", "code": 10_007 })),
                }
            }
            ["channels", id] => {
                let channel = self.channels.borrow().iter().find(|channel| channel["id"] == *id).cloned()?;
                let there = self.server(channel["guild_id"].as_str().unwrap()).is_some();
                if there { (200, channel) } else { lost() }
            }
            _ => return None,
        })
    }
}

impl FakeDiscord {
    /// The answer to what this knows, as (status, body).
    pub fn answer_guilds(&self, request: &Request<Vec<u8>>, parts: &[&str], body: &Json) -> Option<(u16, Json)> {
        if let Some(answer) = self.guilds.answer(parts).filter(|_| request.method() == Method::GET) {
            return Some(answer);
        }
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
