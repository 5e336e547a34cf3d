//! `PUT /_matrix/client/*/profile/{userId}/displayname` ([spec])
//!
//! Sets one's own display name, in all rooms too. `null` or an empty string removes it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3profileuseriddisplayname

use hubbub_core::{
    contract::user::UserCommand,
    error::{MatrixError, Result},
};
use ruma::OwnedUserId;

use crate::{
    answer::Outcome,
    call::{Call, missing, optional_text},
    credentials::Claim,
    objects, respond,
};

/// Longer names are refused: a member event of each room repeats them.
const MAX_CHARACTERS: usize = 256;

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let value = own_field(&call, "displayname", MAX_CHARACTERS)?;
    let command =
        UserCommand::SetProfile { caller: call.auth.caller.clone(), displayname: Some(value), avatar_url: None };
    let objects = &*call.context.objects;
    let () = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::empty()
}

/// The new value of a profile field of the user who asks; `None` removes it.
pub(super) fn own_field(call: &Call<Claim>, key: &str, max_characters: usize) -> Result<Option<String>> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    let body = call.object()?;
    if !body.contains_key(key) {
        return Err(missing(key));
    }
    let value = optional_text(&body, key)?.filter(|value| !value.is_empty());
    if value.as_ref().is_some_and(|value| value.chars().count() > max_characters) {
        return Err(MatrixError::invalid_param(format_args!("{key} is longer than {max_characters} characters.")));
    }
    Ok(value)
}
