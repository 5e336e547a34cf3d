//! `DELETE /_matrix/client/*/directory/room/{roomAlias}` ([spec])
//!
//! Deletes an alias: its maker may, and whoever may set the room's canonical alias. If it is the
//! canonical one, the event that says so is replaced, where the user has the power to.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#delete_matrixclientv3directoryroomroomalias

use hubbub_core::{
    contract::room::{AliasPermissions, RoomCommand, SendEvent, Sent},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::aliases;
use ruma::{OwnedRoomId, RoomId, api::client::alias::delete_alias::v3};
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{call::Call, credentials::Authenticated, objects};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let directory = &*call.context.directory;
    let alias = request.room_alias.as_str();
    let found = aliases::get(directory, alias).await?;
    let found = found.ok_or_else(super::not_found)?;
    let room_id: OwnedRoomId = found.room_id.parse().map_err(MatrixError::internal)?;
    let may_set_canonical = may_set_canonical(&call, &room_id).await?;
    let claim = &call.auth.claim;
    let is_appservices =
        claim.appservice.as_ref().is_some_and(|appservice| appservice.is_interested_in_alias(&request.room_alias));
    if found.creator != claim.user_id.as_str() && !may_set_canonical && !is_appservices {
        return Err(MatrixError::forbidden("You neither made this alias nor may set the room's canonical alias."));
    }
    if !aliases::delete(directory, alias, &found.room_id).await? {
        return Err(super::not_found());
    }
    if may_set_canonical && let Err(error) = withdraw(&call, &room_id, alias).await {
        // The alias is gone, which is what was asked for.
        tracing::warn!("The canonical alias of {room_id} still names a deleted one: {error}");
    }
    Ok(v3::Response::new())
}

async fn may_set_canonical(call: &Call<Authenticated>, room_id: &RoomId) -> Result<bool> {
    let command = RoomCommand::AliasPermissions { user_id: call.auth.user_id().clone() };
    let may: Result<AliasPermissions> = objects::room(call, room_id, &command).await;
    match may {
        Ok(may) => Ok(may.may_set_canonical),
        // A room that was never made holds nobody back from deleting what points to it.
        Err(error) if error.status == 403 || error.status == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends an `m.room.canonical_alias` without the alias, if the one in force names it.
async fn withdraw(call: &Call<Authenticated>, room_id: &RoomId, alias: &str) -> Result<()> {
    let command = RoomCommand::StateEvent {
        reader: call.auth.user_id().clone(),
        event_type: "m.room.canonical_alias".to_owned(),
        state_key: String::new(),
    };
    let event: Result<Box<RawValue>> = objects::room(call, room_id, &command).await;
    let event: Json = match event {
        Err(error) if error.status == 404 => return Ok(()),
        event => serde_json::from_str(event?.get())?,
    };
    let Some(content) = event.get("content").and_then(Json::as_object) else {
        return Ok(());
    };
    let without = without_alias(content, alias);
    if without == *content {
        return Ok(());
    }
    let event = SendEvent {
        actor: call.auth.actor(),
        event_type: "m.room.canonical_alias".to_owned(),
        state_key: Some(String::new()),
        content: serde_json::value::to_raw_value(&without)?,
        redacts: None,
        transaction_id: None,
        timestamp: None,
        read_your_writes: false,
    };
    let _: Sent = objects::room(call, room_id, &RoomCommand::Send(Box::new(event))).await?;
    Ok(())
}

fn without_alias(content: &Map<String, Json>, alias: &str) -> Map<String, Json> {
    let mut content = content.clone();
    if content.get("alias").and_then(Json::as_str) == Some(alias) {
        content.remove("alias");
    }
    if let Some(Json::Array(alternatives)) = content.get_mut("alt_aliases") {
        alternatives.retain(|alternative| alternative.as_str() != Some(alias));
        if alternatives.is_empty() {
            content.remove("alt_aliases");
        }
    }
    content
}
