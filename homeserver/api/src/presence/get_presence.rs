//! `GET /_matrix/client/*/presence/{userId}/status` ([spec])
//!
//! The presence of a user with whom the caller shares a room.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3presenceuseridstatus

use std::time::Duration;

use hubbub_core::{
    contract::people::{PeopleCommand, Presence},
    error::Result,
};
use ruma::{api::client::presence::get_presence::v3, presence::PresenceState};

use crate::{call::Call, credentials::Claim, people};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let command = PeopleCommand::GetPresence { caller: call.auth.caller.clone(), user_id: request.user_id };
    let shown: Presence = people::ask(&call, command).await?;
    let presence = PresenceState::from(shown.presence);
    let ago = u64::try_from(call.context.clock.now() - shown.active_at).unwrap_or_default();
    let mut response = v3::Response::new(presence.clone());
    response.currently_active = Some(presence == PresenceState::Online);
    response.last_active_ago = (shown.active_at > 0).then(|| Duration::from_millis(ago));
    response.status_msg = shown.status_msg;
    Ok(response)
}
