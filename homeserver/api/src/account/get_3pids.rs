//! `GET /_matrix/client/*/account/3pid` ([spec])
//!
//! The third-party identifiers of the account: none, since none can be bound here.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3account3pid

use hubbub_core::error::Result;
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(_: Call<Authenticated>) -> Result<Outcome> {
    // Not ruma's response: it leaves an empty list out, and clients read the key.
    respond::json(&json!({"threepids": []}))
}
