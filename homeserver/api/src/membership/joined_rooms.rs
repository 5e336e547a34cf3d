//! `GET /_matrix/client/*/joined_rooms` ([spec])
//!
//! The rooms that the user is joined to.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3joined_rooms

use hubbub_core::{
    contract::user::{Caller, UserCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::memberships;
use ruma::api::client::membership::joined_rooms::v3;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, _: v3::Request) -> Result<v3::Response> {
    let claim = &call.auth;
    let rooms = match &claim.caller {
        Caller::Session(_) => {
            let command = UserCommand::JoinedRooms { caller: claim.caller.clone() };
            objects::call_again(&*call.context.objects, claim.address(), &command).await?
        }
        // An appservice's user has no inbox that would know.
        Caller::Appservice(_) | Caller::AppserviceDevice { .. } => {
            let directory = &*call.context.directory;
            memberships::joined_rooms(directory, claim.user_id.as_str())
                .await?
                .into_iter()
                .map(|room_id| room_id.parse().map_err(MatrixError::internal))
                .collect::<Result<_>>()?
        }
    };
    Ok(v3::Response::new(rooms))
}
