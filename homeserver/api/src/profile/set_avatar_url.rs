//! `PUT /_matrix/client/*/profile/{userId}/avatar_url` ([spec])
//!
//! Sets one's own avatar, in all rooms too. `null` or an empty string removes it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3profileuseridavatar_url

use hubbub_core::{contract::user::UserCommand, error::Result};

use super::set_display_name::own_field;
use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

/// Longer addresses are refused: a member event of each room repeats them.
const MAX_CHARACTERS: usize = 1000;

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let value = own_field(&call, "avatar_url", MAX_CHARACTERS)?;
    let command =
        UserCommand::SetProfile { caller: call.auth.caller.clone(), displayname: None, avatar_url: Some(value) };
    let objects = &*call.context.objects;
    let () = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::empty()
}
