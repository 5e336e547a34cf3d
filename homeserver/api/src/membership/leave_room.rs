//! `POST /_matrix/client/*/rooms/{roomId}/leave` ([spec])
//!
//! Leaves a room, or rejects an invite to it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidleave

use hubbub_core::{contract::room::MembershipAction, error::Result};
use ruma::api::client::membership::leave_room::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let change = super::change(&call, call.auth.user_id().clone(), MembershipAction::Leave, request.reason);
    super::carry_out(&call, &request.room_id, change).await?;
    Ok(v3::Response::new())
}
