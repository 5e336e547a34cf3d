//! `POST /_matrix/client/*/rooms/{roomId}/ban` ([spec])
//!
//! Bans a user, who may be no member.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidban

use hubbub_core::{contract::room::MembershipAction, error::Result};
use ruma::api::client::membership::ban_user::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let change = super::change(&call, request.user_id, MembershipAction::Ban, request.reason);
    super::carry_out(&call, &request.room_id, change).await?;
    Ok(v3::Response::new())
}
