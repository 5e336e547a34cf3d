//! `POST /_matrix/client/*/rooms/{roomId}/invite` ([spec])
//!
//! Invites a user of this server. Third-party identifiers cannot be invited: there is no identity
//! server.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidinvite

use hubbub_core::{
    contract::room::MembershipAction,
    error::{MatrixError, Result},
};
use ruma::{OwnedRoomId, OwnedUserId};

use crate::{
    answer::Outcome,
    call::{Call, optional_text, parse_id, required_text},
    credentials::Authenticated,
    profile, respond,
};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let body = call.object()?;
    if body.contains_key("id_server") || body.contains_key("medium") {
        return Err(third_party_denied());
    }
    let target: OwnedUserId = parse_id(&required_text(&body, "user_id")?)?;
    let reason = optional_text(&body, "reason")?;
    let targets = profile::of_users(&call, &[target]).await?;
    for (target, profile) in targets {
        let mut change = super::change(&call, target, MembershipAction::Invite, reason.clone());
        change.profile = profile;
        super::carry_out(&call, &room_id, change).await?;
    }
    respond::empty()
}

/// 403 `M_THREEPID_DENIED`.
pub(crate) fn third_party_denied() -> MatrixError {
    MatrixError::new(403, "M_THREEPID_DENIED", "This server has no identity server, so only user ids can be invited.")
}
