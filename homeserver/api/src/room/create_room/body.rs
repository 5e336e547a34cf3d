//! The body of a createRoom, read from raw JSON: unknown keys are ignored, custom contents kept.

use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use ruma::{OwnedUserId, RoomVersionId, UserId};
use serde_json::{Map, Value as Json, json};

use crate::{
    call::{optional_text, parse_id, required_text},
    membership::third_party_denied,
    room::SUPPORTED_VERSIONS,
};

/// How many users can be invited and how many state events given at once.
const MAX_ENTRIES: usize = 500;

/// What a room starts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// Only who is invited joins.
    Private,
    /// The same, and who is invited has the creator's power.
    TrustedPrivate,
    /// Everybody joins.
    Public,
}

/// A state event of `initial_state`.
pub(super) struct InitialState {
    pub event_type: String,
    pub state_key: String,
    pub content: Json,
}

/// The body, checked.
pub(super) struct Body {
    pub room_version: RoomVersionId,
    pub is_public: bool,
    pub preset: Preset,
    pub room_alias_name: Option<String>,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub invite: Vec<OwnedUserId>,
    pub is_direct: bool,
    pub initial_state: Vec<InitialState>,
    pub power_levels: Option<Map<String, Json>>,
    creation_content: Map<String, Json>,
}

impl Body {
    /// Reads the body. 400 `M_BAD_JSON` when a known key has another shape, and
    /// `M_UNSUPPORTED_ROOM_VERSION`.
    pub fn read(body: &Map<String, Json>, context: &Context) -> Result<Self> {
        let is_public = match optional_text(body, "visibility")?.as_deref() {
            None | Some("private") => false,
            Some("public") => true,
            Some(_) => return Err(MatrixError::bad_json("visibility is public or private.")),
        };
        let preset = match optional_text(body, "preset")?.as_deref() {
            None if is_public => Preset::Public,
            None | Some("private_chat") => Preset::Private,
            Some("trusted_private_chat") => Preset::TrustedPrivate,
            Some("public_chat") => Preset::Public,
            Some(_) => return Err(MatrixError::bad_json("There is no such preset.")),
        };
        if list(body, "invite_3pid")?.is_some_and(|invites| !invites.is_empty()) {
            return Err(third_party_denied());
        }
        Ok(Self {
            room_version: room_version(body, context)?,
            is_public,
            preset,
            room_alias_name: optional_text(body, "room_alias_name")?,
            name: optional_text(body, "name")?,
            topic: optional_text(body, "topic")?,
            invite: invited(body)?,
            is_direct: flag(body, "is_direct")?,
            initial_state: initial_state(body)?,
            power_levels: object(body, "power_level_content_override")?,
            creation_content: object(body, "creation_content")?.unwrap_or_default(),
        })
    }

    /// Whether creators have unlimited power by the create event alone, as from version 12 on.
    pub fn has_privileged_creators(&self) -> bool {
        let rules = self.room_version.rules();
        rules.is_some_and(|rules| rules.authorization.explicitly_privilege_room_creators)
    }

    /// Whether the preset gives those who are invited the creator's power.
    pub fn trusts_invited(&self) -> bool {
        self.preset == Preset::TrustedPrivate
    }

    /// The content of the create event: what was given, but for what the server decides; from
    /// version 12 on with those who share the creator's power
    /// ([spec](https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom)).
    pub fn creation_content(&self, creator: &UserId) -> Result<Map<String, Json>> {
        let mut content = self.creation_content.clone();
        content.remove("room_version");
        content.remove("creator");
        if !self.has_privileged_creators() {
            return Ok(content);
        }
        let creators = self.additional_creators(creator)?;
        if creators.is_empty() {
            content.remove("additional_creators");
        } else {
            content.insert("additional_creators".to_owned(), json!(creators));
        }
        Ok(content)
    }

    /// Who shares the creator's power, each once and without the creator.
    pub fn additional_creators(&self, creator: &UserId) -> Result<Vec<OwnedUserId>> {
        let mut creators = Vec::new();
        let given = list(&self.creation_content, "additional_creators")?.unwrap_or_default();
        for entry in given {
            let text =
                entry.as_str().ok_or_else(|| MatrixError::bad_json("additional_creators is a list of user ids."))?;
            creators.push(parse_id::<OwnedUserId>(text)?);
        }
        if self.trusts_invited() {
            creators.extend(self.invite.iter().cloned());
        }
        let mut seen = std::collections::HashSet::from([creator.to_owned()]);
        creators.retain(|user_id| seen.insert(user_id.clone()));
        Ok(creators)
    }
}

fn room_version(body: &Map<String, Json>, context: &Context) -> Result<RoomVersionId> {
    let Some(version) = optional_text(body, "room_version")? else {
        return Ok(context.config.default_room_version.clone());
    };
    SUPPORTED_VERSIONS
        .into_iter()
        .find(|supported| supported.as_str() == version)
        .ok_or_else(|| MatrixError::new(400, "M_UNSUPPORTED_ROOM_VERSION", "Rooms are made in versions 2 to 12."))
}

fn invited(body: &Map<String, Json>) -> Result<Vec<OwnedUserId>> {
    let mut invited: Vec<OwnedUserId> = Vec::new();
    for entry in list(body, "invite")?.unwrap_or_default() {
        let text = entry.as_str().ok_or_else(|| MatrixError::bad_json("invite is a list of user ids."))?;
        let user_id = parse_id(text)?;
        if !invited.contains(&user_id) {
            invited.push(user_id);
        }
    }
    Ok(invited)
}

fn initial_state(body: &Map<String, Json>) -> Result<Vec<InitialState>> {
    let mut events = Vec::new();
    for entry in list(body, "initial_state")?.unwrap_or_default() {
        let entry = entry.as_object().ok_or_else(|| MatrixError::bad_json("initial_state is a list of events."))?;
        let content = entry.get("content").filter(|content| content.is_object());
        let event = InitialState {
            event_type: required_text(entry, "type")?,
            state_key: optional_text(entry, "state_key")?.unwrap_or_default(),
            content: content.ok_or_else(|| MatrixError::bad_json("A state event needs a content."))?.clone(),
        };
        if event.event_type == "m.room.create" || event.event_type == "m.room.member" {
            return Err(MatrixError::new(
                400,
                "M_INVALID_ROOM_STATE",
                format_args!("initial_state cannot hold {}.", event.event_type),
            ));
        }
        events.push(event);
    }
    Ok(events)
}

fn flag(body: &Map<String, Json>, key: &str) -> Result<bool> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(_) => Err(MatrixError::bad_json(format_args!("{key} is true or false."))),
    }
}

fn object(body: &Map<String, Json>, key: &str) -> Result<Option<Map<String, Json>>> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object.clone())),
        Some(_) => Err(MatrixError::bad_json(format_args!("{key} is an object."))),
    }
}

fn list<'a>(body: &'a Map<String, Json>, key: &str) -> Result<Option<&'a [Json]>> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Array(entries)) if entries.len() <= MAX_ENTRIES => Ok(Some(entries)),
        Some(Json::Array(_)) => {
            Err(MatrixError::invalid_param(format_args!("{key} has more than {MAX_ENTRIES} entries.")))
        }
        Some(_) => Err(MatrixError::bad_json(format_args!("{key} is a list."))),
    }
}
