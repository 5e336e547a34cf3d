//! `GET /.well-known/matrix/client` ([spec])
//!
//! Where clients find the server whose name they know.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#getwell-knownmatrixclient

use hubbub_core::error::Result;
use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Request, Response};

use crate::{call::Call, credentials::Public};

pub(crate) async fn handle(call: Call<Public>, _: Request) -> Result<Response> {
    let base_url = call.context.config.public_url.clone();
    Ok(Response::new(HomeserverInfo::new(base_url)))
}
