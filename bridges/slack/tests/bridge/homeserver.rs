//! As much of a homeserver as the bridge calls: it knows who is in which room, and that a
//! transaction id is one event.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
};

use serde_json::{Value as Json, json};

/// An event in a room.
#[derive(Clone, Debug)]
pub struct Event {
    pub event_id: String,
    pub sender: String,
    pub content: Json,
    pub ts: Option<i64>,
    pub kind: String,
    pub redacted: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Room {
    pub body: Json,
    pub joined: BTreeSet<String>,
    pub invited: BTreeSet<String>,
    pub events: Vec<Event>,
    pub state: BTreeMap<(String, String), Json>,
}

/// A file, or the place for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    pub uploader: String,
    pub content_type: String,
    pub name: String,
    pub bytes: Option<Vec<u8>>,
}

#[derive(Default)]
pub struct FakeHomeserver {
    pub rooms: RefCell<BTreeMap<String, Room>>,
    pub aliases: RefCell<BTreeMap<String, String>>,
    pub names: RefCell<BTreeMap<String, String>>,
    pub registered: RefCell<BTreeSet<String>>,
    pub account_data: RefCell<HashMap<(String, String), Json>>,
    /// The receipts by room and user, oldest first.
    pub receipts: RefCell<HashMap<(String, String), Vec<String>>>,
    /// The actions that were set by user and room, oldest first.
    pub push_rules: RefCell<HashMap<(String, String), Vec<Json>>>,
    /// So many calls are applied and then answered with 500.
    pub failing: Cell<u32>,
    /// Whom the double puppet may act for.
    pub puppets: RefCell<BTreeSet<String>>,
    pub banned: RefCell<BTreeSet<String>>,
    /// The files by media id; reserved ids have none yet.
    pub media: RefCell<BTreeMap<String, Media>>,
    transactions: RefCell<HashMap<(String, String, String), String>>,
    sequence: Cell<u32>,
}

pub const BOT: &str = "@slackbot:hub.test";

impl FakeHomeserver {
    fn next(&self, sigil: &str) -> String {
        self.sequence.set(self.sequence.get() + 1);
        format!("{sigil}{}", self.sequence.get())
    }

    pub fn room(&self, room_id: &str) -> Room {
        self.rooms.borrow()[room_id].clone()
    }

    /// The id of the only space.
    pub fn space(&self) -> String {
        let rooms = self.rooms.borrow();
        let is_space = |room: &&Room| room.body["creation_content"]["type"] == "m.space";
        rooms.iter().find(|(_, room)| is_space(room)).map(|(id, _)| id.clone()).unwrap()
    }

    pub fn room_of_alias(&self, alias: &str) -> Option<String> {
        self.aliases.borrow().get(alias).cloned()
    }

