//! `GET /_matrix/client/versions` ([spec])
//!
//! The versions of the specification that the server answers by. What of them is missing stands in
//! `unsupported.toml`. The unstable features are those that clients look for by these names.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientversions

use hubbub_core::error::Result;
use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{call::Call, credentials::Public};

/// Mutual rooms, profile fields, the state after the timeline, and dehydrated devices.
const FEATURES: [&str; 5] = [
    "uk.half-shot.msc2666.query_mutual_rooms",
    "uk.tcpip.msc4133",
    "uk.tcpip.msc4133.stable",
    "org.matrix.msc4222",
    "org.matrix.msc3814",
];

pub(crate) async fn handle(_: Call<Public>, _: Request) -> Result<Response> {
    let versions = (1..=11).map(|minor| format!("v1.{minor}")).collect();
    let mut response = Response::new(versions);
    response.unstable_features = FEATURES.into_iter().map(|feature| (feature.to_owned(), true)).collect();
    Ok(response)
}
