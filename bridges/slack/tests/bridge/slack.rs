//! A Slack workspace in memory: channels, people, history, and faults on purpose.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
};

use hubbub_core::context::HttpError;
use serde_json::{Value as Json, json};

pub const TEAM: &str = "T0TEAM";
pub const OWNER: &str = "U0OWNER";
pub const APP_BOT: &str = "B0HUBBUB";
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub const TOKEN: &str = "xoxp-1-2-3-owner";

/// What a `chat.postMessage` suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with this Retry-After.
    RateLimited(u32),
    /// 200 whose body says `ratelimited`.
    RateLimitedInBody,
    /// Applied, then the connection dies.
    DropAnswer,
    /// Not applied, the connection dies.
    Close,
    /// Never left this machine.
    NotSent,
    /// Refused with this code.
    Error(&'static str),
    /// A proxy's error page; not applied.
    Http(u16),
}

/// A file, posted or not.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub object: Json,
    pub bytes: Vec<u8>,
    pub shares: Vec<(String, String)>,
}

#[derive(Default)]
pub struct FakeSlack {
    pub channels: RefCell<BTreeMap<String, Json>>,
    pub history: RefCell<HashMap<String, Vec<Json>>>,
    pub people: RefCell<BTreeMap<String, String>>,
    pub tokens: RefCell<HashMap<String, (String, String)>>,
    pub dead: RefCell<Option<&'static str>>,
    pub faults: RefCell<VecDeque<Option<Fault>>>,
    pub history_faults: RefCell<VecDeque<Option<Fault>>>,
    /// Events that Slack would send us because of posts.
    pub echoes: RefCell<Vec<Json>>,
    pub echo_metadata: Cell<bool>,
    /// Calls that change a message suffer these, one each.
    pub change_faults: RefCell<VecDeque<Option<Fault>>>,
    /// So many pages are short or empty.
    pub ragged_pages: Cell<u32>,
    pub last_read: RefCell<BTreeMap<String, String>>,
    /// Calls of `chat.postMessage` get no answer while this is set.
    pub hangs: Cell<bool>,
    pub calls: RefCell<Vec<(String, i64)>>,
    pub files: RefCell<BTreeMap<String, File>>,
    /// So many downloads get a page with a login form.
    pub login_pages: Cell<u32>,
    /// Steps of uploads suffer these, one each.
    pub upload_faults: RefCell<VecDeque<Option<Fault>>>,
    /// Custom emoji, as `emoji.list` tells them.
    pub emoji: RefCell<BTreeMap<String, String>>,
    /// The workspace's icon, as `team.info` tells it.
    pub icon: RefCell<Json>,
    /// What pictures' addresses answer instead of a picture.
    pub picture_fault: Cell<Option<Fault>>,
    /// Whether the answer to a completed upload says by which message the file was posted.
    pub tells_shares: Cell<bool>,
    clock: Cell<i64>,
    sequence: Cell<u32>,
}

impl FakeSlack {
    pub fn new() -> Self {
        let slack = Self::default();
        slack.echo_metadata.set(true);
        slack.tells_shares.set(true);
        let channel = json!({
            "id": "C0GENERAL", "created": 1_600_000_000, "name": "general", "is_channel": true, "is_member": true,
            "topic": { "value": "Anything goes", "creator": "", "last_set": 0 },
        });
        let direct = json!({ "id": "D0ANNA", "created": 1_600_000_000, "is_im": true, "user": "U0ANNA" });
        let random = json!({ "id": "C0RANDOM", "created": 1_600_000_000, "name": "random", "is_channel": true, "is_member": true });
        let open =
            json!({ "id": "C0OPEN", "created": 1_600_000_000, "name": "open", "is_channel": true, "is_member": false });
        for channel in [channel, direct, random, open] {
            let id = channel["id"].as_str().unwrap().to_owned();
            slack.channels.borrow_mut().insert(id, channel);
        }
        for (id, name) in [("U0OWNER", "Olga"), ("U0ANNA", "Anna"), ("U0BEN", "Ben"), ("U0CARL", "Carl")] {
            slack.people.borrow_mut().insert(id.to_owned(), name.to_owned());
        }
        let account = (TEAM.to_owned(), OWNER.to_owned());
        slack.tokens.borrow_mut().insert(TOKEN.to_owned(), account);
        slack
    }

