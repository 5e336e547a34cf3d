//! Which aliases `m.room.canonical_alias` may name: those that point to the room
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#mroomcanonical_alias)).

use hubbub_core::{
    contract::room::RoomCommand,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::aliases;
use ruma::{OwnedRoomAliasId, RoomId};
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{call::Call, credentials::Authenticated, objects};

/// Checks every alias that the event names and the one in force does not. 400 `M_INVALID_PARAM`
/// when one is malformed, `M_BAD_ALIAS` when it does not point to the room.
pub(super) async fn check(call: &Call<Authenticated>, room_id: &RoomId, content: &Map<String, Json>) -> Result<()> {
    let wanted = named_aliases(content)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let known = named_now(call, room_id).await?;
    for alias in wanted.iter().filter(|alias| !known.contains(alias)) {
        let found = aliases::get(&*call.context.directory, alias.as_str()).await?;
        if found.is_none_or(|found| found.room_id != room_id.as_str()) {
            return Err(MatrixError::new(400, "M_BAD_ALIAS", format_args!("{alias} does not point to this room.")));
        }
    }
    Ok(())
}

fn named_aliases(content: &Map<String, Json>) -> Result<Vec<OwnedRoomAliasId>> {
    let refuse = || MatrixError::invalid_param("An alias reads #localpart:server.");
    let alternatives = match content.get("alt_aliases") {
        None | Some(Json::Null) => &[],
        Some(Json::Array(aliases)) => aliases.as_slice(),
        Some(_) => return Err(refuse()),
    };
    // An absent, null or empty alias means none.
    let canonical = content.get("alias").filter(|alias| !alias.is_null() && alias.as_str() != Some(""));
    canonical
        .into_iter()
        .chain(alternatives)
        .map(|alias| {
            let alias = alias.as_str().ok_or_else(refuse)?;
            alias.parse().map_err(|_| refuse())
        })
        .collect()
}

/// The aliases that the room's event names at present.
async fn named_now(call: &Call<Authenticated>, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>> {
    let command = RoomCommand::StateEvent {
        reader: call.auth.user_id().clone(),
        event_type: "m.room.canonical_alias".to_owned(),
        state_key: String::new(),
    };
    let event: Result<Box<RawValue>> = objects::room(call, room_id, &command).await;
    let event = match event {
        Err(error) if error.status == 404 => return Ok(Vec::new()),
        event => event?,
    };
    let event: Json = serde_json::from_str(event.get())?;
    let content = event.get("content").and_then(Json::as_object);
    // What stands there may be older than these rules.
    Ok(content.and_then(|content| named_aliases(content).ok()).unwrap_or_default())
}
