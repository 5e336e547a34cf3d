//! The create event: a room's first event, built before the room's object exists, since in room
//! version 12 the room id is its hash.

use ruma::{
    OwnedEventId, OwnedRoomId, RoomId, RoomVersionId, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
};
use serde_json::{Map, Value as Json, value::RawValue};

use super::event::{Draft, canonical_object, random_room_id, rules_of, sign};
use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// The key that makes a create event of room version 12 unique.
const NONCE: &str = "com.hubbub.nonce";

/// A signed create event and the room that it makes.
#[derive(Clone, Debug)]
pub struct CreateEvent {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event's id.
    pub event_id: OwnedEventId,
    /// The event's canonical JSON.
    pub json: Box<RawValue>,
}

impl CreateEvent {
    /// Builds and signs `m.room.create` ([spec](https://spec.matrix.org/v1.11/client-server-api/#mroomcreate)).
    ///
    /// `content` is the caller's `creation_content`; `room_version` and `creator` are ours to set.
    /// Each call gives a new room.
    pub fn build(
        context: &Context,
        version: &RoomVersionId,
        creator: &UserId,
        content: Map<String, Json>,
        now: i64,
    ) -> Result<Self> {
        let rules = rules_of(version)?;
        let mut content = canonical_object(&serde_json::to_string(&content)?)?;
        content.insert("room_version".to_owned(), string(version.as_str()));
        if rules.authorization.use_room_create_sender {
            content.remove("creator");
        } else {
            content.insert("creator".to_owned(), string(creator.as_str()));
        }
        if rules.authorization.room_create_event_id_as_room_id {
            // Two rooms made in the same millisecond must not hash to the same id.
            content.insert(NONCE.to_owned(), string(&context.random_id()));
        }
        check_additional_creators(&content, rules.authorization.additional_room_creators)?;
        let chosen = rules.event_format.require_room_create_room_id.then(|| random_room_id(context)).transpose()?;
        let signed = sign(
            context,
            &rules,
            Draft {
                sender: creator,
                room_id: chosen.as_deref(),
                event_type: "m.room.create",
                state_key: Some(""),
                content,
                redacts: None,
                origin_server_ts: now,
                depth: 1,
                prev_events: Vec::new(),
                auth_events: Vec::new(),
            },
        )?;
        let room_id = match chosen {
            Some(room_id) => room_id,
            None => RoomId::parse(signed.event_id.as_str().replacen('$', "!", 1)).map_err(MatrixError::internal)?,
        };
        Ok(Self { room_id, event_id: signed.event_id, json: RawValue::from_string(signed.json)? })
    }
}

/// Since v12, `additional_creators` must be a list of user ids
/// ([rule 1.4](https://spec.matrix.org/v1.16/rooms/v12/#authorization-rules)).
fn check_additional_creators(content: &CanonicalJsonObject, supported: bool) -> Result<()> {
    let Some(creators) = content.get("additional_creators").filter(|_| supported) else {
        return Ok(());
    };
    let valid = creators.as_array().is_some_and(|creators| {
        creators.iter().all(|creator| creator.as_str().is_some_and(|id| UserId::parse(id).is_ok()))
    });
    if valid { Ok(()) } else { Err(MatrixError::invalid_param("`additional_creators` must be a list of user ids.")) }
}

fn string(value: &str) -> CanonicalJsonValue {
    CanonicalJsonValue::String(value.to_owned())
}
