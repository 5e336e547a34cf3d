//! `POST /_matrix/client/*/createRoom` ([spec])
//!
//! Makes a room. The alias is reserved first; then the create event is built and signed as the
//! intent of a saga that the creator's own object carries through, whatever dies in between.
//! [`body`] reads the request, [`initial_state`] decides the events.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3createroom

mod body;
mod initial_state;

use hubbub_core::{
    contract::{
        room::CreateRoom,
        user::{CreateRoomSaga, UserCommand},
    },
    error::{MatrixError, Result},
    room::create::CreateEvent,
};
use hubbub_storage::directory::aliases::{self, Alias};
use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId};
use serde::Serialize;

use self::body::Body;
use crate::{alias, answer::Outcome, call::Call, credentials::Authenticated, objects, profile, respond};

#[derive(Serialize)]
struct Created<'a> {
    room_id: &'a RoomId,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let context = &call.context;
    let body = Body::read(&call.object()?, context)?;
    let room_alias = new_alias(&call, &body).await?;
    let own_profile = call.auth.profile(&call).await?;
    let invites = profile::of_users(&call, &body.invite).await?;
    let creator = call.auth.user_id();
    let events = initial_state::events(&body, creator, room_alias.as_deref())?;
    let create_event =
        CreateEvent::build(context, &body.room_version, creator, body.creation_content(creator)?, context.clock.now())?;
    let room_id = create_event.room_id.clone();
    let saga = CreateRoomSaga {
        room: CreateRoom {
            room_id: room_id.clone(),
            room_version: body.room_version.to_string(),
            create_event: create_event.json,
            creator: call.auth.actor(),
            profile: own_profile,
            events,
            listed: body.is_public,
            canonical_alias: room_alias.as_ref().map(ToString::to_string),
        },
        alias: room_alias.as_ref().map(ToString::to_string),
        invites,
        is_direct: body.is_direct,
    };
    make(&call, saga, room_alias).await?;
    respond::json(&Created { room_id: &room_id })
}

/// The alias that the room gets, checked but not yet reserved.
async fn new_alias(call: &Call<Authenticated>, body: &Body) -> Result<Option<OwnedRoomAliasId>> {
    let Some(name) = &body.room_alias_name else {
        return Ok(None);
    };
    let server_name = &call.context.config.server_name;
    let room_alias = RoomAliasId::parse(format!("#{name}:{server_name}"))
        .ok()
        .filter(|_| !name.is_empty() && !name.contains([':', '#', '\0']))
        .ok_or_else(|| MatrixError::invalid_param("room_alias_name is the part of an alias between # and :."))?;
    alias::check_new(&call.context, &call.auth.claim, &room_alias).await?;
    Ok(Some(room_alias))
}

/// Reserves the alias and carries the saga through; a refused saga gives the alias free again.
async fn make(call: &Call<Authenticated>, saga: CreateRoomSaga, room_alias: Option<OwnedRoomAliasId>) -> Result<()> {
    let directory = &*call.context.directory;
    let room_id = saga.room.room_id.clone();
    if let Some(room_alias) = &room_alias {
        let alias = Alias {
            alias: room_alias.to_string(),
            room_id: room_id.to_string(),
            creator: call.auth.user_id().to_string(),
        };
        if !aliases::reserve(directory, &alias, call.context.clock.now()).await? {
            return Err(MatrixError::new(400, "M_ROOM_IN_USE", "This alias is taken."));
        }
    }
    let command = UserCommand::CreateRoom { caller: call.auth.claim.caller.clone(), intent: Box::new(saga) };
    let objects = &*call.context.objects;
    let made: Result<()> = objects::call_again(objects, call.auth.claim.address(), &command).await;
    let Err(error) = made else {
        return Ok(());
    };
    // An outcome that is unknown (a 5xx) may still become a room: then the alias stays.
    if error.status < 500
        && let Some(room_alias) = &room_alias
    {
        aliases::delete(directory, room_alias.as_str(), room_id.as_str()).await?;
    }
    Err(refused(error))
}

/// A room whose own first events its rules refuse: what the request asked for contradicts itself.
fn refused(error: MatrixError) -> MatrixError {
    if error.errcode == "M_FORBIDDEN" {
        return MatrixError::new(400, "M_INVALID_ROOM_STATE", error.error);
    }
    error
}
