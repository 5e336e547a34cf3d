//! `GET /_matrix/client/*/rooms/{roomId}/aliases` ([spec])
//!
//! The aliases of a room, for its members, or for everybody if it is world-readable.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidaliases

use hubbub_core::{
    contract::room::{AliasPermissions, RoomCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::aliases;
use ruma::{OwnedRoomAliasId, api::client::room::aliases::v3};

use crate::{call::Call, credentials::Authenticated, objects};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let command = RoomCommand::AliasPermissions { user_id: call.auth.user_id().clone() };
    let may: AliasPermissions = objects::room(&call, &request.room_id, &command).await?;
    if !may.may_list {
        return Err(MatrixError::forbidden("Only members of the room may list its aliases."));
    }
    let aliases = aliases::list_by_room(&*call.context.directory, request.room_id.as_str())
        .await?
        .into_iter()
        .map(|alias| alias.alias.parse().map_err(MatrixError::internal))
        .collect::<Result<Vec<OwnedRoomAliasId>>>()?;
    Ok(v3::Response::new(aliases))
}
