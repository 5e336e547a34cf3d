//! `GET /_matrix/client/*/thirdparty/location` ([spec])
//!
//! What place of a network an alias stands for.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3thirdpartylocation

use hubbub_appservice::thirdparty;
use hubbub_core::error::Result;
use ruma::api::client::thirdparty::get_location_for_room_alias::v3;

use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    Ok(v3::Response::new(thirdparty::locations_behind(&call.context, request.alias).await?))
}
