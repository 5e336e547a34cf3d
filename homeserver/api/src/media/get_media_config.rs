//! `GET /_matrix/client/v1/media/config` and `GET /_matrix/media/*/config` ([spec])
//!
//! The size of the largest file that may be uploaded.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediaconfig

use hubbub_core::error::Result;
use serde_json::json;

use crate::{answer::Outcome, call::Call, respond};

pub(crate) async fn handle<A>(call: Call<A>) -> Result<Outcome> {
    respond::json(&json!({"m.upload.size": call.context.config.max_upload_bytes}))
}
