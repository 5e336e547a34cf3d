//! `GET /_matrix/client/v1/media/preview_url` and `GET /_matrix/media/*/preview_url` ([spec])
//!
//! What a page says of itself. Pages are fetched from public addresses only, and each user may ask for so many a minute.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediapreview_url

use http::StatusCode;
use hubbub_core::{error::Result, media::preview};

use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::Authenticated,
    peer::RateLimit,
    respond,
};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let url = call.query("url").ok_or_else(|| missing("url"))?;
    // How a page looked at some time nobody knows; every preview is at most an hour old.
    let _: Option<i64> = call.query_as("ts")?;
    let user_id = call.auth.user_id();
    call.peer.limit_user(&call.context, RateLimit::Preview, user_id).await?;
    let body = preview::get(&call.context, user_id, &url).await?;
    Ok(Outcome::Response(respond::json_bytes(StatusCode::OK, body.into_bytes())))
}
