//! Replacing a room by one of another version
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-upgrades)).
//!
//! The old room says what is to be copied (`plan_upgrade`); [`successor`] makes of it
//! the whole new room, before anything of it exists. `user/upgrade.rs` carries it through.

use hubbub_storage::{
    database::Query,
    room::{events, state},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId, room_version_rules::RoomVersionRules};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::{Opened, RoomObject, bridged, create::CreateEvent, event::rules_of, place::parse_users};
use crate::{
    context::Context,
    contract::{
        place::{UpgradeSaga, UpgradeSource},
        room::{Actor, CreateRoom, NewState, Profile},
    },
    error::{MatrixError, Result},
};

/// The state that a new room takes over as it is, besides bans and the children of a space.
const COPIED: [&str; 8] = [
    "m.room.join_rules",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.encryption",
    "m.room.server_acl",
];
/// A room with more children or more bans is not replaced, since none may get lost on the way.
const MAX_COPIED: u32 = 5_000;
/// Nor is one whose state has more bytes: the intent is one row, and a row has 2 MB at most.
const MAX_COPIED_BYTES: usize = 1_500_000;
/// How many members are told at once to carry their settings over.
const MAX_MEMBERS: u32 = 1_000;
/// The level of a creator where power is counted.
const CREATOR_LEVEL: i64 = 100;

/// Who upgrades a room to what.
pub struct Upgrade<'a> {
    /// The room.
    pub old_room: &'a OwnedRoomId,
    /// The new version.
    pub version: &'a RoomVersionId,
    /// Who shares the creator's power, from room version 12 on.
    pub additional_creators: &'a [OwnedUserId],
    /// Who upgrades.
    pub actor: Actor,
    /// Their profile.
    pub profile: Profile,
}

#[derive(Deserialize)]
struct Contents {
    content: Map<String, Json>,
}

impl RoomObject {
    /// What a new room takes over of this one.
    pub(super) async fn plan_upgrade(&self, user_id: &UserId) -> Result<UpgradeSource> {
        let appservices = self.appservices().await?;
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        let joined = self.membership_of(query, &opened, user_id)?.as_deref() == Some("join");
        if !joined || !self.may_send_state(query, &opened, user_id, "m.room.tombstone")? {
            let why = bridged::why_refused(query, "m.room.tombstone")?.filter(|_| joined);
            return Err(MatrixError::forbidden(why.unwrap_or("You may not replace this room by another one.")));
        }
        let content = |event_type: &str| -> Result<Option<Map<String, Json>>> {
            let event = events::current(query, event_type, "")?;
            Ok(event.map(|event| serde_json::from_str::<Contents>(&event.pdu)).transpose()?.map(|event| event.content))
        };
        let last_event = opened.row.extremities.first().cloned().unwrap_or_default();
        let mut members = parse_users(state::first_joined(query, MAX_MEMBERS)?)?;
        members.retain(|member| self.has_inbox(&appservices, member));
        Ok(UpgradeSource {
            create_content: content("m.room.create")?.unwrap_or_default(),
            creators: self.privileged_creators(query, &opened)?,
            last_event: OwnedEventId::try_from(last_event).map_err(MatrixError::internal)?,
            listed: opened.row.listed,
            state: self.copied_state(query, &opened)?,
            canonical_alias: content("m.room.canonical_alias")?,
            power_levels: content("m.room.power_levels")?,
            members,
        })
    }

    fn copied_state(&self, query: &dyn Query, _opened: &Opened) -> Result<Vec<NewState>> {
        let mut rows = Vec::new();
        for event_type in COPIED {
            rows.extend(state::current(query, event_type, "")?);
        }
        for all in [
            state::current_of_type(query, "m.space.child", MAX_COPIED + 1)?,
            state::with_membership(query, "ban", MAX_COPIED + 1)?,
        ] {
            if u32::try_from(all.len()).is_ok_and(|count| count > MAX_COPIED) {
                return Err(too_much());
            }
            rows.extend(all);
        }
        let mut copied = Vec::new();
        let mut bytes = 0;
        for event in self.events_of(query, &rows)? {
            let content = serde_json::from_str::<Contents>(&event.pdu)?.content;
            // A link that was removed, and state that was redacted: nothing to take over.
            if !content.is_empty() {
                let state = new_state(&event.event_type, event.state_key.as_deref().unwrap_or_default(), &content)?;
                // Besides names and punctuation of the JSON.
                bytes += state.content.get().len() + state.event_type.len() + state.state_key.len() + 64;
                if bytes > MAX_COPIED_BYTES {
                    return Err(too_much());
                }
                copied.push(state);
            }
        }
        Ok(copied)
    }
}

fn too_much() -> MatrixError {
    MatrixError::too_large(
        "The state of this room is too large to be taken over whole: it has too many bans, or too many rooms.",
    )
}

