//! `PUT /_matrix/client/*/directory/list/appservice/{networkId}/{roomId}` ([spec])
//!
//! Lists a room under one of an appservice's networks, or takes it off that list. Only for
//! appservices.
//!
//! [spec]: https://spec.matrix.org/v1.11/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid

use hubbub_core::{
    contract::{place::PlaceCommand, room::RoomCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::public_rooms;
use ruma::OwnedRoomId;

use crate::{answer::Outcome, call::Call, credentials::Claim, directory::wants_listed, objects, respond};

/// The longest id of a network.
const MAX_NETWORK_BYTES: usize = 255;

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let Some(appservice) = &call.auth.appservice else {
        return Err(MatrixError::forbidden("Only appservices have networks of their own."));
    };
    let network_id = call.argument(0);
    if network_id.is_empty() || network_id.len() > MAX_NETWORK_BYTES {
        return Err(MatrixError::invalid_param("The id of a network has 1 to 255 bytes."));
    }
    let room_id: OwnedRoomId = call.id(1)?;
    let listed = wants_listed(&call.object()?)?;
    // The room makes sure that D1 has what the list shows of it, and that it exists.
    let command = RoomCommand::Place(PlaceCommand::SetListed { by: None, listed: None });
    let () = objects::room(&call, &room_id, &command).await?;
    let network = format!("{}|{network_id}", appservice.id());
    public_rooms::set_network(&*call.context.directory, &network, room_id.as_str(), listed).await?;
    respond::empty()
}
