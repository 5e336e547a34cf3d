//! Pagination tokens that a client hands to a room.

use hubbub_core::{contract::user::UserCommand, error::Result, room_token::RoomToken};
use ruma::RoomId;

use crate::{call::Call, credentials::Authenticated, objects};

/// The room token for a query parameter. A `/sync` token becomes one by asking the user's inbox,
/// which alone knows what it stands for; 400 `M_INVALID_PARAM` for what is neither.
pub(crate) async fn room_token(
    call: &Call<Authenticated>,
    room_id: &RoomId,
    parameter: &str,
) -> Result<Option<String>> {
    let Some(token) = call.query(parameter) else {
        return Ok(None);
    };
    if token.parse::<RoomToken>().is_ok() {
        return Ok(Some(token.into_owned()));
    }
    let command = UserCommand::ResolveToken {
        caller: call.auth.claim.caller.clone(),
        room_id: room_id.to_owned(),
        token: token.into_owned(),
    };
    let objects = &*call.context.objects;
    objects::call_again(objects, call.auth.claim.address(), &command).await.map(Some)
}
