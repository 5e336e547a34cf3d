//! The names under which files come back, files without one, and thumbnails.

use std::io::Cursor;

use hubbub_conformance::{Answer, Homeserver, User};
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::Method;

const OLD: &str = "/_matrix/media/v3";
const NEW: &str = "/_matrix/client/v1/media";
const TEXT: &[u8] = b"the bytes of a file";
const HEN: &str = "\u{1F414}";
const OWL: &str = "\u{1F989}";

async fn upload(user: &User, name: Option<&str>, content_type: &str, bytes: &[u8]) -> String {
    let mut call = user.path(Method::POST, "/_matrix/media/v3/upload").content_type(content_type);
    if let Some(name) = name {
        call = call.query("filename", name);
    }
    let answer = call.bytes(bytes).await.ok();
    let file = answer["content_uri"].as_str().and_then(|uri| uri.strip_prefix("mxc://")).expect("an mxc address");
    assert!(!file.is_empty());
    file.to_owned()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            bytes.push(u8::from_str_radix(rest.get(1..3)?, 16).ok()?);
            rest = rest.get(3..)?;
        } else {
            bytes.extend(first.to_string().bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    String::from_utf8(bytes).ok()
}

/// Cuts at semicolons outside quotation marks.
fn parameters(header: &str) -> Vec<&str> {
    let mut quoted = false;
    let outside = |character: char| {
        quoted ^= character == '"';
        character == ';' && !quoted
    };
    header.split(outside).map(str::trim).collect()
}

/// The file name of an answer, whose disposition must be a usual one.
#[track_caller]
fn name_of(answer: &Answer) -> Option<String> {
    assert_eq!(answer.file(), TEXT);
    let header = answer.content_disposition().expect("a Content-Disposition");
    let parameters = parameters(header);
    assert!(["inline", "attachment"].contains(&parameters[0]), "{header}");
    let value = |name: &str| parameters.iter().find_map(|parameter| parameter.strip_prefix(name));
    if let Some(extended) = value("filename*=") {
        let (charset, encoded) = extended.split_once("''").expect("a charset");
        assert!(charset.eq_ignore_ascii_case("utf-8"), "{header}");
        return Some(percent_decoded(encoded).expect("UTF-8"));
    }
    value("filename=").map(|name| name.trim_matches('"').to_owned())
}

/// Uploads under a name, downloads below a path with an end that may name it otherwise, and compares.
async fn comes_back(media: &str, uploaded: &str, end: &str, expected: &str) {
    let alice = Homeserver::from_env().register("alice").await;
    let file = upload(&alice, Some(uploaded), "text/plain", TEXT).await;
    let answer = alice.path(Method::GET, &format!("{media}/download/{file}{end}")).await;
    assert_eq!(name_of(&answer).as_deref(), Some(expected));
}

async fn unnamed_comes_back(media: &str) {
    let alice = Homeserver::from_env().register("alice").await;
    let file = upload(&alice, None, "text/plain", TEXT).await;
    let answer = alice.path(Method::GET, &format!("{media}/download/{file}")).await;
    assert_eq!(name_of(&answer), None);
    let content_type = answer.content_type().and_then(|value| value.split(';').next());
    assert_eq!(content_type, Some("text/plain"));
}

async fn thumbnail_is_an_image(media: &str) {
    let alice = Homeserver::from_env().register("alice").await;
    let mut png = Vec::new();
    let image = RgbImage::from_fn(900, 700, |x, y| Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 77]));
    image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).expect("an encoded image");
    let file = upload(&alice, Some("large.png"), "image/png", &png).await;

    let call = alice.path(Method::GET, &format!("{media}/thumbnail/{file}"));
    let answer = call.query("width", "32").query("height", "32").query("method", "scale").await;

    let content_type = answer.content_type().and_then(|value| value.split(';').next());
    let formats =
        [("image/png", ImageFormat::Png), ("image/jpg", ImageFormat::Jpeg), ("image/jpeg", ImageFormat::Jpeg)];
    let format = formats.into_iter().find(|(name, _)| content_type == Some(*name)).expect("a type of a thumbnail").1;
    image::load_from_memory_with_format(answer.file(), format).expect("an image of its type");
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can upload with ASCII file name
/// Suite: TestMediaFilenames/Parallel/Unicode/Can upload with Unicode file name
/// Suite: TestMediaWithoutFileName/parallel/Can upload without a file name
/// Suite: TestMediaWithoutFileNameCSMediaV1/parallel/Can upload without a file name
#[tokio::test]
async fn files_of_all_names_and_of_none_are_taken() {
    let alice = Homeserver::from_env().register("alice").await;
    for name in [Some("ascii"), Some(HEN), None] {
        upload(&alice, name, "text/plain", TEXT).await;
    }
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'ascii' over /_matrix/client/v1/media/download
#[tokio::test]
async fn a_plain_name_comes_back() {
    comes_back(NEW, "ascii", "", "ascii").await;
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'name with spaces' over /_matrix/client/v1/media/download
#[tokio::test]
async fn a_name_with_spaces_comes_back() {
    comes_back(NEW, "name with spaces", "", "name with spaces").await;
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'name;with;semicolons' over /_matrix/client/v1/media/download
#[tokio::test]
async fn a_name_with_semicolons_comes_back() {
    comes_back(NEW, "name;with;semicolons", "", "name;with;semicolons").await;
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can download specifying a different ASCII file name over _matrix/client/v1/media/download
#[tokio::test]
async fn a_name_in_the_path_wins() {
    comes_back(NEW, "ascii", "/file.png", "file.png").await;
}

/// Suite: TestMediaFilenames/Parallel/Unicode/Can download specifying a different Unicode file name over _matrix/client/v1/media/download
#[tokio::test]
async fn a_name_beyond_ascii_in_the_path_wins() {
    comes_back(NEW, HEN, "/%F0%9F%A6%89", OWL).await;
}

/// Suite: TestMediaFilenames/Parallel/Unicode/Can download with Unicode file name locally over _matrix/client/v1/media/download
#[tokio::test]
async fn a_name_beyond_ascii_comes_back() {
    comes_back(NEW, HEN, "", HEN).await;
}

/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'ascii'
/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'name with spaces'
/// Suite: TestMediaFilenames/Parallel/ASCII/Can download file 'name;with;semicolons'
/// Suite: TestMediaFilenames/Parallel/ASCII/Can download specifying a different ASCII file name
/// Suite: TestMediaFilenames/Parallel/Unicode/Can download specifying a different Unicode file name
/// Suite: TestMediaFilenames/Parallel/Unicode/Can download with Unicode file name locally
#[tokio::test]
async fn names_come_back_by_the_old_path() {
    for name in ["ascii", "name with spaces", "name;with;semicolons", HEN] {
        comes_back(OLD, name, "", name).await;
    }
    comes_back(OLD, "ascii", "/file.png", "file.png").await;
    comes_back(OLD, HEN, "/%F0%9F%A6%89", OWL).await;
}

/// Suite: TestMediaWithoutFileNameCSMediaV1/parallel/Can download without a file name locally
#[tokio::test]
async fn a_file_without_a_name_comes_back() {
    unnamed_comes_back(NEW).await;
}

/// Suite: TestMediaWithoutFileName/parallel/Can download without a file name locally
#[tokio::test]
async fn a_file_without_a_name_comes_back_by_the_old_path() {
    unnamed_comes_back(OLD).await;
}

/// Suite: TestLocalPngThumbnail/test /_matrix/client/v1/media endpoint
#[tokio::test]
async fn a_large_image_has_a_thumbnail() {
    thumbnail_is_an_image(NEW).await;
}

/// Suite: TestLocalPngThumbnail/test /_matrix/media/v3 endpoint
#[tokio::test]
async fn a_large_image_has_a_thumbnail_by_the_old_path() {
    thumbnail_is_an_image(OLD).await;
}
