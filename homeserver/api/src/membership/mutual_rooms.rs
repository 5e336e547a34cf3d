//! `GET /_matrix/client/v1/mutual_rooms` ([spec])
//!
//! The rooms that the caller shares with another user; also under the path of MSC2666. Which rooms
//! the caller is in says the caller's own inbox; D1 says it of the other, who may be a ghost without
//! one.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms

use hubbub_core::{
    contract::people::PeopleCommand,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::memberships;
use ruma::UserId;
use serde_json::json;

use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::Claim,
    people, respond,
};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let user_id = call.query("user_id").ok_or_else(|| missing("user_id"))?.into_owned();
    if UserId::parse(user_id.as_str()).is_err() {
        return Err(MatrixError::invalid_param("user_id is not a user id."));
    }
    if call.auth.user_id == user_id.as_str() {
        return Err(MatrixError::invalid_param("You share all your rooms with yourself."));
    }
    // Everything comes at once: no page was ever promised.
    if call.query("from").or_else(|| call.query("batch_token")).is_some() {
        return Err(MatrixError::invalid_param("This token is not one of this server's."));
    }
    let rooms = memberships::joined_rooms(&*call.context.directory, &user_id).await?;
    let command = PeopleCommand::JoinedAmong { caller: call.auth.caller.clone(), rooms };
    let joined: Vec<String> = people::ask(&call, command).await?;
    respond::json(&json!({"count": joined.len(), "joined": joined}))
}
