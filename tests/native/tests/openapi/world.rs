//! A small world in which every operation has something to act on, new for each.

use base64::Engine as _;
use http::Method;
use hubbub_core::context::Support;
use hubbub_native::{
    Client, Options, Reply, TestServer,
    client::{path, request, with_query},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::{bodies::body_of, keys, specification::Operation};

const APPSERVICE: &str = "
id: bridge
url: https://bridge.example
as_token: as_token_of_the_bridge
hs_token: hs_token_of_the_bridge
sender_localpart: bridgebot
protocols: [chirp]
namespaces:
  users: [{exclusive: true, regex: '@_chirp_.*'}]
";

/// A PNG of one pixel.
const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The operations for which the caller needs a password, or another device.
const PASSWORD_ASKED: [&str; 7] =
    ["login", "changePassword", "deactivateAccount", "deleteDevice", "deleteDevices", "generateLoginToken", "refresh"];

/// Who is there and what happened.
pub struct World {
    server: TestServer,
    /// The caller, who made the rooms.
    pub alice: Client,
    /// A member.
    pub bob: Client,
    /// Somebody outside.
    pub carol: Client,
    /// A public room with an alias.
    pub room: String,
    /// A message in it.
    pub event: String,
    /// Another device of the caller.
    pub other_device: String,
    filter: String,
    alias: String,
}

impl World {
    /// The caller's password.
    pub const PASSWORD: &str = "alice's password";

    /// The world for one operation.
    pub fn new(operation: &str) -> Self {
        let support = Support { page: Some("https://hub.example/help".to_owned()), ..Support::default() };
        let server = TestServer::with(Options { support, ..Options::default() });
        server.http().answer_by(|request| Ok(http::Response::new(outside(request.uri().path()).to_string().into())));
        // Hashing passwords is slow, and few operations ask for one.
        let has_password = PASSWORD_ASKED.contains(&operation);
        let alice = if has_password { server.register("alice") } else { server.account("alice") };
        let (bob, carol) = (server.account("bob"), server.account("carol"));
        let alias = "#public:hub.example".to_owned();
        let room = alice.create_room(&json!({
            "preset": "public_chat",
            "visibility": "public",
            "name": "A public room",
            "room_alias_name": "public",
        }));
        bob.join(&room);
        let event = alice.send_text(&room, "hello");
        let filter = alice.post(["user", &alice.user_id, "filter"], &json!({"room": {"timeline": {"limit": 5}}})).ok();
        let rule = json!({"conditions": [], "actions": ["notify"]});
        alice.put(["pushrules", "global", "override", "nocake"], &rule).ok();
        for of in [vec!["user", &alice.user_id], vec!["user", &alice.user_id, "rooms", &room]] {
            alice.put(of.into_iter().chain(["account_data", "org.example.custom.config"]), &json!({"key": 1})).ok();
        }
        let other_device = if has_password { server.login("alice", Some("OTHER")).device_id } else { String::new() };
        let world =
            Self { filter: text(&filter, "filter_id"), server, alice, bob, carol, room, event, other_device, alias };
        world.prepare(operation);
        world
    }

    /// What one operation needs besides.
    fn prepare(&self, operation: &str) {
        match operation {
            "unban" => drop(self.alice.member(&self.room, "ban", &self.carol).ok()),
            "forgetRoom" => self.alice.leave(&self.room),
            "knockRoom" => {
                self.alice.set_state(&self.room, "m.room.join_rules", "", &json!({"join_rule": "knock"})).ok();
            }
            "pingAppservice"
            | "updateAppserviceRoomDirectoryVisibility"
            | "getProtocols"
            | "getProtocolMetadata"
            | "queryLocationByProtocol"
            | "queryUserByProtocol"
            | "queryLocationByAlias"
            | "queryUserByID" => {
                self.server.register_appservice(APPSERVICE).ok();
            }
            _ => keys::prepare(operation, self),
        }
    }

    /// Calls an operation as a client would.
    pub fn call(&self, operation: &Operation) -> Reply {
        let segments = operation.path.split('/').map(|part| match part.strip_prefix('{') {
            Some(name) => {
                let value = self.value(&operation.id, name.trim_end_matches('}'));
                utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string()
            }
            None => part.to_owned(),
        });
        let uri = segments.collect::<Vec<_>>().join("/");
        let query: Vec<_> =
            operation.query.iter().map(|name| (name.as_str(), self.value(&operation.id, name))).collect();
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let uri = if query.is_empty() { uri } else { with_query(uri, &query) };
        let body = body_of(operation, self);
        let empty = json!({});
        let body = body.as_ref().or_else(|| (operation.method != Method::GET).then_some(&empty));
        match operation.id.as_str() {
            "pingAppservice" | "updateAppserviceRoomDirectoryVisibility" => {
                self.server.send(operation.method.clone(), &uri, Some("as_token_of_the_bridge"), body)
            }
            // One is not among the caller's rooms yet.
            "joinRoomById" | "joinRoom" | "knockRoom" => self.carol.ask(operation.method.clone(), &uri, body),
            _ => self.alice.ask(operation.method.clone(), &uri, body),
        }
    }

    /// The value of a variable part of a path, or of a query parameter.
    fn value(&self, operation: &str, name: &str) -> String {
        match (operation, name) {
            ("setRoomAlias", "roomAlias") => "#another:hub.example".to_owned(),
            ("setRoomStateWithKey" | "getRoomStateWithKey", "eventType") => "m.room.name".to_owned(),
            ("setRoomStateWithKey" | "getRoomStateWithKey", "stateKey") => String::new(),
            ("deleteDevice", "deviceId") => self.other_device.clone(),
            ("uploadContentToMXC", "mediaId") => {
                let made = self.alice.ask(Method::POST, "/_matrix/media/v1/create", None).ok();
                media_id(&made)
            }
            (_, "mediaId") => self.upload(),
            (_, "serverName") => "hub.example".to_owned(),
            (_, "fileName") => "dot.png".to_owned(),
            (_, "width" | "height") => "64".to_owned(),
            (_, "url") => "https://example.org/".to_owned(),
            ("getKeysChanges", "from" | "to") => self.alice.sync(None).next_batch(),
            ("getMutualRooms", _) => self.bob.user_id.clone(),
            ("queryUserByID", "userid") => "@_chirp_ana:hub.example".to_owned(),
            (_, "userId") => self.alice.user_id.clone(),
            (_, "roomId") => self.room.clone(),
            (_, "roomIdOrAlias" | "roomAlias" | "alias") => self.alias.clone(),
            (_, "eventId") => self.event.clone(),
            (_, "filterId") => self.filter.clone(),
            (_, "deviceId") => self.alice.device_id.clone(),
            (_, "type") => "org.example.custom.config".to_owned(),
            (_, "eventType") => "m.room.message".to_owned(),
            (_, "receiptType") => "m.read".to_owned(),
            (_, "relType") => "m.annotation".to_owned(),
            (_, "keyName") => "displayname".to_owned(),
            (_, "kind") => "override".to_owned(),
            (_, "ruleId") => "nocake".to_owned(),
            (_, "version") => "1".to_owned(),
            (_, "tag") => "u.work".to_owned(),
            (_, "dir") => "b".to_owned(),
            (_, "ts") => self.server.now().to_string(),
            (_, "username") => "newcomer".to_owned(),
            (_, "appserviceId") => "bridge".to_owned(),
            (_, "networkId") => "chirp".to_owned(),
            (_, "protocol") => "chirp".to_owned(),
            (_, "token") => hubbub_native::server::REGISTRATION_TOKEN.to_owned(),
            _ => format!("{name}-1"),
        }
    }

    /// The id of a picture that the caller uploaded.
    fn upload(&self) -> String {
        let mut request = self.alice.request(Method::POST, "/_matrix/media/v3/upload?filename=dot.png", None);
        request.headers_mut().insert("content-type", http::HeaderValue::from_static("image/png"));
        *request.body_mut() = base64::engine::general_purpose::STANDARD.decode(DOT).expect("it is base64");
        media_id(&self.server.request(request).ok())
    }

    /// A refresh token of the caller.
    pub fn refresh_token(&self) -> String {
        let body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "alice"},
            "password": Self::PASSWORD,
            "refresh_token": true,
        });
        let login = self.server.request(request(Method::POST, &path(["login"]), None, Some(&body))).ok();
        text(&login, "refresh_token")
    }
}

/// What the appservice answers.
fn outside(path: &str) -> Json {
    if path.contains("/thirdparty/protocol/") {
        return json!({
            "user_fields": ["handle"],
            "location_fields": ["channel"],
            "icon": "mxc://hub.example/chirp",
            "field_types": {"handle": {"regexp": "[a-z]+", "placeholder": "ana"}, "channel": {"regexp": ".+", "placeholder": "general"}},
            "instances": [{"desc": "Chirp", "fields": {}, "network_id": "chirp"}],
        });
    }
    if path.contains("/thirdparty/") { json!([]) } else { json!({}) }
}

fn media_id(made: &Json) -> String {
    text(made, "content_uri").rsplit('/').next().unwrap_or_default().to_owned()
}

fn text(of: &Json, name: &str) -> String {
    of.get(name).and_then(Json::as_str).unwrap_or_else(|| panic!("there is no {name} in {of}")).to_owned()
}
