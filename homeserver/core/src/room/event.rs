//! Events as they are signed: building, hashing, signing, reading back.
//!
//! ruma computes hashes, signatures and redactions; here is only what makes an event out of a
//! request, and the view of a stored one that the authorisation rules ask for.

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UInt, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue, redact},
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion, RoomVersionRules},
    signatures::{hash_and_sign_event, reference_hash},
    state_res,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// The most bytes of a signed event in canonical JSON
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#size-limits)).
pub const MAX_EVENT_BYTES: usize = 65_536;
/// The most bytes of a type, a state key, a sender.
pub const MAX_FIELD_BYTES: usize = 255;
/// The greatest depth (`2^53 - 1`).
pub const MAX_DEPTH: i64 = 9_007_199_254_740_991;

/// The rules of a room version; 400 `M_UNSUPPORTED_ROOM_VERSION` for those we have not (version 1
/// has no state resolution that we could run).
pub fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules> {
    let known = !matches!(version, RoomVersionId::V1);
    version.rules().filter(|_| known).ok_or_else(|| {
        MatrixError::new(
            400,
            "M_UNSUPPORTED_ROOM_VERSION",
            format_args!("This server has no room version {version}; it has 2 to 12."),
        )
    })
}

/// What an event is built from.
pub struct Draft<'a> {
    /// The sender.
    pub sender: &'a UserId,
    /// The room; `None` only for a create event of room version 12 on.
    pub room_id: Option<&'a RoomId>,
    /// The type.
    pub event_type: &'a str,
    /// The state key.
    pub state_key: Option<&'a str>,
    /// The content, canonical.
    pub content: CanonicalJsonObject,
    /// The redacted event.
    pub redacts: Option<&'a EventId>,
    /// Milliseconds since the epoch.
    pub origin_server_ts: i64,
    /// One more than the greatest depth before it.
    pub depth: i64,
    /// The forward extremities, with their signed events where the version's references need hashes.
    pub prev_events: Vec<Reference>,
    /// The authorising events, likewise.
    pub auth_events: Vec<Reference>,
}

/// A reference to another event.
pub struct Reference {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its reference hash; only room version 2 asks for it.
    pub hash: Option<String>,
}

/// A signed event.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its canonical JSON.
    pub json: String,
    /// Its canonical JSON object.
    pub object: CanonicalJsonObject,
}

