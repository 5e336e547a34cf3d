//! `GET /_matrix/client/*/user/{userId}/filter/{filterId}` ([spec])
//!
//! A stored filter, as it was given; 404 `M_NOT_FOUND` for an unknown one.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3useruseridfilterfilterid

use hubbub_core::{contract::user::UserCommand, error::Result};
use ruma::OwnedUserId;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    let command = UserCommand::GetFilter { caller: call.auth.caller.clone(), filter_id: call.argument(1).to_owned() };
    let objects = &*call.context.objects;
    let filter: Box<RawValue> = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::json(&filter)
}
