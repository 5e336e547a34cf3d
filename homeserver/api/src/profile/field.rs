//! `GET`, `PUT` and `DELETE /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! Profile fields of any name, also under the path of MSC4133. Name and avatar have endpoints of
//! their own, to which these lead.
//!
//! [spec]: https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3profileuseridkeyname

use hubbub_core::{
    contract::{people::PeopleCommand, user::UserCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::profile_fields;
use ruma::OwnedUserId;
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::{Claim, Visitor},
    objects, people, respond,
};

/// “Key names MUST NOT exceed 255 bytes.”
const MAX_NAME_BYTES: usize = 255;

/// The field in the path; a literal path has no such argument, but ends with it.
fn name<A>(call: &Call<A>) -> Result<String> {
    let name = match call.argument(1) {
        "" => call.request().uri().path().rsplit('/').next().unwrap_or_default(),
        name => name,
    };
    if name.len() > MAX_NAME_BYTES {
        return Err(MatrixError::new(400, "M_KEY_TOO_LARGE", "The name of a profile field has at most 255 bytes."));
    }
    // The common namespaced identifier grammar of the appendices.
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(allowed) {
        return Err(MatrixError::invalid_param(
            "The name of a profile field begins with a lower-case letter and has lower-case letters, digits, and `-_.` only.",
        ));
    }
    Ok(name.to_owned())
}

/// Anybody reads any field; 404 `M_NOT_FOUND` when it is not set.
pub(crate) async fn get(call: Call<Visitor>) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    let name = name(&call)?;
    let profile = super::read(&call, &user_id).await?;
    let value = match name.as_str() {
        "displayname" => profile.displayname.map(Json::String),
        "avatar_url" => profile.avatar_url.map(Json::String),
        _ => custom(&call, &user_id).await?.remove(&name),
    };
    let value = value.ok_or_else(|| MatrixError::not_found("The profile has no such field."))?;
    respond::json(&Map::from_iter([(name, value)]))
}

/// All fields beyond name and avatar.
pub(super) async fn custom<A>(call: &Call<A>, user_id: &OwnedUserId) -> Result<Map<String, Json>> {
    let fields = profile_fields::list(&*call.context.directory, user_id.as_str()).await?;
    fields.into_iter().map(|(name, value)| Ok((name, serde_json::from_str(&value)?))).collect()
}

/// Sets a field of one's own.
pub(crate) async fn put(call: Call<Claim>) -> Result<Outcome> {
    match name(&call)?.as_str() {
        "displayname" => super::set_display_name::handle(call).await,
        "avatar_url" => super::set_avatar_url::handle(call).await,
        name => {
            call.auth.must_be(&call.id::<OwnedUserId>(0)?)?;
            let value = call.object()?.remove(name).ok_or_else(|| missing(name))?;
            if name == "m.tz" && !value.is_string() {
                return Err(MatrixError::bad_json("m.tz must be a string."));
            }
            let value = serde_json::value::to_raw_value(&value)?;
            set(&call, name.to_owned(), Some(value)).await
        }
    }
}

/// Removes a field of one's own; one that is not set is fine.
pub(crate) async fn delete(call: Call<Claim>) -> Result<Outcome> {
    call.auth.must_be(&call.id::<OwnedUserId>(0)?)?;
    let caller = call.auth.caller.clone();
    let command = match name(&call)?.as_str() {
        "displayname" => UserCommand::SetProfile { caller, displayname: Some(None), avatar_url: None },
        "avatar_url" => UserCommand::SetProfile { caller, displayname: None, avatar_url: Some(None) },
        name => return set(&call, name.to_owned(), None).await,
    };
    let () = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    respond::empty()
}

async fn set(call: &Call<Claim>, name: String, value: Option<Box<RawValue>>) -> Result<Outcome> {
    let command = PeopleCommand::SetProfileField { caller: call.auth.caller.clone(), name, value };
    let () = people::ask(call, command).await?;
    respond::empty()
}
