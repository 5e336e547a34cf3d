//! What Discord does with messages: editing, deleting, reactions, threads, direct chats, files.

use http::{Method, Request, Response};
use hubbub_core::context::HttpError;
use serde_json::{Value as Json, json};

use crate::discord::{ANNA, BOT, FakeDiscord, Fault, GENERAL, GUILD, respond};

/// A chat of anna with the bot.
pub const DIRECT: &str = "100000000000000010";
/// Somebody who takes no messages of bots.
pub const SHY: &str = "100000000000000013";

type Answer = (u16, Json);

fn refusal(status: u16, code: u64, message: &str) -> Answer {
    (status, json!({ "message": message, "code": code }))
}

/// The JSON of a request, from `payload_json` when files come with it, whose parts are then in `files`.
pub fn body_of(request: &Request<Vec<u8>>) -> Json {
    let kind = request.headers().get("content-type").map(|kind| kind.to_str().unwrap()).unwrap_or_default();
    let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else {
        return serde_json::from_slice(request.body()).unwrap_or_default();
    };
    let text = String::from_utf8_lossy(request.body()).into_owned();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(*parts.last().unwrap(), "--\r\n");
    let mut body = Json::Null;
    let mut files = Vec::new();
    for part in &parts[1..parts.len() - 1] {
        let (head, rest) = part.split_once("\r\n\r\n").unwrap();
        let bytes = rest.strip_suffix("\r\n").unwrap();
        if head.contains("name=\"payload_json\"") {
            body = serde_json::from_str(bytes).unwrap();
        } else {
            let name = head.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
            let kind = head.split("Content-Type: ").nth(1).unwrap().trim();
            files.push(json!({ "filename": name, "content_type": kind, "bytes": bytes }));
        }
    }
    body["files"] = files.into();
    body
}

impl FakeDiscord {
    /// A message as the gateway tells it: with its server, if it has one.
    pub fn told(&self, message: &Json) -> Json {
        let mut told = message.clone();
        if message["channel_id"] != DIRECT {
            told["guild_id"] = GUILD.into();
        }
        told
    }

    fn timestamp(&self) -> Json {
        jiff::Timestamp::from_millisecond(self.now()).unwrap().to_string().into()
    }

    /// Changes a message, and tells of it.
    fn change(&self, channel: &str, id: &str, edit: impl FnOnce(&mut Json)) -> Option<Json> {
        let mut messages = self.messages.borrow_mut();
        let message = messages.iter_mut().find(|one| one["id"] == id && one["channel_id"] == channel)?;
        edit(message);
        let message = message.clone();
        drop(messages);
        self.tell("MESSAGE_UPDATE", self.told(&message));
        Some(message)
    }

    /// Somebody edits a message.
    pub fn edits(&self, message: &Json, content: &str) {
        let now = self.timestamp();
        let id = |key: &str| message[key].as_str().unwrap().to_owned();
        self.change(&id("channel_id"), &id("id"), |message| {
            message["content"] = content.into();
            message["edited_timestamp"] = now;
        });
    }

    /// Discord finds something behind a link.
    pub fn unfurls(&self, message: &Json, embed: Json) {
        let id = |key: &str| message[key].as_str().unwrap().to_owned();
        self.change(&id("channel_id"), &id("id"), |message| message["embeds"] = json!([embed]));
    }

    /// Somebody deletes messages of a channel.
    pub fn deletes(&self, channel: &str, ids: &[&Json]) {
        self.messages.borrow_mut().retain(|one| !ids.iter().any(|id| **id == one["id"]));
        let mut at = json!({ "channel_id": channel });
        if channel != DIRECT {
            at["guild_id"] = GUILD.into();
        }
        if let [id] = ids {
            at["id"] = (*id).clone();
            self.tell("MESSAGE_DELETE", at);
        } else {
            at["ids"] = ids.iter().map(|id| (*id).clone()).collect();
            self.tell("MESSAGE_DELETE_BULK", at);
        }
    }

    /// Somebody says something in another place than #general, or with more than words.
    pub fn says_more(&self, user: &str, content: &str, more: Json) -> Json {
        self.add(json!({ "id": user, "username": "anna", "global_name": "Anna" }), content, more)
    }

    /// Whether a webhook is that of a forum.
    pub fn is_forum(&self, webhook: &str) -> bool {
        let webhooks = self.webhooks.borrow();
        let webhook = webhooks.iter().find(|one| one["id"] == webhook).unwrap();
        let channels = self.guilds.channels.borrow();
        channels.iter().any(|channel| channel["id"] == webhook["channel_id"] && channel["type"] == 15)
    }

    /// Somebody makes a post in a forum; its id, which is that of the thread, too.
    pub fn posts(&self, forum: &str, title: &str, content: &str) -> Json {
        let thread = self.begins(title, None, false);
        self.set_place(&thread, |place| place["parent_id"] = forum.into());
        let told = self.places.borrow().last().unwrap().clone();
        self.tell("THREAD_CREATE", told);
        self.says_more(ANNA, content, json!({ "id": thread, "channel_id": thread }))
    }