    /// The next calls of `chat.postMessage` suffer these faults, one each.
    pub fn suffer_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.borrow_mut().extend(faults.into_iter().map(Some));
    }

    pub fn set_clock(&self, now: i64) {
        self.clock.set(now);
    }

    /// A timestamp for the moment, unique in this workspace.
    pub fn next_ts(&self) -> String {
        self.sequence.set(self.sequence.get() + 1);
        format!("{}.{:06}", self.clock.get() / 1_000, self.sequence.get())
    }

    /// Somebody says something: the message is in the history, and the event comes back.
    pub fn says(&self, channel: &str, user: &str, text: &str) -> Json {
        let message = json!({ "type": "message", "user": user, "text": text, "ts": self.next_ts(), "team": TEAM });
        self.remember(channel, message.clone());
        event(channel, message)
    }

    fn remember(&self, channel: &str, message: Json) {
        self.history.borrow_mut().entry(channel.to_owned()).or_default().push(message);
    }

    /// Somebody answers in a thread.
    pub fn replies(&self, channel: &str, user: &str, root: &str, text: &str) -> Json {
        let mut event = self.says(channel, user, text);
        let thread = json!(root);
        event.as_object_mut().unwrap().insert("thread_ts".to_owned(), thread.clone());
        self.change(channel, event["ts"].as_str().unwrap(), |message| {
            message.insert("thread_ts".to_owned(), thread);
        });
        self.count_reply(channel, root, event["ts"].as_str().unwrap());
        event
    }

    /// The first message of a thread tells of its newest reply.
    fn count_reply(&self, channel: &str, root: &str, ts: &str) {
        self.change(channel, root, |message| {
            message.insert("thread_ts".to_owned(), root.into());
            message.insert("latest_reply".to_owned(), ts.into());
        });
    }

    /// Changes a message of the history; returns it as it was and as it is.
    fn change(
        &self,
        channel: &str,
        ts: &str,
        edit: impl FnOnce(&mut serde_json::Map<String, Json>),
    ) -> Option<(Json, Json)> {
        let mut history = self.history.borrow_mut();
        let message = history.get_mut(channel)?.iter_mut().find(|message| message["ts"] == ts)?;
        let before = message.clone();
        edit(message.as_object_mut().unwrap());
        Some((before, message.clone()))
    }

    fn changed(&self, channel: &str, before: Json, now: Json) -> Json {
        let at = self.next_ts();
        let changed = json!({
            "type": "message", "subtype": "message_changed", "hidden": true, "message": now,
            "previous_message": before, "ts": at, "event_ts": at,
        });
        event(channel, changed)
    }

    /// A person edits a message.
    pub fn edits(&self, channel: &str, ts: &str, text: &str) -> Json {
        let edited = json!({ "user": "U0ANNA", "ts": format!("{}.000000", self.clock.get() / 1_000) });
        let (before, now) = self
            .change(channel, ts, |message| {
                message.insert("text".to_owned(), text.into());
                message.insert("edited".to_owned(), edited);
            })
            .unwrap();
        self.changed(channel, before, now)
    }

    /// Slack adds a preview, which is no edit.
    pub fn unfurls(&self, channel: &str, ts: &str) -> Json {
        let (before, now) = self
            .change(channel, ts, |message| {
                message.insert("attachments".to_owned(), json!([{ "id": 1, "title": "A page" }]));
            })
            .unwrap();
        self.changed(channel, before, now)
    }

    /// A message of the history has these files.
    pub fn set_files(&self, channel: &str, ts: &str, files: Json) {
        self.change(channel, ts, |message| {
            message.insert("files".to_owned(), files);
        })
        .unwrap();
    }

    /// Somebody deletes a file of a message that stays: what is left of it is a tombstone.
    pub fn deletes_file(&self, channel: &str, ts: &str, index: usize) -> Json {
        let (before, now) = self
            .change(channel, ts, |message| {
                let file = &mut message["files"][index];
                *file = json!({ "id": file["id"], "mode": "tombstone" });
            })
            .unwrap();
        self.changed(channel, before, now)
    }

    /// A message goes.
    pub fn deletes(&self, channel: &str, ts: &str) -> Json {
        let gone = self.forget(channel, ts).unwrap();
        let at = self.next_ts();
        let deleted = json!({
            "type": "message", "subtype": "message_deleted", "hidden": true, "deleted_ts": ts,
            "previous_message": gone, "ts": at, "event_ts": at,
        });
        event(channel, deleted)
    }

    fn forget(&self, channel: &str, ts: &str) -> Option<Json> {
        let mut history = self.history.borrow_mut();
        let messages = history.get_mut(channel)?;
        let at = messages.iter().position(|message| message["ts"] == ts)?;
        Some(messages.remove(at))
    }

    /// A reaction comes or goes; `None` when that is so already.
    pub fn reacts(&self, channel: &str, ts: &str, user: &str, name: &str, added: bool) -> Option<Json> {
        let mut changes = false;
        self.change(channel, ts, |message| {
            let mut reactions = message.get("reactions").and_then(Json::as_array).cloned().unwrap_or_default();
            if !reactions.iter().any(|reaction| reaction["name"] == name) {
                reactions.push(json!({ "name": name, "users": [], "count": 0 }));
            }
            for reaction in reactions.iter_mut().filter(|reaction| reaction["name"] == name) {
                let mut users = reaction["users"].as_array().cloned().unwrap();
                let there = users.iter().position(|other| other == user);
                changes = there.is_some() != added;
                match there {
                    None if added => users.push(user.into()),
                    Some(at) if !added => drop(users.remove(at)),
                    _ => {}
                }
                reaction["count"] = users.len().into();
                reaction["users"] = users.into();
            }
            reactions.retain(|reaction| reaction["count"] != 0);
            message.insert("reactions".to_owned(), reactions.into());
        })?;
        changes.then(|| {
            json!({
                "type": if added { "reaction_added" } else { "reaction_removed" }, "user": user, "reaction": name,
                "item": { "type": "message", "channel": channel, "ts": ts }, "event_ts": self.next_ts(),
            })
        })
    }

    /// Name and people of each reaction to a message.
    pub fn reactions(&self, channel: &str, ts: &str) -> Vec<(String, Vec<String>)> {
        let history = self.history.borrow();
        let message = history[channel].iter().find(|message| message["ts"] == ts).unwrap().clone();
        let reactions = message.get("reactions").and_then(Json::as_array).cloned().unwrap_or_default();
        let users = |reaction: &Json| -> Vec<String> {
            reaction["users"].as_array().unwrap().iter().map(|user| user.as_str().unwrap().to_owned()).collect()
        };
        reactions.iter().map(|reaction| (reaction["name"].as_str().unwrap().to_owned(), users(reaction))).collect()
    }

    /// The texts in a channel that came through the API.
    pub fn posted(&self, channel: &str) -> Vec<String> {
        let history = self.history.borrow();
        let messages = history.get(channel).map(Vec::as_slice).unwrap_or_default();
        messages
            .iter()
            .filter(|message| message.get("bot_id").is_some())
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn calls_of(&self, method: &str) -> usize {
        self.calls.borrow().iter().filter(|(name, _)| name == method).count()
    }

    /// Somebody posts a file.
    pub fn posts_file(&self, channel: &str, user: &str, text: &str, object: Json, bytes: &[u8]) -> Json {
        let id = self.make_file(object, bytes);
        self.show_file(channel, user, text, &id, None)
    }

    fn make_file(&self, object: Json, bytes: &[u8]) -> String {
        self.sequence.set(self.sequence.get() + 1);
        let id = format!("F{:06}", self.sequence.get());
        let mut whole = json!({
            "id": id, "mode": "hosted", "size": bytes.len(), "is_external": false, "permalink": format!("https://acme.slack.com/files/{id}"),
            "url_private_download": format!("https://files.slack.com/files-pri/{id}"),
        });
        whole.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
        self.files.borrow_mut().insert(id.clone(), File { object: whole, bytes: bytes.to_vec(), shares: Vec::new() });
        id
    }

    fn show_file(&self, channel: &str, user: &str, text: &str, id: &str, thread: Option<&Json>) -> Json {
        let ts = self.next_ts();
        let object = self.files.borrow()[id].object.clone();
        let mut message = json!({
            "type": "message", "subtype": "file_share", "user": user, "text": text, "ts": ts, "files": [object], "upload": false,
        });
        if let Some(thread) = thread {
            message["thread_ts"] = thread.clone();
        }
        self.files.borrow_mut().get_mut(id).unwrap().shares.push((channel.to_owned(), ts));
        self.remember(channel, message.clone());
        event(channel, message)
    }

    fn file_with_shares(&self, id: &str) -> Json {
        let file = self.files.borrow()[id].clone();
        let mut object = file.object;
        for (channel, ts) in &file.shares {
            object["shares"]["public"][channel] = json!([{ "ts": ts }]);
        }
        object
    }

    /// What `files.slack.com` answers.
    fn file_host(&self, request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        let id = request.uri().path().rsplit('/').next().unwrap();
        self.calls.borrow_mut().push((request.method().as_str().to_owned(), self.clock.get()));
        if request.method() == http::Method::POST {
            assert!(request.headers().get("authorization").is_none(), "an upload address needs no token");
            if let Some(fault) = self.upload_faults.borrow_mut().pop_front().flatten() {
                return suffer(fault);
            }
            self.files.borrow_mut().get_mut(id).unwrap().bytes.clone_from(request.body());
            return Ok(http::Response::new(b"OK".to_vec()));
        }
        let bearer = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        let page = self.login_pages.get();
        if bearer.strip_prefix("Bearer ").is_none_or(|token| !self.tokens.borrow().contains_key(token)) || page > 0 {
            self.login_pages.set(page.saturating_sub(1));
            let answer = http::Response::builder().header("content-type", "text/html; charset=utf-8");
            return Ok(answer.body(b"<!DOCTYPE html><title>Sign in</title>".to_vec()).unwrap());
        }
        let files = self.files.borrow();
        let Some(file) = files.get(id) else { return suffer(Fault::Http(404)) };
        let kind = file.object["mimetype"].as_str().unwrap_or("application/octet-stream");
        Ok(http::Response::builder().header("content-type", kind).body(file.bytes.clone()).unwrap())
    }

    fn file_method(
        &self,
        method: &str,
        args: &HashMap<String, Json>,
        user: &str,
    ) -> Result<http::Response<Vec<u8>>, HttpError> {
        match method {
            "files.getUploadURLExternal" => {
                if let Some(fault) = self.upload_faults.borrow_mut().pop_front().flatten() {
                    return suffer(fault);
                }
                let object = json!({ "name": text(args, "filename"), "user": user, "mimetype": "image/png" });
                let id = self.make_file(object, &vec![0; text(args, "length").parse().unwrap()]);
                let url = format!("https://files.slack.com/upload/v1/{id}");
                Ok(ok(json!({ "upload_url": url, "file_id": id })))
            }
            "files.completeUploadExternal" => {
                let fault = self.faults.borrow_mut().pop_front().flatten();
                if let Some(fault) = fault
                    && fault != Fault::DropAnswer
                {
                    return suffer(fault);
                }
                let id = args["files"][0]["id"].as_str().unwrap().to_owned();
                let channel = text(args, "channel_id");
                let comment = text(args, "initial_comment");
                let echo = self.show_file(channel, user, comment, &id, args.get("thread_ts"));
                self.echoes.borrow_mut().push(echo);
                if fault == Some(Fault::DropAnswer) {
                    return suffer(Fault::DropAnswer);
                }
                let file = match self.tells_shares.get() {
                    true => self.file_with_shares(&id),
                    false => self.files.borrow()[&id].object.clone(),
                };
                Ok(ok(json!({ "files": [file] })))
            }
            "files.info" => Ok(match self.files.borrow().contains_key(text(args, "file")) {
                true => ok(json!({ "file": self.file_with_shares(text(args, "file")) })),
                false => refused("file_not_found"),
            }),
            "files.delete" => Ok(match self.files.borrow_mut().remove(text(args, "file")) {
                Some(_) => ok(json!({})),
                None => refused("file_not_found"),
            }),
            other => panic!("unexpected call of {other}"),
        }
    }

    /// A picture, which needs no token.
    fn picture(&self, request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        self.calls.borrow_mut().push(("picture".to_owned(), self.clock.get()));
        assert!(request.headers().get("authorization").is_none(), "the token goes to the API only");
        match self.picture_fault.get() {
            Some(fault) => suffer(fault),
            None => {
                let answer = http::Response::builder().header("content-type", "image/png");
                Ok(answer.body(request.uri().path().as_bytes().to_vec()).unwrap())
            }
        }
    }

    /// A custom emoji is made, and the event comes back.
    pub fn adds_emoji(&self, name: &str, value: &str) -> Json {
        self.emoji.borrow_mut().insert(name.to_owned(), value.to_owned());
        json!({ "type": "emoji_changed", "subtype": "add", "name": name, "value": value, "event_ts": self.next_ts() })
    }

    /// Custom emoji go, and the event comes back.
    pub fn removes_emoji(&self, name: &str) -> Json {
        self.emoji.borrow_mut().remove(name).unwrap();
        json!({ "type": "emoji_changed", "subtype": "remove", "names": [name], "event_ts": self.next_ts() })
    }

    pub fn answer(&self, request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        if request.uri().host() == Some("files.slack.com") {
            return self.file_host(request);
        }
        if request.uri().host().is_some_and(|host| host.ends_with(".slack-edge.com")) {
            return self.picture(request);
        }
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        self.calls.borrow_mut().push((method.clone(), self.clock.get()));
        let mut args: HashMap<String, Json> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
                .map(|(key, value)| (key.into_owned(), Json::String(value.into_owned())))
                .collect();
        if let Ok(Json::Object(body)) = serde_json::from_slice(request.body()) {
            args.extend(body);
        }
        let token = request.headers()["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let account = self.tokens.borrow().get(&token).cloned();
        let Some((team, user)) = account else { return Ok(refused("invalid_auth")) };
        if let Some(code) = *self.dead.borrow() {
            return Ok(refused(code));
        }
        match method.as_str() {
            "auth.test" => Ok(ok(json!({
                "url": "https://acme.slack.com/", "team": "Acme", "user": "olga", "team_id": team, "user_id": user,
            }))),
            "users.conversations" => {
                let mut channels: Vec<_> = self.channels.borrow().values().cloned().collect();
                channels.retain(|channel| channel.get("is_member").is_none_or(|member| member == true));
                Ok(ok(json!({ "channels": channels, "response_metadata": { "next_cursor": "" } })))
            }
            "conversations.info" => Ok(match self.channels.borrow().get(text(&args, "channel")) {
                Some(channel) => {
                    let mut channel = channel.clone();
                    if let Some(last_read) = self.last_read.borrow().get(text(&args, "channel")) {
                        channel["last_read"] = last_read.as_str().into();
                    }
                    ok(json!({ "channel": channel }))
                }
                None => refused("channel_not_found"),
            }),
            "users.info" => Ok(match self.people.borrow().get(text(&args, "user")) {
                Some(name) => ok(json!({ "user": {
                    "id": text(&args, "user"), "name": name.to_lowercase(), "profile": { "display_name": name },
                } })),
                None => refused("user_not_found"),
            }),
            "conversations.history" | "conversations.replies" => self.read_history(&args),
            "chat.postMessage" => self.post(&args, &user),
            "conversations.list" => {
                let mut channels: Vec<_> = self.channels.borrow().values().cloned().collect();
                channels.retain(|channel| channel.get("is_im").is_none());
                Ok(ok(json!({ "channels": channels, "response_metadata": { "next_cursor": "" } })))
            }
            "conversations.join" => Ok(match self.channels.borrow_mut().get_mut(text(&args, "channel")) {
                Some(channel) => {
                    channel["is_member"] = true.into();
                    ok(json!({ "channel": channel }))
                }
                None => refused("channel_not_found"),
            }),
            "conversations.open" => {
                let person = text(&args, "users").to_owned();
                let id = format!("D{}", person.strip_prefix('U').unwrap());
                let channel = json!({ "id": id, "created": 1_600_000_000, "is_im": true, "user": person });
                self.channels.borrow_mut().entry(id.clone()).or_insert(channel);
                Ok(ok(json!({ "channel": { "id": id } })))
            }
            "emoji.list" => Ok(ok(json!({ "emoji": *self.emoji.borrow() }))),
            "team.info" => Ok(ok(json!({ "team": { "id": TEAM, "name": "Acme", "icon": *self.icon.borrow() } }))),
            "users.list" => {
                let people = self.people.borrow();
                let members: Vec<_> = people
                    .iter()
                    .map(|(id, name)| {
                        json!({ "id": id, "name": name.to_lowercase(), "profile": { "display_name": name } })
                    })
                    .collect();
                Ok(ok(json!({ "members": members, "response_metadata": { "next_cursor": "" } })))
            }
            "conversations.mark" => {
                let (channel, ts) = (text(&args, "channel").to_owned(), text(&args, "ts").to_owned());
                self.last_read.borrow_mut().insert(channel, ts);
                Ok(ok(json!({})))
            }
            "chat.update" | "chat.delete" | "reactions.add" | "reactions.remove" => self.alter(&method, &args, &user),
            method if method.starts_with("files.") => self.file_method(method, &args, &user),
            other => panic!("unexpected call of {other}"),
        }
    }

    fn read_history(&self, args: &HashMap<String, Json>) -> Result<http::Response<Vec<u8>>, HttpError> {
        if let Some(fault) = self.history_faults.borrow_mut().pop_front().flatten() {
            return suffer(fault);
        }
        let micros = |ts: &str| {
            let (seconds, micros) = ts.split_once('.').unwrap();
            seconds.parse::<i64>().unwrap() * 1_000_000 + micros.parse::<i64>().unwrap()
        };
        let oldest = args.get("oldest").map_or(-1, |oldest| micros(oldest.as_str().unwrap()));
        let ragged = self.ragged_pages.get();
        self.ragged_pages.set(ragged.saturating_sub(1));
        let most: usize = if ragged > 0 { usize::try_from(ragged % 3).unwrap() } else { 1_000 };
        let limit = args.get("limit").map_or(100, |limit| limit.as_str().unwrap().parse().unwrap()).min(most);
        let history = self.history.borrow();
        let mut messages: Vec<Json> = history.get(text(args, "channel")).cloned().unwrap_or_default();
        messages.retain(|message| micros(message["ts"].as_str().unwrap()) > oldest);
        let root_of = |message: &Json| message.get("thread_ts").filter(|root| **root != message["ts"]).cloned();
        match args.get("ts") {
            Some(root) => messages.retain(|message| message["ts"] == *root || root_of(message).as_ref() == Some(root)),
            None => messages.retain(|message| {
                root_of(message).is_none() || message.get("subtype").is_some_and(|kind| kind == "thread_broadcast")
            }),
        }
        messages.sort_by_key(|message| std::cmp::Reverse(micros(message["ts"].as_str().unwrap())));
        let skip: usize = args.get("cursor").map_or(0, |cursor| cursor.as_str().unwrap().parse().unwrap());
        let next = if messages.len() > skip + limit { (skip + limit).to_string() } else { String::new() };
        let page: Vec<_> = messages.into_iter().skip(skip).take(limit).collect();
        Ok(ok(json!({ "messages": page, "has_more": !next.is_empty(), "response_metadata": { "next_cursor": next } })))
    }

    /// The methods that change a message.
    fn alter(
        &self,
        method: &str,
        args: &HashMap<String, Json>,
        user: &str,
    ) -> Result<http::Response<Vec<u8>>, HttpError> {
        let fault = self.change_faults.borrow_mut().pop_front().flatten();
        if let Some(fault) = fault
            && fault != Fault::DropAnswer
        {
            return suffer(fault);
        }
        let channel = text(args, "channel");
        let ts = if method.starts_with("chat.") { text(args, "ts") } else { text(args, "timestamp") };
        let known = self.history.borrow().get(channel).into_iter().flatten().find(|one| one["ts"] == ts).cloned();
        let Some(message) = known else { return Ok(refused("message_not_found")) };
        if method.starts_with("chat.") && message["user"] != user {
            return Ok(refused(if method == "chat.update" { "cant_update_message" } else { "cant_delete_message" }));
        }
        let mut answer = json!({ "channel": channel, "ts": ts });
        let echo = match method {
            "chat.update" => {
                let mut echo = self.edits(channel, ts, text(args, "text"));
                answer["message"] = echo["message"].clone();
                if !self.echo_metadata.get() {
                    echo["message"].as_object_mut().unwrap().remove("metadata");
                }
                echo
            }
            "chat.delete" => self.deletes(channel, ts),
            _ => {
                let added = method == "reactions.add";
                match self.reacts(channel, ts, user, text(args, "name"), added) {
                    Some(echo) => echo,
                    None => return Ok(refused(if added { "already_reacted" } else { "no_reaction" })),
                }
            }
        };
        self.echoes.borrow_mut().push(echo);
        if fault == Some(Fault::DropAnswer) {
            return suffer(Fault::DropAnswer);
        }
        Ok(ok(answer))
    }

    fn post(&self, args: &HashMap<String, Json>, user: &str) -> Result<http::Response<Vec<u8>>, HttpError> {
        let fault = self.faults.borrow_mut().pop_front().flatten();
        if let Some(fault) = fault
            && fault != Fault::DropAnswer
        {
            return suffer(fault);
        }
        let channel = text(args, "channel").to_owned();
        let message = json!({
            "type": "message", "user": user, "bot_id": APP_BOT, "text": text(args, "text"), "ts": self.next_ts(),
            "metadata": args["metadata"],
        });
        let mut message = message;
        let thread = args.get("thread_ts").cloned();
        if let Some(thread) = &thread {
            message["thread_ts"] = thread.clone();
        }
        self.remember(&channel, message.clone());
        if let Some(thread) = thread {
            self.count_reply(&channel, thread.as_str().unwrap(), message["ts"].as_str().unwrap());
        }
        let mut echo = message.clone();
        if !self.echo_metadata.get() {
            echo.as_object_mut().unwrap().remove("metadata");
        }
        self.echoes.borrow_mut().push(event(&channel, echo));
        if fault == Some(Fault::DropAnswer) {
            return suffer(Fault::DropAnswer);
        }
        Ok(ok(json!({ "channel": channel, "ts": message["ts"], "message": message })))
    }
}

fn event(channel: &str, mut message: Json) -> Json {
    let kind = if channel.starts_with('D') { "im" } else { "channel" };
    let fields = message.as_object_mut().unwrap();
    fields.insert("channel".to_owned(), channel.into());
    fields.insert("channel_type".to_owned(), kind.into());
    message
}

fn text<'a>(args: &'a HashMap<String, Json>, key: &str) -> &'a str {
    args.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn suffer(fault: Fault) -> Result<http::Response<Vec<u8>>, HttpError> {
    match fault {
        Fault::RateLimited(seconds) => {
            let answer = http::Response::builder().status(429).header("retry-after", seconds.to_string());
            Ok(answer.body(br#"{"ok":false,"error":"ratelimited"}"#.to_vec()).unwrap())
        }
        Fault::RateLimitedInBody => Ok(refused("ratelimited")),
        Fault::DropAnswer | Fault::Close => Err(HttpError::Unknown("closed".to_owned())),
        Fault::NotSent => Err(HttpError::NotSent("refused".to_owned())),
        Fault::Error(code) => Ok(refused(code)),
        Fault::Http(status) => {
            let answer = http::Response::builder().status(status);
            Ok(answer.body(b"<!DOCTYPE html>".to_vec()).unwrap())
        }
    }
}

fn ok(mut body: Json) -> http::Response<Vec<u8>> {
    body.as_object_mut().unwrap().insert("ok".to_owned(), true.into());
    http::Response::new(serde_json::to_vec(&body).unwrap())
}

fn refused(code: &str) -> http::Response<Vec<u8>> {
    http::Response::new(serde_json::to_vec(&json!({ "ok": false, "error": code })).unwrap())
}
