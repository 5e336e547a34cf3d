//! `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}` and `GET /_matrix/media/*/thumbnail/…` ([spec])
//!
//! A small version of an image, in the next larger of a few sizes. It never moves, whatever `animated` says.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid

use hubbub_core::{
    error::{MatrixError, Result},
    media::thumbnail::{self, Method, Thumbnail},
};

use super::{
    find,
    serve::{self, File},
};
use crate::{
    answer::Outcome,
    call::{Call, missing},
};

pub(crate) async fn handle<A>(call: Call<A>) -> Result<Outcome> {
    let wanted = wanted(&call)?;
    let found = find(&call).await?;
    let etag = format!("\"{}-{}\"", found.blob.hash, wanted.name());
    if serve::is_known(&call, &etag) {
        return serve::not_modified(&etag);
    }
    let image = thumbnail::get(&call.context, &found, wanted).await?;
    let file =
        File { etag, content_type: image.content_type.to_owned(), file_name: Some(name_for(image.content_type)) };
    serve::bytes(&file, image.bytes)
}

fn wanted<A>(call: &Call<A>) -> Result<Thumbnail> {
    let side = |name: &str| match call.query_as::<u32>(name)? {
        None => Err(missing(name)),
        Some(0) => Err(MatrixError::invalid_param(format_args!("{name} must be at least 1."))),
        Some(side) => Ok(side),
    };
    let (width, height) = (side("width")?, side("height")?);
    let _: Option<bool> = call.query_as("animated")?;
    let method = match call.query("method").as_deref() {
        Some("crop") => Method::Crop,
        None | Some("scale") => Method::Scale,
        Some(_) => return Err(MatrixError::invalid_param("method must be crop or scale.")),
    };
    Ok(Thumbnail::for_wanted(width, height, method))
}

/// As the file's own name may end differently: `thumbnail.png`.
fn name_for(content_type: &str) -> String {
    format!("thumbnail.{}", content_type.trim_start_matches("image/"))
}
