//! Decodes an image, makes it smaller and encodes it again, within a bounded memory.
//!
//! An isolate has 128 MB for everything, so an image is refused by what its header says before
//! anything is decoded: a small file may claim to be a huge image.

use std::io::Cursor;

use image::{
    DynamicImage, GenericImageView as _, ImageDecoder, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder,
    metadata::Orientation,
};

use super::{Image, Method, Thumbnail};

/// The most that a decoded image may take, in bytes: 13.9 million pixels of a photograph.
const MAX_DECODED_BYTES: u64 = 40 * 1024 * 1024;
/// The same for a progressive JPEG, whose coefficients are kept while it is decoded: as much again
/// twice over.
const MAX_PROGRESSIVE_BYTES: u64 = 15 * 1024 * 1024;
/// No side is longer, in pixels.
const MAX_SIDE: u32 = 20_000;
/// The quality of a JPEG, of 100.
const QUALITY: u8 = 80;

/// What came of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// It is not larger than the thumbnail would be; this is its media type.
    AsItIs(&'static str),
    /// The thumbnail.
    Smaller(Image),
}

/// Why no thumbnail was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is none of the formats that are read.
    #[error("it is not a JPEG, PNG, GIF or WebP image")]
    Format,
    /// The file is damaged.
    #[error("the image is damaged")]
    Damaged,
    /// Decoding would take too much memory.
    #[error("the image has too many pixels")]
    TooLarge,
}

/// Makes a thumbnail of an encoded image: of its first frame if it moves, turned upright if its camera
/// noted that. PNG and GIF become PNG, JPEG and WebP become JPEG unless they are transparent.
pub fn draw(bytes: &[u8], wanted: Thumbnail) -> Result<Drawn, Unfit> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Unfit::Format)?;
    let format = reader.format().ok_or(Unfit::Format)?;
    let content_type = match format {
        ImageFormat::Png => "image/png",
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Gif => "image/gif",
        ImageFormat::WebP => "image/webp",
        _ => return Err(Unfit::Format),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES + 4 * 1024 * 1024);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let most = if is_progressive_jpeg(format, bytes) { MAX_PROGRESSIVE_BYTES } else { MAX_DECODED_BYTES };
    if decoder.total_bytes() > most {
        return Err(Unfit::TooLarge);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Unfit::Damaged);
    }
    let bounds = if is_sideways(orientation) { (wanted.height, wanted.width) } else { (wanted.width, wanted.height) };
    if width <= bounds.0 && height <= bounds.1 {
        return Ok(Drawn::AsItIs(content_type));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let mut small = fit(&image, bounds, wanted.method);
    drop(image);
    small.apply_orientation(orientation);
    encode(small, format).map(Drawn::Smaller)
}

/// The media type of an image that [`draw`] encoded.
pub(super) fn encoded_as(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

fn refused(error: image::ImageError) -> Unfit {
    match error {
        image::ImageError::Limits(_) => Unfit::TooLarge,
        image::ImageError::Unsupported(_) => Unfit::Format,
        _ => Unfit::Damaged,
    }
}

/// Whether the camera was held so that width and height change places.
fn is_sideways(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

/// The image within these bounds, never larger than it is.
fn fit(image: &DynamicImage, (width, height): (u32, u32), method: Method) -> DynamicImage {
    if method == Method::Scale {
        return image.thumbnail(width, height);
    }
    let (from_width, from_height) = image.dimensions();
    let (width, height) = (width.min(from_width), height.min(from_height));
    // The larger of both factors, so that both sides are covered: as fractions, width/from_width and
    // height/from_height.
    let by_width = u64::from(width) * u64::from(from_height) >= u64::from(height) * u64::from(from_width);
    let scaled = |side: u32, to: u32, from: u32| {
        let side = (u64::from(side) * u64::from(to)).div_ceil(u64::from(from.max(1)));
        u32::try_from(side).unwrap_or(u32::MAX).max(1)
    };
    let (cover_width, cover_height) = if by_width {
        (width, scaled(from_height, width, from_width))
    } else {
        (scaled(from_width, height, from_height), height)
    };
    let cover = image.thumbnail_exact(cover_width, cover_height);
    let (left, top) = (cover_width.saturating_sub(width) / 2, cover_height.saturating_sub(height) / 2);
    cover.crop_imm(left, top, width, height)
}

fn encode(image: DynamicImage, format: ImageFormat) -> Result<Image, Unfit> {
    let mut bytes = Vec::new();
    let is_drawing = matches!(format, ImageFormat::Png | ImageFormat::Gif);
    if is_drawing || image.color().has_alpha() {
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(refused)?;
        return Ok(Image { content_type: "image/png", bytes });
    }
    let image = DynamicImage::ImageRgb8(image.into_rgb8());
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY)).map_err(refused)?;
    Ok(Image { content_type: "image/jpeg", bytes })
}

