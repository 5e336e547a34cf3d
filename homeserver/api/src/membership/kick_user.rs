//! `POST /_matrix/client/*/rooms/{roomId}/kick` ([spec])
//!
//! Removes a member, or takes an invite back.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidkick

use hubbub_core::{contract::room::MembershipAction, error::Result};
use ruma::api::client::membership::kick_user::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let change = super::change(&call, request.user_id, MembershipAction::Kick, request.reason);
    super::carry_out(&call, &request.room_id, change).await?;
    Ok(v3::Response::new())
}
