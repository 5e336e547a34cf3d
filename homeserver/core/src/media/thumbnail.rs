//! Small versions of images ([spec]), of a few fixed sizes, made at their first use and kept beside the
//! bytes they are made of.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#thumbnails

mod draw;
mod memory;

use hubbub_storage::directory::media::Blob;

use super::find::Found;
use crate::{
    context::Context,
    error::{MatrixError, Result},
};

pub use draw::{Drawn, Unfit, draw};

/// No larger file is read to make a thumbnail of it, in bytes.
pub const MAX_ORIGINAL_BYTES: u64 = 12 * 1024 * 1024;
/// No thumbnail is larger, in bytes: the largest size has 480,000 pixels.
const MAX_THUMBNAIL_BYTES: u64 = 4 * 1024 * 1024;

/// How an image is fitted into a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It fills the size; what hangs over is cut off.
    Crop,
    /// All of it is shown, within the size.
    Scale,
}

/// One of the sizes that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How an image is fitted into it.
    pub method: Method,
}

/// The sizes that the specification recommends, here for both methods.
const SIZES: [(u32, u32); 5] = [(32, 32), (96, 96), (320, 240), (640, 480), (800, 600)];

impl Thumbnail {
    /// The smallest one that covers what is wanted, or the largest.
    pub fn for_wanted(width: u32, height: u32, method: Method) -> Self {
        let covers = |(w, h): &(u32, u32)| *w >= width && *h >= height;
        let (width, height) = SIZES.into_iter().find(covers).unwrap_or((800, 600));
        Self { width, height, method }
    }

    /// All that are ever made.
    pub fn all() -> impl Iterator<Item = Self> {
        SIZES
            .into_iter()
            .flat_map(|(width, height)| [Method::Crop, Method::Scale].map(|method| Self { width, height, method }))
    }

    /// Where it lies.
    pub fn key(self, r2_key: &str) -> String {
        format!("{r2_key}/{}", self.name())
    }

    /// Its name among those of one image, like `96x96-crop`.
    pub fn name(self) -> String {
        let method = match self.method {
            Method::Crop => "crop",
            Method::Scale => "scale",
        };
        format!("{}x{}-{method}", self.width, self.height)
    }
}

/// An image that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `image/png`, `image/jpeg` …
    pub content_type: &'static str,
    /// The encoded image.
    pub bytes: Vec<u8>,
}

/// The thumbnail of a file; an image that is not larger is returned as it is. 400 `M_UNKNOWN` when
/// none can be made, as Synapse does; 429 `M_LIMIT_EXCEEDED` while too many are made ([`memory`]).
pub async fn get(context: &Context, found: &Found, wanted: Thumbnail) -> Result<Image> {
    let Blob { r2_key, size, .. } = &found.blob;
    let key = wanted.key(r2_key);
    if let Some(kept) = kept(context, &key).await? {
        return Ok(kept);
    }
    if *size > MAX_ORIGINAL_BYTES {
        return Err(refuse("the file is larger than 12 MiB"));
    }
    let room = memory::room(context, *size).await?;
    if room.waited
        && let Some(kept) = kept(context, &key).await?
    {
        return Ok(kept);
    }
    let original = context.blobs.get(r2_key.clone(), None).await.map_err(MatrixError::internal)?;
    let original = original.ok_or_else(super::find::not_found)?;
    let bytes = original.read(MAX_ORIGINAL_BYTES).await.map_err(MatrixError::internal)?;
    match draw(&bytes, wanted).map_err(refuse)? {
        Drawn::AsItIs(content_type) => Ok(Image { content_type, bytes }),
        Drawn::Smaller(image) => {
            let stored = context.blobs.put(key, image.bytes.clone().into(), MAX_THUMBNAIL_BYTES).await;
            if let Err(error) = stored {
                // It is made anew the next time.
                tracing::warn!("A thumbnail was not kept: {error}");
            }
            Ok(image)
        }
    }
}

/// The thumbnail that was made before.
async fn kept(context: &Context, key: &str) -> Result<Option<Image>> {
    let Some(body) = context.blobs.get(key.to_owned(), None).await.map_err(MatrixError::internal)? else {
        return Ok(None);
    };
    let bytes = body.read(MAX_THUMBNAIL_BYTES).await.map_err(MatrixError::internal)?;
    Ok(Some(Image { content_type: draw::encoded_as(&bytes), bytes }))
}

fn refuse(why: impl std::fmt::Display) -> MatrixError {
    MatrixError::new(400, "M_UNKNOWN", format_args!("There is no thumbnail of this file: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(width: u32, height: u32) -> (u32, u32) {
        let thumbnail = Thumbnail::for_wanted(width, height, Method::Scale);
        (thumbnail.width, thumbnail.height)
    }

    #[test]
    fn the_smallest_size_that_covers_what_is_wanted_is_chosen() {
        assert_eq!(chosen(1, 1), (32, 32));
        assert_eq!(chosen(32, 33), (96, 96));
        assert_eq!(chosen(97, 10), (320, 240));
        assert_eq!(chosen(640, 480), (640, 480));
        assert_eq!(chosen(5000, 5000), (800, 600));
    }

    #[test]
    fn every_size_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> = Thumbnail::all().map(|thumbnail| thumbnail.key("media/x")).collect();
        assert_eq!(keys.len(), 10);
        assert!(keys.contains("media/x/96x96-crop"));
    }
}