/// Reads a content or another object as canonical JSON: 400 `M_BAD_JSON` for anything but an
/// object, for floats and for integers beyond 2^53
/// ([spec](https://spec.matrix.org/v1.11/appendices/#canonical-json)).
pub fn canonical_object(json: &str) -> Result<CanonicalJsonObject> {
    let mut value: serde_json::Value =
        serde_json::from_str(json).map_err(|error| MatrixError::new(400, "M_NOT_JSON", error))?;
    write_out_integers(&mut value);
    match CanonicalJsonValue::try_from(value) {
        Ok(CanonicalJsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(MatrixError::bad_json("The content must be an object.")),
        Err(error) => Err(MatrixError::bad_json(format_args!(
            "The content must be canonical JSON, with integers below 2^53 and no fractions: {error}"
        ))),
    }
}

/// Turns whole numbers in other notations (`1e10`, `-0`) into plain integers, as the spec's examples
/// of canonical JSON do.
fn write_out_integers(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => {
            let whole =
                number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < LARGEST);
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
            if let Some(whole) = whole {
                *number = (whole as i64).into();
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(write_out_integers),
        serde_json::Value::Object(object) => object.values_mut().for_each(write_out_integers),
        _ => {}
    }
}

/// 2^53.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// Builds, hashes and signs an event as this server.
pub fn sign(context: &Context, rules: &RoomVersionRules, draft: Draft<'_>) -> Result<Signed> {
    check_fields(&draft)?;
    let mut object = CanonicalJsonObject::new();
    let mut put = |key: &str, value: CanonicalJsonValue| object.insert(key.to_owned(), value);
    put("type", text(draft.event_type));
    put("sender", text(draft.sender.as_str()));
    put("content", CanonicalJsonValue::Object(draft.content));
    put("depth", integer(draft.depth.min(MAX_DEPTH))?);
    put("origin_server_ts", integer(draft.origin_server_ts)?);
    put("prev_events", references(rules, &draft.prev_events));
    put("auth_events", references(rules, &draft.auth_events));
    if let Some(room_id) = draft.room_id {
        put("room_id", text(room_id.as_str()));
    }
    if let Some(state_key) = draft.state_key {
        put("state_key", text(state_key));
    }
    if let Some(redacts) = draft.redacts.filter(|_| !rules.redaction.content_field_redacts) {
        put("redacts", text(redacts.as_str()));
    }
    if rules.event_format.require_event_id {
        let id = format!("${}:{}", random_localpart(context), context.config.server_name);
        put("event_id", text(&id));
    }
    hash_and_sign_event(
        context.config.server_name.as_str(),
        &context.config.secrets.signing_key,
        &mut object,
        &rules.redaction,
    )
    .map_err(too_large_or_internal)?;
    let json = serde_json::to_string(&object)?;
    if json.len() > MAX_EVENT_BYTES {
        return Err(event_too_large(json.len()));
    }
    let event_id = event_id_of(&object, rules)?;
    Ok(Signed { event_id, json, object })
}

fn check_fields(draft: &Draft<'_>) -> Result<()> {
    let fields = [
        ("type", draft.event_type),
        ("state key", draft.state_key.unwrap_or_default()),
        ("sender", draft.sender.as_str()),
    ];
    for (name, value) in fields {
        if value.len() > MAX_FIELD_BYTES {
            return Err(MatrixError::too_large(format_args!(
                "The event's {name} has {} bytes; the most is {MAX_FIELD_BYTES}.",
                value.len()
            )));
        }
    }
    Ok(())
}

fn event_too_large(bytes: usize) -> MatrixError {
    MatrixError::too_large(format_args!("The event would have {bytes} bytes; the most is {MAX_EVENT_BYTES}."))
}

fn too_large_or_internal(error: ruma::signatures::JsonError) -> MatrixError {
    match error {
        ruma::signatures::JsonError::PduTooLarge => event_too_large(MAX_EVENT_BYTES + 1),
        other => MatrixError::internal(other),
    }
}

fn text(value: &str) -> CanonicalJsonValue {
    CanonicalJsonValue::String(value.to_owned())
}

fn integer(value: i64) -> Result<CanonicalJsonValue> {
    let value = ruma::Int::new(value).ok_or_else(|| MatrixError::invalid_param("A number is out of range."))?;
    Ok(CanonicalJsonValue::Integer(value))
}

fn references(rules: &RoomVersionRules, events: &[Reference]) -> CanonicalJsonValue {
    let reference = |event: &Reference| match rules.events_reference_format {
        EventsReferenceFormatVersion::V1 => {
            let hash = event.hash.clone().unwrap_or_default();
            let hashes = CanonicalJsonObject::from([("sha256".to_owned(), text(&hash))]);
            CanonicalJsonValue::Array(vec![text(event.event_id.as_str()), CanonicalJsonValue::Object(hashes)])
        }
        _ => text(event.event_id.as_str()),
    };
    CanonicalJsonValue::Array(events.iter().map(reference).collect())
}

fn random_localpart(context: &Context) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    context
        .random_bytes::<18>()
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|letter| char::from(*letter))
        .collect()
}

/// A random room id of room versions before 12.
pub fn random_room_id(context: &Context) -> Result<OwnedRoomId> {
    let id = format!("!{}:{}", random_localpart(context), context.config.server_name);
    OwnedRoomId::try_from(id).map_err(MatrixError::internal)
}

/// The id of a signed event.
pub fn event_id_of(object: &CanonicalJsonObject, rules: &RoomVersionRules) -> Result<OwnedEventId> {
    let id = match rules.event_id_format {
        EventIdFormatVersion::V1 => {
            object.get("event_id").and_then(CanonicalJsonValue::as_str).unwrap_or_default().to_owned()
        }
        _ => format!("${}", reference_hash(object, rules).map_err(too_large_or_internal)?),
    };
    OwnedEventId::try_from(id).map_err(MatrixError::internal)
}

/// The reference that another event makes to this stored one.
pub fn reference_to(pdu: &str, event_id: &EventId, rules: &RoomVersionRules) -> Result<Reference> {
    let hash = match rules.events_reference_format {
        EventsReferenceFormatVersion::V1 => {
            let object: CanonicalJsonObject = serde_json::from_str(pdu)?;
            Some(reference_hash(&object, rules).map_err(MatrixError::internal)?)
        }
        _ => None,
    };
    Ok(Reference { event_id: event_id.to_owned(), hash })
}

/// The pruned form of a signed event
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#redactions)).
pub fn pruned(pdu: &str, rules: &RoomVersionRules) -> Result<String> {
    let object: CanonicalJsonObject = serde_json::from_str(pdu)?;
    let object = redact(object, &rules.redaction, None).map_err(MatrixError::internal)?;
    Ok(serde_json::to_string(&object)?)
}

