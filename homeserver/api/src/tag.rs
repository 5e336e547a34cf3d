//! Tags of rooms ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-tagging)).

mod create_tag;
mod delete_tag;
mod get_tags;

use hubbub_core::{
    contract::people::{PeopleCommand, TagOperation},
    error::Result,
};
use ruma::{OwnedUserId, api::client::tag};
use serde_json::value::RawValue;

use crate::{
    call::Call,
    credentials::Claim,
    endpoint::{Endpoint, of},
    people,
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<tag::create_tag::v3::Request>().raw(create_tag::handle),
        of::<tag::delete_tag::v3::Request>().raw(delete_tag::handle),
        of::<tag::get_tags::v3::Request>().raw(get_tags::handle),
    ]
}

/// Reads or changes the caller's tags of the room in the path.
async fn ask(call: &Call<Claim>, operation: TagOperation) -> Result<Box<RawValue>> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    let command = PeopleCommand::Tags { caller: call.auth.caller.clone(), room_id: call.id(1)?, operation };
    people::ask(call, command).await
}
