//! Room aliases ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-aliases)).

mod create_alias;
mod delete_alias;
mod get_alias;

use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::aliases;
use ruma::{OwnedRoomId, RoomAliasId, RoomOrAliasId};

use crate::{
    appservice::query,
    credentials::Claim,
    endpoint::{Endpoint, typed},
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![typed(create_alias::handle), typed(delete_alias::handle), typed(get_alias::handle)]
}

/// The room that an alias points to; for who is logged in, also one that an appservice makes now. 404
/// `M_NOT_FOUND` when it points nowhere.
pub(crate) async fn resolve(context: &Context, asking: Option<&Claim>, alias: &RoomAliasId) -> Result<OwnedRoomId> {
    let mut found = aliases::get(&*context.directory, alias.as_str()).await?;
    if found.is_none()
        && let Some(asking) = asking
        && query::alias(context, asking, alias).await?
    {
        found = aliases::get(&*context.directory, alias.as_str()).await?;
    }
    let found = found.ok_or_else(not_found)?;
    found.room_id.parse().map_err(MatrixError::internal)
}

/// The room of an id, as it is, or of an alias; 404 `M_NOT_FOUND` when that points nowhere.
pub(crate) async fn resolve_either(
    context: &Context,
    asking: Option<&Claim>,
    room: &RoomOrAliasId,
) -> Result<OwnedRoomId> {
    match <&RoomAliasId>::try_from(room) {
        Ok(alias) => resolve(context, asking, alias).await,
        Err(_) => room.as_str().parse().map_err(MatrixError::invalid_param),
    }
}

fn not_found() -> MatrixError {
    MatrixError::not_found("There is no such alias.")
}

/// Checks that the user who asks may make this alias: it is of this server (400
/// `M_INVALID_PARAM`), not longer than 255 bytes, and in no other appservice's exclusive namespace
/// (400 `M_EXCLUSIVE`).
pub(crate) async fn check_new(context: &Context, claim: &Claim, alias: &RoomAliasId) -> Result<()> {
    if alias.server_name() != context.config.server_name {
        return Err(MatrixError::invalid_param("An alias made here ends in this server's name."));
    }
    if alias.as_str().len() > 255 {
        return Err(MatrixError::invalid_param("An alias is not longer than 255 bytes."));
    }
    let asking = claim.appservice.as_ref().map(|appservice| appservice.id());
    let appservices = context.appservices.list().await?;
    let reserved = appservices.iter().any(|other| Some(other.id()) != asking && other.owns_alias(alias));
    if reserved {
        return Err(MatrixError::new(400, "M_EXCLUSIVE", "This alias belongs to an appservice's namespace."));
    }
    Ok(())
}
