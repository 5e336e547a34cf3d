//! `POST /_matrix/client/*/join/{roomIdOrAlias}` ([spec])
//!
//! Joins a room by its id or one of its aliases. Unknown keys of the body go into the member
//! event.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3joinroomidoralias

use hubbub_core::error::Result;
use ruma::{OwnedRoomAliasId, OwnedRoomId};

use super::join_room_by_id::join;
use crate::{alias, answer::Outcome, call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = if call.argument(0).starts_with('#') {
        let room_alias: OwnedRoomAliasId = call.id(0)?;
        alias::resolve(&call.context, Some(&call.auth.claim), &room_alias).await?
    } else {
        call.id(0)?
    };
    join(&call, &room_id).await
}