    /// Somebody begins a thread, at a message or not. The gateway tells of it when `told`.
    pub fn begins(&self, name: &str, at: Option<&Json>, told: bool) -> String {
        let id = at.map_or_else(|| self.new_id(), |message| message["id"].as_str().unwrap().to_owned());
        let thread = json!({
            "id": id, "type": 11, "guild_id": GUILD, "parent_id": GENERAL, "owner_id": ANNA, "name": name,
            "thread_metadata": { "archived": false, "locked": false, "auto_archive_duration": 4320 },
        });
        self.places.borrow_mut().push(thread.clone());
        if told {
            self.tell("THREAD_CREATE", thread);
        }
        id
    }

    /// Changes a place, like a thread.
    pub fn set_place(&self, id: &str, edit: impl FnOnce(&mut Json)) {
        edit(self.places.borrow_mut().iter_mut().find(|place| place["id"] == id).unwrap());
    }

    /// Why nothing can be said in a thread; an archived one comes back.
    pub fn enter(&self, thread: &str) -> Option<Response<Vec<u8>>> {
        let mut places = self.places.borrow_mut();
        let Some(place) = places.iter_mut().find(|place| place["id"] == thread) else {
            let (status, body) = refusal(404, 10_003, "Unknown Channel");
            return Some(respond(status, &body));
        };
        if place["thread_metadata"]["locked"] == true {
            let (status, body) = refusal(403, 160_005, "Thread is locked");
            return Some(respond(status, &body));
        }
        place["thread_metadata"]["archived"] = false.into();
        None
    }

    /// Keeps the files of a call, and puts them into its message.
    pub fn attach(&self, body: &Json, more: &mut Json) {
        let files = body["files"].as_array().into_iter().flatten();
        let attachments = files.enumerate().map(|(number, file)| {
            let listed = &body["attachments"][number];
            assert_eq!((&listed["id"], &listed["filename"]), (&json!(number), &file["filename"]));
            let size = file["bytes"].as_str().unwrap().len();
            json!({
                "id": self.new_id(), "filename": file["filename"], "size": size, "content_type": file["content_type"],
                "url": format!("https://cdn.discordapp.com/attachments/1/{}", file["filename"].as_str().unwrap()),
            })
        });
        let attachments: Vec<Json> = attachments.collect();
        if !attachments.is_empty() {
            more["attachments"] = attachments.into();
        }
    }

    /// A call that says something as the bot.
    pub fn speak_as_bot(&self, channel: &str, body: &Json) -> Result<Response<Vec<u8>>, HttpError> {
        let fault = self.faults.borrow_mut().pop();
        if let Some(failed) = self.fail(fault) {
            return failed;
        }
        assert!(body["allowed_mentions"].is_object(), "nobody is pinged by accident");
        assert_eq!(body["enforce_nonce"], true);
        let nonce = &body["nonce"];
        assert!(nonce.as_str().unwrap().len() <= 25);
        let mut nonces = self.nonces.borrow_mut();
        let known = nonces.iter().find(|(known, _)| known == nonce).map(|(_, message)| message.clone());
        let message = known.unwrap_or_else(|| {
            let mut more = json!({ "channel_id": channel });
            if body["message_reference"].is_object() {
                more["type"] = 19.into();
                more["message_reference"] = body["message_reference"].clone();
            }
            self.attach(body, &mut more);
            let author = json!({ "id": BOT, "username": "hub", "bot": true });
            let message = self.add(author, body["content"].as_str().unwrap_or_default(), more);
            // The echo alone has the mark: a history does not.
            self.events.borrow_mut().last_mut().unwrap().1["nonce"] = nonce.clone();
            nonces.push((nonce.clone(), message.clone()));
            message
        });
        match fault {
            Some(Fault::DropAnswer) => Err(HttpError::Unknown("the answer was lost".to_owned())),
            _ => Ok(respond(200, &message)),
        }
    }

    /// A call about a message that was sent through a webhook.
    pub fn webhook_message(&self, request: &Request<Vec<u8>>, parts: &[&str], body: &Json) -> Answer {
        let &["webhooks", webhook, token, "messages", id] = parts else { return refusal(404, 0, "404: Not Found") };
        assert!(self.webhooks.borrow().iter().any(|one| one["id"] == webhook && one["token"] == token));
        let thread = request.uri().query().and_then(|query| query.strip_prefix("thread_id="));
        let channel = thread.unwrap_or(GENERAL);
        let ours = self.messages.borrow().iter().any(|one| {
            one["id"] == id && one["channel_id"] == channel && one.get("webhook_id").is_some_and(|by| by == webhook)
        });
        if !ours {
            return refusal(404, 10_008, "Unknown Message");
        }
        assert_eq!(*request.method(), Method::PATCH);
        self.edit_call(channel, id, body)
    }

