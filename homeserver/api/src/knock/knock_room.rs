//! `POST /_matrix/client/*/knock/{roomIdOrAlias}` ([spec])
//!
//! Knocks on a room, again if need be. `via` names servers that could help; all rooms are here.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3knockroomidoralias

use hubbub_core::{contract::room::MembershipAction, error::Result};
use ruma::api::client::knock::knock_room::v3;

use crate::{alias, call::Call, credentials::Authenticated, membership};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let room_id = alias::resolve_either(&call.context, Some(&call.auth.claim), &request.room_id_or_alias).await?;
    let user_id = call.auth.user_id().clone();
    let mut change = membership::change(&call, user_id, MembershipAction::Knock, request.reason);
    change.profile = call.auth.profile(&call).await?;
    membership::carry_out(&call, &room_id, change).await?;
    Ok(v3::Response::new(room_id))
}
