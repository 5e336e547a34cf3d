//! `GET /_matrix/client/*/profile/{userId}/avatar_url` ([spec])
//!
//! A user's avatar; an empty object when none is set.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3profileuseridavatar_url

use hubbub_core::error::Result;
use ruma::api::client::profile::get_avatar_url::v3;

use crate::{call::Call, credentials::Visitor};

pub(crate) async fn handle(call: Call<Visitor>, request: v3::Request) -> Result<v3::Response> {
    let profile = super::read(&call, &request.user_id).await?;
    Ok(v3::Response::new(profile.avatar_url.map(Into::into)))
}
