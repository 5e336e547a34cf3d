//! `GET /_matrix/client/*/voip/turnServer` ([spec])
//!
//! This server has no TURN server: an empty object, as Synapse answers. A list without an address
//! would be nearer to the letter, but browsers refuse to make a connection with it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3voipturnserver

use hubbub_core::error::Result;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(_: Call<Authenticated>) -> Result<Outcome> {
    respond::empty()
}
