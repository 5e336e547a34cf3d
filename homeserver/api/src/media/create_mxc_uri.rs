//! `POST /_matrix/media/*/create` ([spec])
//!
//! Reserves an address for a file that comes within a day.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixmediav1create

use hubbub_core::{error::Result, media::upload};
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let reserved = upload::reserve(&call.context, call.auth.user_id()).await?;
    respond::json(&json!({"content_uri": reserved.content_uri, "unused_expires_at": reserved.expires_at}))
}
