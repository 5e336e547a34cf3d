//! `GET /_matrix/client/*/thirdparty/user` ([spec])
//!
//! Whom a bridge's Matrix user stands for.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3thirdpartyuser

use hubbub_appservice::thirdparty;
use hubbub_core::error::Result;
use ruma::api::client::thirdparty::get_user_for_user_id::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    Ok(v3::Response::new(thirdparty::users_behind(&call.context, request.userid).await?))
}
