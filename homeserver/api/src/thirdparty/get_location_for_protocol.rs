//! `GET /_matrix/client/*/thirdparty/location/{protocol}` ([spec])
//!
//! The rooms of places of a network, by whatever fields that network has.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3thirdpartylocationprotocol

use hubbub_appservice::thirdparty;
use hubbub_core::error::Result;
use ruma::api::client::thirdparty::get_location_for_protocol::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let fields = super::searched(request.fields);
    Ok(v3::Response::new(thirdparty::locations(&call.context, &request.protocol, fields).await?))
}