    /// Sender and body of each message.
    pub fn said(&self, room_id: &str) -> Vec<(String, String)> {
        let events = self.room(room_id).events;
        events
            .into_iter()
            .map(|event| (event.sender, event.content["body"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    pub fn bodies(&self, room_id: &str) -> Vec<String> {
        self.said(room_id).into_iter().map(|(_, body)| body).collect()
    }

    /// The event of this id.
    pub fn event(&self, room_id: &str, event_id: &str) -> Event {
        self.room(room_id).events.into_iter().find(|event| event.event_id == event_id).unwrap()
    }

    /// What a client shows: each message that is there, as it was edited last.
    pub fn shown(&self, room_id: &str) -> Vec<(String, String)> {
        let events = self.room(room_id).events;
        let is_edit = |event: &Event| event.content.pointer("/m.relates_to/rel_type") == Some(&json!("m.replace"));
        let messages = events.iter().filter(|event| event.kind == "m.room.message" && !event.redacted);
        messages
            .filter(|event| !is_edit(event))
            .map(|event| {
                let of_it = |edit: &&Event| {
                    is_edit(edit)
                        && edit.sender == event.sender
                        && edit.content["m.relates_to"]["event_id"] == event.event_id.as_str()
                };
                let edit = events.iter().rfind(of_it).map(|edit| edit.content["m.new_content"].clone());
                let content = edit.unwrap_or_else(|| event.content.clone());
                (event.sender.clone(), content["body"].as_str().unwrap_or_default().to_owned())
            })
            .collect()
    }

    /// Sender and key of each reaction that is there.
    pub fn reactions(&self, room_id: &str) -> Vec<(String, String)> {
        let events = self.room(room_id).events;
        let reactions = events.into_iter().filter(|event| event.kind == "m.reaction" && !event.redacted);
        reactions
            .map(|event| (event.sender, event.content["m.relates_to"]["key"].as_str().unwrap().to_owned()))
            .collect()
    }

    /// A human sends an event; returns it in client format.
    pub fn human_sends(&self, room_id: &str, sender: &str, event_type: &str, content: Json) -> Json {
        let event_id = self.next("$human");
        if matches!(event_type, "m.room.message" | "m.reaction") {
            let event = Event {
                event_id: event_id.clone(),
                sender: sender.to_owned(),
                content: content.clone(),
                ts: None,
                kind: event_type.to_owned(),
                redacted: false,
            };
            self.rooms.borrow_mut().get_mut(room_id).unwrap().events.push(event);
        }
        if event_type == "m.room.redaction" {
            self.redact(room_id, content["redacts"].as_str().unwrap());
        }
        json!({ "type": event_type, "event_id": event_id, "sender": sender, "room_id": room_id, "content": content })
    }

    /// A human makes a room and invites the bot.
    pub fn human_invites_bot(&self, human: &str) -> (String, Json) {
        let room_id = format!("{}:hub.test", self.next("!human"));
        let room = Room { joined: [human.to_owned()].into(), invited: [BOT.to_owned()].into(), ..Room::default() };
        self.rooms.borrow_mut().insert(room_id.clone(), room);
        let invite = json!({
            "type": "m.room.member", "state_key": BOT, "sender": human, "room_id": room_id,
            "event_id": self.next("$invite"), "content": { "membership": "invite", "is_direct": true },
        });
        (room_id, invite)
    }

    pub fn answer(&self, request: &http::Request<Vec<u8>>, tokens: (&str, &str)) -> http::Response<Vec<u8>> {
        if let Some(bytes) = self.download(request) {
            return http::Response::new(bytes);
        }
        let outcome = self.carry_out(request, tokens);
        if self.failing.get() > 0 {
            self.failing.set(self.failing.get() - 1);
            return answer(500, &json!({ "errcode": "M_UNKNOWN", "error": "on purpose" }));
        }
        match outcome {
            Ok(body) => answer(200, &body),
            Err((status, errcode)) => answer(status, &json!({ "errcode": errcode, "error": errcode })),
        }
    }

    fn carry_out(
        &self,
        request: &http::Request<Vec<u8>>,
        (bot, puppet): (&str, &str),
    ) -> Result<Json, (u16, &'static str)> {
        let path = request.uri().path().strip_prefix("/_matrix/").unwrap();
        let path = path.strip_prefix("client/").unwrap_or(path);
        let is_media = path.starts_with("media/");
        let path = if is_media { path.replacen("media/", "", 1).replacen('/', "/media/", 1) } else { path.to_owned() };
        let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let query: HashMap<String, String> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes()).into_owned().collect();
        let token = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let user = match query.get("user_id") {
            None => BOT.to_owned(),
            Some(user) if token == bot => {
                assert!(user.starts_with("@_slack_") || user == BOT, "{user} is no ghost");
                user.clone()
            }
            Some(user) => {
                assert_eq!(token, puppet);
                if !self.puppets.borrow().contains(user) {
                    return Err((403, "M_FORBIDDEN"));
                }
                user.clone()
            }
        };
        let body: Json = serde_json::from_slice(request.body()).unwrap_or(Json::Null);
        let ts = query.get("ts").map(|ts| ts.parse().unwrap());
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method().as_str(), segments.as_slice()) {
            ("POST", ["register"]) => {
                let user = format!("@{}:hub.test", body["username"].as_str().unwrap());
                if !self.registered.borrow_mut().insert(user.clone()) {
                    return Err((400, "M_USER_IN_USE"));
                }
                Ok(json!({ "user_id": user }))
            }
            ("PUT", ["profile", whose, "displayname"]) => {
                assert_eq!(*whose, user);
                self.names.borrow_mut().insert(user, body["displayname"].as_str().unwrap().to_owned());
                Ok(json!({}))
            }
            ("POST", ["media", "upload"]) => {
                let id = self.next("media");
                let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
                let bytes = Some(request.body().clone());
                let media = Media { uploader: user, content_type, bytes, ..Media::default() };
                self.media.borrow_mut().insert(id.clone(), media);
                Ok(json!({ "content_uri": format!("mxc://hub.test/{id}") }))
            }
            ("POST", ["media", "create"]) => {
                let id = self.next("media");
                self.media.borrow_mut().insert(id.clone(), Media { uploader: user, ..Media::default() });
                Ok(json!({ "content_uri": format!("mxc://hub.test/{id}") }))
            }
            ("PUT", ["media", "upload", "hub.test", id]) => {
                let mut media = self.media.borrow_mut();
                let media = media.get_mut(*id).ok_or((404, "M_NOT_FOUND"))?;
                if media.bytes.is_some() {
                    return Err((409, "M_CANNOT_OVERWRITE_MEDIA"));
                }
                if media.uploader != user {
                    return Err((403, "M_FORBIDDEN"));
                }
                let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
                let (name, bytes) = (query["filename"].clone(), Some(request.body().clone()));
                *media = Media { uploader: user, content_type, name, bytes };
                Ok(json!({}))
            }
            ("POST", ["createRoom"]) => self.create(&body),
            ("POST", ["join", room]) => self.join(room, &user),
            ("POST", ["rooms", room, "invite"]) => {
                let mut rooms = self.rooms.borrow_mut();
                rooms.get_mut(*room).unwrap().invited.insert(body["user_id"].as_str().unwrap().to_owned());
                Ok(json!({}))
            }
            ("POST", ["rooms", room, "leave"]) => {
                let mut rooms = self.rooms.borrow_mut();
                let room = rooms.get_mut(*room).unwrap();
                room.joined.remove(&user);
                room.invited.remove(&user);
                Ok(json!({}))
            }
            ("GET", ["directory", "room", alias]) => match self.room_of_alias(alias) {
                Some(room_id) => Ok(json!({ "room_id": room_id, "servers": [] })),
                None => Err((404, "M_NOT_FOUND")),
            },
            ("PUT", ["directory", "room", alias]) => {
                let room_id = body["room_id"].as_str().unwrap().to_owned();
                self.aliases.borrow_mut().insert((*alias).to_owned(), room_id);
                Ok(json!({}))
            }
            ("DELETE", ["directory", "room", alias]) => {
                self.aliases.borrow_mut().remove(*alias).map(|_| json!({})).ok_or((404, "M_NOT_FOUND"))
            }
            ("GET", ["rooms", room, "state", kind, rest @ ..]) => {
                let state_key = rest.first().copied().unwrap_or_default().to_owned();
                let room = self.room(room);
                let set = room.state.get(&((*kind).to_owned(), state_key)).cloned();
                let made = |field: &str| room.body.get(field).map(|value| json!({ field: value }));
                let made = match *kind {
                    "m.room.name" => made("name"),
                    "m.room.topic" => made("topic"),
                    "m.room.power_levels" => Some(room.body["power_level_content_override"].clone()),
                    _ => None,
                };
                set.or(made).ok_or((404, "M_NOT_FOUND"))
            }
            ("GET", ["rooms", room, "joined_members"]) => {
                let joined = self.room(room).joined;
                if !joined.contains(&user) {
                    return Err((403, "M_FORBIDDEN"));
                }
                let joined: BTreeMap<_, _> = joined.into_iter().map(|user| (user, json!({}))).collect();
                Ok(json!({ "joined": joined }))
            }
            ("POST", ["rooms", room, "kick"]) => {
                assert_eq!(user, BOT);
                let whom = body["user_id"].as_str().unwrap();
                self.rooms.borrow_mut().get_mut(*room).unwrap().joined.remove(whom);
                Ok(json!({}))
            }
            ("POST", ["rooms", room, "receipt", "m.read", event_id]) => {
                let key = ((*room).to_owned(), user);
                self.receipts.borrow_mut().entry(key).or_default().push((*event_id).to_owned());
                Ok(json!({}))
            }
            ("PUT", ["pushrules", "global", "room", room]) => {
                let rules = &mut *self.push_rules.borrow_mut();
                rules.entry((user, (*room).to_owned())).or_default().push(body["actions"].clone());
                Ok(json!({}))
            }
            ("PUT", ["rooms", room, "send", kind, transaction]) => {
                self.send(room, &user, (kind, transaction), body, ts)
            }
            ("PUT", ["rooms", room, "redact", event_id, transaction]) => {
                if !self.rooms.borrow()[*room].joined.contains(&user) {
                    return Err((403, "M_FORBIDDEN"));
                }
                if self.event(room, event_id).sender != user && user != BOT {
                    return Err((403, "M_FORBIDDEN"));
                }
                let key = ((*room).to_owned(), user, (*transaction).to_owned());
                if !self.transactions.borrow().contains_key(&key) {
                    let redaction = self.next("$redaction");
                    self.transactions.borrow_mut().insert(key.clone(), redaction);
                    assert!(!self.event(room, event_id).redacted, "redacted twice");
                    self.redact(room, event_id);
                }
                Ok(json!({ "event_id": self.transactions.borrow()[&key] }))
            }
            ("GET", ["rooms", room, "event", event_id]) => {
                let rooms = self.rooms.borrow();
                let event = rooms[*room].events.iter().find(|event| event.event_id == *event_id);
                let event = event.ok_or((404, "M_NOT_FOUND"))?;
                Ok(json!({
                    "event_id": event.event_id, "sender": event.sender, "type": event.kind,
                    "content": event.content, "origin_server_ts": event.ts.unwrap_or(1), "room_id": room,
                }))
            }
            ("PUT", ["rooms", room, "state", kind, rest @ ..]) => {
                let state_key = rest.first().copied().unwrap_or_default().to_owned();
                let mut rooms = self.rooms.borrow_mut();
                rooms.get_mut(*room).unwrap().state.insert(((*kind).to_owned(), state_key), body);
                Ok(json!({ "event_id": "$state" }))
            }
            ("GET", ["user", whose, "account_data", kind]) => {
                let data = self.account_data.borrow();
                data.get(&((*whose).to_owned(), (*kind).to_owned())).cloned().ok_or((404, "M_NOT_FOUND"))
            }
            ("PUT", ["user", whose, "account_data", kind]) => {
                self.account_data.borrow_mut().insert(((*whose).to_owned(), (*kind).to_owned()), body);
                Ok(json!({}))
            }
            (method, path) => panic!("unexpected {method} {path:?}"),
        }
    }

    fn download(&self, request: &http::Request<Vec<u8>>) -> Option<Vec<u8>> {
        let id = request.uri().path().strip_prefix("/_matrix/client/v1/media/download/hub.test/")?;
        self.media.borrow().get(id)?.bytes.clone()
    }

    /// A human uploads a file; returns its address.
    pub fn human_uploads(&self, bytes: &[u8]) -> String {
        let id = self.next("media");
        let media = Media { bytes: Some(bytes.to_vec()), ..Media::default() };
        self.media.borrow_mut().insert(id.clone(), media);
        format!("mxc://hub.test/{id}")
    }

    /// The file under an address.
    pub fn media_at(&self, content: &Json) -> Media {
        self.media.borrow()[content["url"].as_str().unwrap().strip_prefix("mxc://hub.test/").unwrap()].clone()
    }

    fn create(&self, body: &Json) -> Result<Json, (u16, &'static str)> {
        let alias = format!("#{}:hub.test", body["room_alias_name"].as_str().unwrap());
        if self.aliases.borrow().contains_key(&alias) {
            return Err((400, "M_ROOM_IN_USE"));
        }
        let room_id = format!("{}:hub.test", self.next("!room"));
        let invited = body["invite"].as_array().into_iter().flatten();
        let room = Room {
            body: body.clone(),
            joined: [BOT.to_owned()].into(),
            invited: invited.map(|user| user.as_str().unwrap().to_owned()).collect(),
            ..Room::default()
        };
        self.rooms.borrow_mut().insert(room_id.clone(), room);
        self.aliases.borrow_mut().insert(alias, room_id.clone());
        Ok(json!({ "room_id": room_id }))
    }

    fn join(&self, room_id: &str, user: &str) -> Result<Json, (u16, &'static str)> {
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.get_mut(room_id).ok_or((404, "M_NOT_FOUND"))?;
        if self.banned.borrow().contains(user) {
            return Err((403, "M_FORBIDDEN"));
        }
        if !room.joined.contains(user) && !room.invited.remove(user) {
            return Err((403, "M_FORBIDDEN"));
        }
        room.joined.insert(user.to_owned());
        Ok(json!({ "room_id": room_id }))
    }

    fn redact(&self, room_id: &str, event_id: &str) {
        let mut rooms = self.rooms.borrow_mut();
        let events = &mut rooms.get_mut(room_id).unwrap().events;
        if let Some(event) = events.iter_mut().find(|event| event.event_id == event_id) {
            event.redacted = true;
            event.content = json!({});
        }
    }

    fn send(
        &self,
        room_id: &str,
        user: &str,
        (kind, transaction): (&str, &str),
        content: Json,
        ts: Option<i64>,
    ) -> Result<Json, (u16, &'static str)> {
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.get_mut(room_id).ok_or((403, "M_FORBIDDEN"))?;
        if !room.joined.contains(user) {
            return Err((403, "M_FORBIDDEN"));
        }
        let key = (room_id.to_owned(), user.to_owned(), transaction.to_owned());
        if let Some(event_id) = self.transactions.borrow().get(&key) {
            return Ok(json!({ "event_id": event_id }));
        }
        let event_id = self.next("$event");
        self.transactions.borrow_mut().insert(key, event_id.clone());
        if kind == "m.reaction" {
            let same = |event: &&Event| {
                event.kind == kind && event.sender == user && event.content["m.relates_to"] == content["m.relates_to"]
            };
            if room.events.iter().any(|event| same(&event)) {
                return Err((400, "M_DUPLICATE_ANNOTATION"));
            }
        }
        let (sender, kind) = (user.to_owned(), kind.to_owned());
        room.events.push(Event { event_id: event_id.clone(), sender, content, ts, kind, redacted: false });
        Ok(json!({ "event_id": event_id }))
    }
}

fn decode(segment: &str) -> String {
    // A form is decoded alike, but for the plus sign.
    let segment = format!("x={}", segment.replace('+', "%2B"));
    url::form_urlencoded::parse(segment.as_bytes()).next().unwrap().1.into_owned()
}

fn answer(status: u16, body: &Json) -> http::Response<Vec<u8>> {
    http::Response::builder().status(status).body(serde_json::to_vec(body).unwrap()).unwrap()
}
