//! Account data ([spec](https://spec.matrix.org/v1.11/client-server-api/#client-config)).

mod get_global_account_data;
mod get_room_account_data;
mod set_global_account_data;
mod set_room_account_data;

use hubbub_core::{
    contract::user::UserCommand,
    error::{MatrixError, Result},
};
use ruma::{OwnedRoomId, OwnedUserId, api::client::config};
use serde_json::value::RawValue;

use crate::{
    answer::Outcome,
    call::Call,
    credentials::Claim,
    endpoint::{Endpoint, of},
    objects, respond,
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<config::get_global_account_data::v3::Request>().raw(get_global_account_data::handle),
        of::<config::get_room_account_data::v3::Request>().raw(get_room_account_data::handle),
        of::<config::set_global_account_data::v3::Request>().raw(set_global_account_data::handle),
        of::<config::set_room_account_data::v3::Request>().raw(set_room_account_data::handle),
    ]
}

/// Reads one type of account data of the user who asks.
async fn read(call: &Call<Claim>, room_id: Option<OwnedRoomId>, event_type: &str) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    let command =
        UserCommand::GetAccountData { caller: call.auth.caller.clone(), room_id, event_type: event_type.to_owned() };
    let objects = &*call.context.objects;
    let content: Box<RawValue> = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::json(&content)
}

/// Replaces one type of account data of the user who asks. 405 `M_BAD_JSON` for a type that only
/// the server sets.
async fn write(call: &Call<Claim>, room_id: Option<OwnedRoomId>, event_type: &str) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    if event_type == "m.push_rules" || event_type == "m.fully_read" {
        return Err(MatrixError::new(405, "M_BAD_JSON", format_args!("{event_type} has endpoints of its own.")));
    }
    if event_type.is_empty() || event_type.len() > 255 {
        return Err(MatrixError::invalid_param("A type has 1 to 255 bytes."));
    }
    let command = UserCommand::PutAccountData {
        caller: call.auth.caller.clone(),
        room_id,
        event_type: event_type.to_owned(),
        content: call.raw_object()?,
    };
    let objects = &*call.context.objects;
    let () = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::empty()
}
