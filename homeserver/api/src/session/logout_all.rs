//! `POST /_matrix/client/*/logout/all` ([spec])
//!
//! Ends all sessions of the user.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3logoutall

use hubbub_core::error::Result;
use ruma::api::client::session::logout_all::v3;

use super::logout;
use crate::{call::Call, credentials::Claim};

pub(crate) async fn handle(call: Call<Claim>, _: v3::Request) -> Result<v3::Response> {
    logout::end(&call, true).await?;
    Ok(v3::Response::new())
}
