//! `GET /_matrix/client/*/profile/{userId}/displayname` ([spec])
//!
//! A user's display name; an empty object when none is set.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3profileuseriddisplayname

use hubbub_core::error::Result;
use ruma::api::client::profile::get_display_name::v3;

use crate::{call::Call, credentials::Visitor};

pub(crate) async fn handle(call: Call<Visitor>, request: v3::Request) -> Result<v3::Response> {
    let profile = super::read(&call, &request.user_id).await?;
    Ok(v3::Response::new(profile.displayname))
}
