//! `GET /_matrix/client/versions` ([spec])
//!
//! The versions of the specification that the server answers by. What of them is missing stands in
//! `unsupported.toml`; no unstable feature is advertised.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientversions

use hubbub_core::error::Result;
use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{call::Call, credentials::Public};

pub(crate) async fn handle(_: Call<Public>, _: Request) -> Result<Response> {
    let versions = (1..=11).map(|minor| format!("v1.{minor}")).collect();
    Ok(Response::new(versions))
}
