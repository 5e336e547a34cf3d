//! `GET /_matrix/client/*/account/whoami` ([spec])
//!
//! Who is behind an access token.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3accountwhoami

use hubbub_core::error::Result;
use ruma::api::client::account::whoami::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, _: v3::Request) -> Result<v3::Response> {
    if call.auth.claim.appservice.is_some() {
        // 403 for a user whom the appservice never registered.
        call.auth.profile(&call).await?;
    }
    let mut response = v3::Response::new(call.auth.user_id().clone(), false);
    response.device_id = call.auth.device_id.clone().map(Into::into);
    Ok(response)
}
