//! `POST /_matrix/client/*/rooms/{roomId}/forget` ([spec])
//!
//! Forgets a room that the user left: its history can no longer be read, and initial syncs leave
//! it out.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidforget

use hubbub_core::{
    contract::{room::RoomCommand, user::UserCommand},
    error::Result,
};
use ruma::api::client::membership::forget_room::v3;

use crate::{call::Call, credentials::Authenticated, objects};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let user_id = call.auth.user_id().clone();
    // The room first: it refuses a member.
    let () = objects::room(&call, &request.room_id, &RoomCommand::Forget { user_id }).await?;
    let command = UserCommand::ForgetRoom { room_id: request.room_id };
    let objects = &*call.context.objects;
    let () = objects::call_again(objects, call.auth.claim.address(), &command).await?;
    Ok(v3::Response::new())
}
