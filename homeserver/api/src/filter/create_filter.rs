//! `POST /_matrix/client/*/user/{userId}/filter` ([spec])
//!
//! Stores a filter for later syncs, as it was given.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3useruseridfilter

use hubbub_core::{contract::user::UserCommand, error::Result};
use ruma::{OwnedUserId, api::client::filter::FilterDefinition};
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

#[derive(Serialize)]
struct Body {
    filter_id: String,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    call.auth.must_be(&user_id)?;
    let _: FilterDefinition = call.parse()?;
    let command = UserCommand::PutFilter { caller: call.auth.caller.clone(), filter: call.raw_object()? };
    let objects = &*call.context.objects;
    let filter_id = objects::call_again(objects, call.auth.address(), &command).await?;
    respond::json(&Body { filter_id })
}
