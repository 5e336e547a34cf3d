//! `POST /_matrix/media/*/upload` ([spec])
//!
//! Stores a file and returns its address.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixmediav3upload

use hubbub_core::{error::Result, media::upload};
use ruma::api::client::media::create_content::v3::Response;

use super::description;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(mut call: Call<Authenticated>) -> Result<Outcome> {
    let description = description(&call)?;
    let file = call.take_file();
    let uri = upload::upload(&call.context, call.auth.user_id(), &description, file).await?;
    respond::typed(Response::new(uri))
}