/// Whether the first frame header of a JPEG is one of the progressive kinds.
fn is_progressive_jpeg(format: ImageFormat, bytes: &[u8]) -> bool {
    if format != ImageFormat::Jpeg {
        return false;
    }
    let mut rest = bytes.get(2..).unwrap_or_default();
    // Each segment is FF (or several), a marker, and its length in two bytes, which counts itself.
    while let [0xff, after @ ..] = rest {
        match after {
            [0xff, ..] => rest = after,
            [0xc2 | 0xc6 | 0xca | 0xce, ..] => return true,
            [0xc0 | 0xc1 | 0xc3 | 0xc5 | 0xc7 | 0xc9 | 0xcb | 0xcd | 0xcf | 0xda, ..] => return false,
            [_, segment @ ..] => {
                let [high, low, ..] = segment else { break };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = segment.get(length.max(2)..).unwrap_or_default();
            }
            [] => break,
        }
    }
    // A header that is not understood is treated with caution.
    true
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn photograph(width: u32, height: u32) -> DynamicImage {
        let pixel = |x: u32, y: u32| Rgb([(x % 256).to_le_bytes()[0], (y % 256).to_le_bytes()[0], 90]);
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
    }

    fn drawn(bytes: &[u8], width: u32, height: u32, method: Method) -> (Image, DynamicImage) {
        match draw(bytes, Thumbnail { width, height, method }).unwrap() {
            Drawn::Smaller(image) => {
                let decoded = image::load_from_memory(&image.bytes).unwrap();
                (image, decoded)
            }
            Drawn::AsItIs(_) => panic!("it should be smaller"),
        }
    }

    #[test]
    fn a_scaled_image_keeps_its_shape_and_a_cropped_one_fills_the_size() {
        let bytes = encoded(photograph(1200, 400), ImageFormat::Jpeg);
        let (image, scaled) = drawn(&bytes, 320, 240, Method::Scale);
        assert_eq!((image.content_type, scaled.dimensions()), ("image/jpeg", (320, 107)));
        let (_, cropped) = drawn(&bytes, 96, 96, Method::Crop);
        assert_eq!(cropped.dimensions(), (96, 96));
        // The middle is left.
        assert!(cropped.get_pixel(0, 48).0[1].abs_diff(200) < 12);
    }

    #[test]
    fn a_narrow_image_is_never_enlarged() {
        let bytes = encoded(photograph(1000, 20), ImageFormat::Png);
        assert_eq!(drawn(&bytes, 96, 96, Method::Crop).1.dimensions(), (96, 20));
        assert_eq!(drawn(&bytes, 96, 96, Method::Scale).1.dimensions(), (96, 2));
    }

    #[test]
    fn a_small_image_stays_as_it_is() {
        let wanted = Thumbnail { width: 96, height: 96, method: Method::Crop };
        let bytes = encoded(photograph(96, 50), ImageFormat::Gif);
        assert_eq!(draw(&bytes, wanted), Ok(Drawn::AsItIs("image/gif")));
    }

    #[test]
    fn transparency_survives() {
        let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(200, 200, Rgba([9, 9, 9, 0])));
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let (image, decoded) = drawn(&encoded(clear.clone(), format), 32, 32, Method::Scale);
            assert_eq!(image.content_type, "image/png");
            assert_eq!(decoded.get_pixel(3, 3).0[3], 0);
        }
    }

    #[test]
    fn what_is_no_image_or_a_damaged_one_is_refused() {
        let wanted = Thumbnail { width: 32, height: 32, method: Method::Scale };
        assert_eq!(draw(b"<svg xmlns='http://www.w3.org/2000/svg'/>", wanted), Err(Unfit::Format));
        assert_eq!(draw(b"", wanted), Err(Unfit::Format));
        let mut bytes = encoded(photograph(300, 300), ImageFormat::Png);
        bytes.truncate(300);
        assert_eq!(draw(&bytes, wanted), Err(Unfit::Damaged));
        assert_eq!(draw(b"\x89PNG\r\n\x1a\n", wanted), Err(Unfit::Damaged));
        assert_eq!(draw(b"GIF89a", wanted), Err(Unfit::Damaged));
        assert_eq!(draw(b"RIFF\0\0\0\0WEBP", wanted), Err(Unfit::Damaged));
        assert_eq!(draw(b"\xff\xd8\xff\xe0", wanted), Err(Unfit::Damaged));
    }

    #[test]
    fn an_image_that_claims_too_many_pixels_is_refused_before_it_is_decoded() {
        let wanted = Thumbnail { width: 32, height: 32, method: Method::Scale };
        // A PNG of one colour: 16,000 x 16,000 pixels in a few kilobytes.
        let mut bytes = encoded(DynamicImage::new_rgb8(64, 64), ImageFormat::Png);
        let side = 16_000_u32.to_be_bytes();
        bytes[16..20].copy_from_slice(&side);
        bytes[20..24].copy_from_slice(&side);
        let header = crc32(&bytes[12..29]).to_be_bytes();
        bytes[29..33].copy_from_slice(&header);
        assert_eq!(draw(&bytes, wanted), Err(Unfit::TooLarge));
        // And a GIF.
        let mut bytes = encoded(photograph(200, 200), ImageFormat::Gif);
        bytes[6..10].copy_from_slice(&[0xff; 4]);
        assert!(draw(&bytes, wanted).is_err());
    }

    #[test]
    fn progressive_photographs_have_a_lower_limit() {
        let baseline = encoded(photograph(10, 10), ImageFormat::Jpeg);
        assert!(!is_progressive_jpeg(ImageFormat::Jpeg, &baseline));
        assert!(is_progressive_jpeg(ImageFormat::Jpeg, b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x11"));
        assert!(!is_progressive_jpeg(ImageFormat::Png, b"\x89PNG"));
    }

    /// The checksum of a PNG's chunk.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