/// The intent of an upgrade: the whole new room, its create event signed. 400 `M_BAD_JSON` for
/// additional creators in a version that has none.
pub fn successor(context: &Context, upgrade: Upgrade<'_>, source: UpgradeSource) -> Result<UpgradeSaga> {
    let rules = rules_of(upgrade.version)?;
    let creator = upgrade.actor.user_id.clone();
    let create_content = create_content(&upgrade, &source, &rules)?;
    let create = CreateEvent::build(context, upgrade.version, &creator, create_content, context.clock.now())?;
    let mut new_creators = vec![creator.clone()];
    new_creators.extend(upgrade.additional_creators.iter().cloned());
    let mut events: Vec<NewState> = source.state;
    // Whoever shares the creator's power cannot be banned.
    events.retain(|event| !new_creators.iter().any(|creator| creator.as_str() == event.state_key));
    let (moved, left) = source.canonical_alias.map(|content| divide(context, content)).unzip();
    if let Some(moved) = moved.filter(|moved| !moved.is_empty()) {
        events.push(new_state("m.room.canonical_alias", "", &moved)?);
    }
    // Power levels come last: until then the creator may do everything.
    if let Some(levels) = source.power_levels {
        let levels = power_levels(levels, &source.creators, &new_creators, &rules);
        events.push(new_state("m.room.power_levels", "", &levels)?);
    }
    Ok(UpgradeSaga {
        old_room: upgrade.old_room.clone(),
        canonical_alias_left: left,
        members: source.members,
        new_room: CreateRoom {
            room_id: create.room_id,
            room_version: upgrade.version.to_string(),
            create_event: create.json,
            creator: upgrade.actor,
            profile: upgrade.profile,
            events,
            listed: source.listed,
            canonical_alias: None,
        },
    })
}

fn create_content(
    upgrade: &Upgrade<'_>,
    source: &UpgradeSource,
    rules: &RoomVersionRules,
) -> Result<Map<String, Json>> {
    let mut content = Map::new();
    for key in ["type", "m.federate"] {
        if let Some(value) = source.create_content.get(key) {
            content.insert(key.to_owned(), value.clone());
        }
    }
    let mut predecessor = json!({"room_id": upgrade.old_room});
    // Since v12 the room id alone says it: no event of the old room can name the new one's hash.
    if !rules.authorization.room_create_event_id_as_room_id
        && let Some(predecessor) = predecessor.as_object_mut()
    {
        predecessor.insert("event_id".to_owned(), json!(source.last_event));
    }
    content.insert("predecessor".to_owned(), predecessor);
    if !upgrade.additional_creators.is_empty() {
        if !rules.authorization.additional_room_creators {
            return Err(MatrixError::bad_json("Only rooms of version 12 and later have additional creators."));
        }
        content.insert("additional_creators".to_owned(), json!(upgrade.additional_creators));
    }
    Ok(content)
}

/// The aliases of this server, which move with the room, and those that stay in the old one.
fn divide(context: &Context, content: Map<String, Json>) -> (Map<String, Json>, Map<String, Json>) {
    let is_ours = |alias: &Json| {
        let alias = alias.as_str().and_then(|alias| ruma::RoomAliasId::parse(alias).ok());
        alias.is_some_and(|alias| alias.server_name() == context.config.server_name)
    };
    let (mut moved, mut left) = (Map::new(), content);
    if left.get("alias").is_some_and(&is_ours)
        && let Some(alias) = left.remove("alias")
    {
        moved.insert("alias".to_owned(), alias);
    }
    if let Some(Json::Array(alternatives)) = left.remove("alt_aliases") {
        let (ours, others): (Vec<Json>, Vec<Json>) = alternatives.into_iter().partition(is_ours);
        for (content, aliases) in [(&mut moved, ours), (&mut left, others)] {
            if !aliases.is_empty() {
                content.insert("alt_aliases".to_owned(), aliases.into());
            }
        }
    }
    (moved, left)
}

/// The power levels in the form of the new version: whole numbers, and creators listed only where
/// their power is not unlimited.
fn power_levels(
    mut content: Map<String, Json>,
    old_creators: &[OwnedUserId],
    new_creators: &[OwnedUserId],
    rules: &RoomVersionRules,
) -> Map<String, Json> {
    for (key, value) in &mut content {
        match value {
            Json::Object(levels) if matches!(key.as_str(), "users" | "events" | "notifications") => {
                levels.values_mut().for_each(as_integer);
                levels.retain(|_, level| level.is_i64());
            }
            value if is_level(key) => as_integer(value),
            _ => {}
        }
    }
    content.retain(|key, value| !is_level(key) || value.is_i64());
    let users = content.entry("users").or_insert_with(|| json!({}));
    if let Some(users) = users.as_object_mut() {
        if rules.authorization.explicitly_privilege_room_creators {
            users.retain(|user_id, _| !new_creators.iter().any(|creator| creator.as_str() == user_id));
        } else {
            for creator in old_creators {
                users.insert(creator.to_string(), CREATOR_LEVEL.into());
            }
        }
    }
    content
}

fn is_level(key: &str) -> bool {
    let levels = ["users_default", "events_default", "state_default", "ban", "kick", "redact", "invite", "historical"];
    levels.contains(&key)
}

/// Older versions took numbers written as text, too.
fn as_integer(level: &mut Json) {
    let text = level.as_str().and_then(|text| text.trim().parse::<i64>().ok());
    if let Some(number) = text {
        *level = number.into();
    }
}

fn new_state(event_type: &str, state_key: &str, content: &Map<String, Json>) -> Result<NewState> {
    let content: Box<RawValue> = serde_json::value::to_raw_value(content)?;
    Ok(NewState { event_type: event_type.to_owned(), state_key: state_key.to_owned(), content })
}
