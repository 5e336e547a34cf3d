//! `GET /_matrix/client/*/profile/{userId}` ([spec])
//!
//! A user's whole profile; a key that is not set is left out.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3profileuserid

use hubbub_core::error::Result;
use ruma::OwnedUserId;
use serde_json::{Map, Value as Json};

use crate::{answer::Outcome, call::Call, credentials::Visitor, respond};

pub(crate) async fn handle(call: Call<Visitor>) -> Result<Outcome> {
    let user_id: OwnedUserId = call.id(0)?;
    let profile = super::read(&call, &user_id).await?;
    let keys = [("displayname", profile.displayname), ("avatar_url", profile.avatar_url)];
    let mut body = super::field::custom(&call, &user_id).await?;
    let names: Map<String, Json> =
        keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect();
    body.extend(names);
    respond::json(&body)
}
