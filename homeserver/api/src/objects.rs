//! Calls to objects.

use hubbub_core::{
    context::Objects,
    contract::{self, Address, room::RoomCommand},
    error::{MatrixError, Result},
};
use ruma::RoomId;
use serde::{Serialize, de::DeserializeOwned};

use crate::call::Call;

/// Calls an object once. For commands whose repetition would answer something else (logins,
/// registrations).
pub(crate) async fn call<R: DeserializeOwned>(
    objects: &dyn Objects,
    address: Address,
    command: &impl Serialize,
) -> Result<R> {
    contract::call(objects, address, command).await
}

/// Calls an object, and once again when the outcome of the first call is unknown (the object was
/// restarted, by a deploy for example). For idempotent commands.
pub(crate) async fn call_again<R: DeserializeOwned>(
    objects: &dyn Objects,
    address: Address,
    command: &impl Serialize,
) -> Result<R> {
    let command = contract::encode_command(command)?;
    let reply = match objects.call(address.clone(), command.clone()).await {
        Ok(reply) => reply,
        Err(_) => objects.call(address, command).await.map_err(MatrixError::internal)?,
    };
    serde_json::from_slice::<Result<R>>(&reply)?
}

/// Asks a room.
pub(crate) async fn room<A, R: DeserializeOwned>(call: &Call<A>, room_id: &RoomId, command: &RoomCommand) -> Result<R> {
    call_again(&*call.context.objects, Address::room(room_id), command).await
}
