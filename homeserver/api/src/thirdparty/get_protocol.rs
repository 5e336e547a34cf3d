//! `GET /_matrix/client/*/thirdparty/protocol/{protocol}` ([spec])
//!
//! One network; 404 `M_NOT_FOUND` when no bridge knows it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol

use hubbub_core::error::{MatrixError, Result};
use ruma::api::client::thirdparty::get_protocol::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let protocol = super::protocols(&call).await?.remove(&request.protocol);
    protocol.map(v3::Response::new).ok_or_else(|| MatrixError::not_found("No bridge here knows this network."))
}