/// A stored event as the authorisation rules see it.
#[derive(Clone, Debug)]
pub struct Pdu {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Whether it was rejected.
    pub rejected: bool,
    /// What it says.
    pub fields: Fields,
}

/// The fields of a signed event.
#[derive(Clone, Debug, Deserialize)]
pub struct Fields {
    /// The room; absent in create events of room version 12 on.
    pub room_id: Option<OwnedRoomId>,
    /// The sender.
    pub sender: OwnedUserId,
    /// Milliseconds since the epoch.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// The type.
    #[serde(rename = "type")]
    pub event_type: TimelineEventType,
    /// The state key.
    pub state_key: Option<String>,
    /// The content.
    pub content: Box<RawValue>,
    /// Its depth.
    #[serde(default)]
    pub depth: UInt,
    /// The events before it.
    #[serde(default, deserialize_with = "event_ids")]
    pub prev_events: Vec<OwnedEventId>,
    /// The events that authorise it.
    #[serde(default, deserialize_with = "event_ids")]
    pub auth_events: Vec<OwnedEventId>,
    /// What it redacts, in room versions before 11.
    pub redacts: Option<OwnedEventId>,
}

fn event_ids<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<OwnedEventId>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Id(OwnedEventId),
        WithHashes(OwnedEventId, serde::de::IgnoredAny),
    }
    let forms = Vec::<Form>::deserialize(deserializer)?;
    Ok(forms
        .into_iter()
        .map(|form| match form {
            Form::Id(id) | Form::WithHashes(id, _) => id,
        })
        .collect())
}

impl Pdu {
    /// Reads a signed event.
    pub fn parse(event_id: OwnedEventId, pdu: &str, rejected: bool) -> Result<Self> {
        Ok(Self { event_id, rejected, fields: serde_json::from_str(pdu)? })
    }

    /// What it redacts, from the event or (room version 11 on) its content.
    pub fn redacts(&self, rules: &RoomVersionRules) -> Option<OwnedEventId> {
        #[derive(Deserialize)]
        struct Content {
            redacts: Option<OwnedEventId>,
        }
        if rules.redaction.content_field_redacts {
            serde_json::from_str::<Content>(self.fields.content.get()).ok().and_then(|content| content.redacts)
        } else {
            self.fields.redacts.clone()
        }
    }
}

impl state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event_id
    }
    fn room_id(&self) -> Option<&RoomId> {
        self.fields.room_id.as_deref()
    }
    fn sender(&self) -> &UserId {
        &self.fields.sender
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.fields.origin_server_ts
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.fields.event_type
    }
    fn content(&self) -> &RawValue {
        &self.fields.content
    }
    fn state_key(&self) -> Option<&str> {
        self.fields.state_key.as_deref()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.fields.prev_events.iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.fields.auth_events.iter())
    }
    fn redacts(&self) -> Option<&Self::Id> {
        self.fields.redacts.as_ref()
    }
    fn rejected(&self) -> bool {
        self.rejected
    }
}

/// What goes into a client's view of an event beside the signed fields.
#[derive(Default)]
pub struct ClientExtras<'a> {
    /// Whether `room_id` is shown (not in `/sync`).
    pub room_id: Option<&'a RoomId>,
    /// The `unsigned` object, if there is any of it.
    pub unsigned: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct ClientEvent<'a> {
    #[serde(rename = "type")]
    event_type: &'a TimelineEventType,
    content: &'a RawValue,
    sender: &'a UserId,
    event_id: &'a EventId,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacts: Option<OwnedEventId>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    unsigned: serde_json::Map<String, serde_json::Value>,
}

/// The event as a client gets it. `redacts` stands at the top in every room version, for clients
/// of before room version 11 ([spec](https://spec.matrix.org/v1.11/client-server-api/#mroomredaction)).
pub fn to_client(pdu: &Pdu, rules: &RoomVersionRules, extras: ClientExtras<'_>) -> Result<Box<RawValue>> {
    let redacts = match pdu.fields.event_type {
        TimelineEventType::RoomRedaction => pdu.redacts(rules),
        _ => None,
    };
    Ok(to_raw_value(&ClientEvent {
        event_type: &pdu.fields.event_type,
        content: &pdu.fields.content,
        sender: &pdu.fields.sender,
        event_id: &pdu.event_id,
        origin_server_ts: pdu.fields.origin_server_ts,
        room_id: extras.room_id,
        state_key: pdu.fields.state_key.as_deref(),
        redacts,
        unsigned: extras.unsigned,
    })?)
}
