//! `PUT /_matrix/media/*/upload/{serverName}/{mediaId}` ([spec])
//!
//! Stores the file of a media id that the same user reserved, once. Refusals come before the body is read.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixmediav3uploadservernamemediaid

use hubbub_core::{
    error::{MatrixError, Result},
    media::upload,
};

use super::description;
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(mut call: Call<Authenticated>) -> Result<Outcome> {
    if call.argument(0) != call.context.config.server_name.as_str() {
        return Err(MatrixError::not_found("This media id is of another server."));
    }
    let description = description(&call)?;
    let file = call.take_file();
    upload::fill(&call.context, call.auth.user_id(), call.argument(1), &description, file).await?;
    respond::empty()
}
