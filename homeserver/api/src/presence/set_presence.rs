//! `PUT /_matrix/client/*/presence/{userId}/status` ([spec])
//!
//! Sets one's own presence and status message.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3presenceuseridstatus

use hubbub_core::{contract::people::PeopleCommand, error::Result};
use ruma::api::client::presence::set_presence::v3;

use crate::{call::Call, credentials::Claim, people};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    call.auth.must_be(&request.user_id)?;
    let command = PeopleCommand::SetPresence {
        caller: call.auth.caller.clone(),
        presence: request.presence.to_string(),
        status_msg: request.status_msg.filter(|status| !status.is_empty()),
    };
    let () = people::ask(&call, command).await?;
    Ok(v3::Response::new())
}
