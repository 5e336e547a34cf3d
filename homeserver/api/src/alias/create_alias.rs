//! `PUT /_matrix/client/*/directory/room/{roomAlias}` ([spec])
//!
//! Makes an alias for a room that the user is in. 409 `M_UNKNOWN` when it exists.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3directoryroomroomalias

use hubbub_core::{
    contract::room::{AliasPermissions, RoomCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::aliases::{self, Alias};
use ruma::api::client::alias::create_alias::v3;

use crate::{call::Call, credentials::Authenticated, objects};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    super::check_new(&call.context, &call.auth.claim, &request.room_alias).await?;
    let command = RoomCommand::AliasPermissions { user_id: call.auth.user_id().clone() };
    let may: AliasPermissions = objects::room(&call, &request.room_id, &command).await?;
    if !may.joined {
        return Err(MatrixError::forbidden("Only members of a room make aliases for it."));
    }
    let alias = Alias {
        alias: request.room_alias.to_string(),
        room_id: request.room_id.to_string(),
        creator: call.auth.user_id().to_string(),
    };
    let now = call.context.clock.now();
    if !aliases::reserve(&*call.context.directory, &alias, now).await? {
        return Err(MatrixError::new(409, "M_UNKNOWN", "This alias exists already."));
    }
    Ok(v3::Response::new())
}
