//! `GET /_matrix/client/*/thirdparty/protocols` ([spec])
//!
//! All networks that some bridge knows.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3thirdpartyprotocols

use hubbub_core::error::Result;
use ruma::api::client::thirdparty::get_protocols::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, _: v3::Request) -> Result<v3::Response> {
    Ok(v3::Response::new(super::protocols(&call).await?))
}