    fn edit_call(&self, channel: &str, id: &str, body: &Json) -> Answer {
        assert!(body["allowed_mentions"].is_object(), "an edit pings nobody by accident");
        let now = self.timestamp();
        let changed = self.change(channel, id, |message| {
            message["content"] = body["content"].clone();
            message["edited_timestamp"] = now;
        });
        (200, changed.unwrap())
    }

    /// Every other call about messages and where they are.
    pub fn talk(&self, request: &Request<Vec<u8>>, parts: &[&str], body: &Json) -> Answer {
        let unknown = || refusal(404, 10_008, "Unknown Message");
        let find = |channel: &str, id: &str| {
            let messages = self.messages.borrow();
            messages.iter().find(|one| one["channel_id"] == channel && one["id"] == id).cloned()
        };
        match (request.method().as_str(), parts) {
            ("GET", ["channels", DIRECT]) => (200, direct()),
            ("GET", ["channels", id]) => {
                let place = self.places.borrow().iter().find(|place| place["id"] == *id).cloned();
                place.map_or_else(|| refusal(404, 10_003, "Unknown Channel"), |place| (200, place))
            }
            ("GET", ["channels", channel, "messages", id]) => {
                find(channel, id).map_or_else(unknown, |message| (200, message))
            }
            ("PATCH", ["channels", id]) => {
                self.set_place(id, |place| place["thread_metadata"]["archived"] = body["archived"].clone());
                (200, json!({ "id": id, "type": 11 }))
            }
            ("PATCH", ["channels", channel, "messages", id]) => match find(channel, id) {
                Some(message) if message["author"]["id"] == BOT => self.edit_call(channel, id, body),
                Some(_) => refusal(403, 50_005, "Cannot edit a message authored by another user"),
                None => unknown(),
            },
            ("DELETE", ["channels", channel, "messages", id]) => match find(channel, id) {
                Some(message) if *channel == DIRECT && message["author"]["id"] != BOT => {
                    refusal(403, 50_003, "Cannot execute action on a DM channel")
                }
                Some(message) => {
                    self.deletes(channel, &[&message["id"]]);
                    (204, Json::Null)
                }
                None => unknown(),
            },
            ("POST", ["channels", channel, "messages", id, "threads"]) => match find(channel, id) {
                Some(_) if self.places.borrow().iter().any(|place| place["id"] == *id) => {
                    refusal(400, 160_004, "A thread has already been created for this message")
                }
                Some(message) => {
                    let id = self.begins(body["name"].as_str().unwrap(), Some(&message), true);
                    (201, self.places.borrow().iter().find(|place| place["id"] == id).unwrap().clone())
                }
                None => unknown(),
            },
            ("PUT" | "DELETE", ["channels", channel, "messages", id, "reactions", emoji, "@me"]) => {
                if find(channel, id).is_none() {
                    return unknown();
                }
                let added = *request.method() == Method::PUT;
                let name = percent(emoji);
                self.reacts(BOT, channel, id, &name, added);
                (204, Json::Null)
            }
            ("GET", ["users", _]) => refusal(404, 10_013, "Unknown User"),
            ("POST", ["users", "@me", "channels"]) => match body["recipient_id"].as_str().unwrap() {
                SHY => refusal(403, 50_007, "Cannot send messages to this user"),
                _ => (200, direct()),
            },
            ("GET", ["guilds", guild, "members", "search"]) => {
                let query = request.uri().query().unwrap_or_default().to_lowercase();
                let anna = json!({ "user": { "id": ANNA, "username": "anna", "global_name": "Anna" } });
                (200, if *guild == GUILD && query.contains("query=anna") { json!([anna]) } else { json!([]) })
            }
            _ => refusal(404, 0, "404: Not Found"),
        }
    }

    /// Somebody reacts, or takes that back.
    pub fn reacts(&self, user: &str, channel: &str, id: &str, emoji: &str, added: bool) {
        let name = if added { "MESSAGE_REACTION_ADD" } else { "MESSAGE_REACTION_REMOVE" };
        let emoji = match emoji.split_once(':') {
            Some((name, id)) => json!({ "id": id, "name": name }),
            None => json!({ "id": null, "name": emoji }),
        };
        let mut told = json!({ "channel_id": channel, "message_id": id, "user_id": user, "emoji": emoji });
        if channel != DIRECT {
            told["guild_id"] = GUILD.into();
        }
        self.tell(name, told);
    }

    /// The bytes behind an address of Discord's, which needs no token.
    pub fn serve(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        assert!(request.headers().get("authorization").is_none(), "a token for a host that needs none");
        let path = request.uri().to_string();
        let files = self.files.borrow();
        match files.get(&path) {
            Some((kind, bytes)) => {
                Response::builder().status(200).header("content-type", kind).body(bytes.clone()).unwrap()
            }
            None => respond(404, &json!("This content is no longer available.")),
        }
    }
}

fn direct() -> Json {
    json!({ "id": DIRECT, "type": 1, "recipients": [{ "id": ANNA, "username": "anna", "global_name": "Anna" }] })
}

fn percent(text: &str) -> String {
    let pair = format!("x={text}");
    url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned()
}
