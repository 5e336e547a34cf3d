//! What a page says of itself, for clients that show links ([spec]).
//!
//! [`fetch`] gets a page from public addresses only, [`page`] reads it. Its image is copied here, so
//! that the client reveals itself to nobody. Answers are kept in D1.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediapreview_url

mod fetch;
mod page;

use std::io::Cursor;

use hubbub_storage::{
    blobs::Body,
    directory::{
        media::Description,
        url_previews::{self, UrlPreview},
    },
};
use image::{ImageFormat, ImageReader};
use ruma::UserId;
use serde_json::{Map, Value as Json, json};
use url::Url;

use self::fetch::Fetched;
use super::{charset, upload};
use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// For how long an answer is given again without looking at the page.
const FRESH_MS: i64 = 60 * 60 * 1000;
/// For how long it is kept, so that its image need not be copied again.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// No address is longer, in bytes.
const MAX_URL_BYTES: usize = 4096;

/// The preview of a page, as JSON: `{}` when it is neither a page nor an image. 400 `M_INVALID_PARAM`
/// for what is no address of the web; 502 `M_UNKNOWN` when the page cannot be had, for whatever reason:
/// the answer must not tell what is reachable from here.
pub async fn get(context: &Context, user: &UserId, url: &str) -> Result<String> {
    let url = parse(url)?;
    let directory = context.directory.as_ref();
    let now = context.clock.now();
    let known = url_previews::get(directory, url.as_str()).await?;
    if let Some(fresh) = known.as_ref().filter(|known| now - known.fetched_at < FRESH_MS) {
        return Ok(fresh.body.clone());
    }
    let preview = make(context, user, &url, known).await?;
    url_previews::put(directory, url.as_str(), &preview).await?;
    Ok(preview.body)
}

fn parse(text: &str) -> Result<Url> {
    let invalid = || MatrixError::invalid_param("url must be an address that begins with http:// or https://.");
    if text.len() > MAX_URL_BYTES {
        return Err(MatrixError::invalid_param("url is longer than 4096 bytes."));
    }
    let mut url = Url::parse(text).map_err(|_| invalid())?;
    if !fetch::is_web(&url) {
        return Err(invalid());
    }
    url.set_fragment(None);
    Ok(url)
}

async fn make(context: &Context, user: &UserId, url: &Url, known: Option<UrlPreview>) -> Result<UrlPreview> {
    let fetched = fetch::fetch(context, url, "text/html,application/xhtml+xml,image/*;q=0.8").await?;
    let fetched_at = context.clock.now();
    let mut answer = Map::new();
    let mut image_source = None;
    if fetched.is_html() {
        let text = charset::text(context.http.as_ref(), &fetched.content_type, &fetched.body);
        let page = page::read(&text, &fetched.url);
        answer = page.properties;
        if let Some(source) = page.image {
            let copied = match known.as_ref().and_then(|known| same_image(known, &source)) {
                Some(copied) => Some(copied),
                None => copy_from(context, user, &source).await,
            };
            if let Some(copied) = copied {
                answer.extend(copied);
                image_source = Some(source.to_string());
            }
        }
    } else if fetched.content_type.starts_with("image/") {
        answer.extend(copy(context, user, fetched).await?.unwrap_or_default());
    }
    Ok(UrlPreview { body: Json::Object(answer).to_string(), image_source, fetched_at })
}

/// What was said of the image the last time, if it is the same.
fn same_image(known: &UrlPreview, source: &Url) -> Option<Map<String, Json>> {
    if known.image_source.as_deref() != Some(source.as_str()) {
        return None;
    }
    let Ok(Json::Object(mut body)) = serde_json::from_str(&known.body) else { return None };
    body.retain(|key, _| IMAGE_KEYS.contains(&key.as_str()));
    Some(body)
}

const IMAGE_KEYS: [&str; 5] = ["og:image", "og:image:type", "og:image:width", "og:image:height", "matrix:image:size"];

/// Copies the image at an address here. A page without its image is still worth showing.
async fn copy_from(context: &Context, user: &UserId, source: &Url) -> Option<Map<String, Json>> {
    let copied = match fetch::fetch(context, source, "image/*").await {
        Ok(fetched) => copy(context, user, fetched).await,
        Err(error) => Err(error),
    };
    copied.inspect_err(|error| tracing::info!("The image of a previewed page was not copied: {error}")).ok().flatten()
}

/// Stores an image and describes it; `None` when it is none of those that clients show. Its type is what
/// its bytes are, whatever its server calls it.
async fn copy(context: &Context, user: &UserId, fetched: Fetched) -> Result<Option<Map<String, Json>>> {
    let Some((content_type, (width, height))) = measure(&fetched.body) else { return Ok(None) };
    let size = fetched.body.len();
    let description = Description {
        content_type: Some(content_type.to_owned()),
        file_name: None,
        remote_source: Some(fetched.url.to_string()),
    };
    let uri = upload::upload(context, user, &description, Body::Bytes(fetched.body)).await?;
    let values = [json!(uri), json!(content_type), json!(width), json!(height), json!(size)];
    Ok(Some(IMAGE_KEYS.iter().map(|key| (*key).to_owned()).zip(values).collect()))
}

fn measure(bytes: &[u8]) -> Option<(&'static str, (u32, u32))> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let content_type = match reader.format()? {
        ImageFormat::Png => "image/png",
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Gif => "image/gif",
        ImageFormat::WebP => "image/webp",
        _ => return None,
    };
    Some((content_type, reader.into_dimensions().ok()?))
}
