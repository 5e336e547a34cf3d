//! Small versions of images.

use std::io::Cursor;

use http::{Method, header};
use hubbub_native::{Client, Reply, TestServer};
use image::{DynamicImage, GenericImageView as _, ImageFormat, Rgb, RgbImage};

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixel = |x: u32, y: u32| Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 77]);
    let mut bytes = Vec::new();
    let image = DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel));
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

fn upload(client: &Client, content_type: &str, body: Vec<u8>) -> String {
    let mut request = client.request(Method::POST, "/_matrix/media/v3/upload", None);
    request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    *request.body_mut() = body;
    let uri = client.server.request(request).ok()["content_uri"].as_str().unwrap().to_owned();
    uri.strip_prefix("mxc://").unwrap().to_owned()
}

fn thumbnail(client: &Client, file: &str, query: &str) -> Reply {
    client.ask(Method::GET, &format!("/_matrix/client/v1/media/thumbnail/{file}?{query}"), None)
}

fn size(reply: &Reply) -> (u32, u32) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    image::load_from_memory(&reply.body).unwrap().dimensions()
}

#[test]
fn a_thumbnail_is_made_in_the_next_larger_size_and_kept() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "image/png", encoded(1000, 500, ImageFormat::Png));

    let reply = thumbnail(&alice, &file, "width=40&height=40&method=scale");
    assert_eq!((size(&reply), reply.header("content-type")), ((96, 48), Some("image/png")));
    assert_eq!(server.blobs().keys().len(), 2);
    let again = thumbnail(&alice, &file, "width=96&height=96");
    assert_eq!((again.body, again.headers.get("content-type")), (reply.body, reply.headers.get("content-type")));
    assert_eq!(server.blobs().keys().len(), 2);

    assert_eq!(size(&thumbnail(&alice, &file, "width=40&height=40&method=crop&animated=true")), (96, 96));
    assert_eq!(size(&thumbnail(&alice, &file, "width=4000&height=4000&method=scale")), (800, 400));
    let legacy = format!("/_matrix/media/v3/thumbnail/{file}?width=32&height=32&method=scale");
    assert_eq!(size(&alice.ask(Method::GET, &legacy, None)), (32, 16));
}

#[test]
fn a_photograph_stays_one_and_has_the_headers_of_a_file() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "image/jpeg", encoded(900, 600, ImageFormat::Jpeg));
    let reply = thumbnail(&alice, &file, "width=320&height=240&method=crop&animated=false");
    assert_eq!((size(&reply), reply.header("content-type")), ((320, 240), Some("image/jpeg")));
    assert!(reply.header("content-security-policy").unwrap().starts_with("sandbox; default-src 'none'"));
    assert_eq!(reply.header("content-disposition"), Some("inline; filename=thumbnail.jpeg"));
    assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));

    let etag = reply.header("etag").unwrap();
    let uri = format!("/_matrix/client/v1/media/thumbnail/{file}?width=320&height=240&method=crop");
    let mut request = alice.request(Method::GET, &uri, None);
    request.headers_mut().insert(header::IF_NONE_MATCH, etag.parse().unwrap());
    assert_eq!(server.request(request).status, 304);
}

#[test]
fn a_small_image_is_served_as_it_is_by_what_it_really_is() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let bytes = encoded(20, 30, ImageFormat::Gif);
    let file = upload(&alice, "text/html", bytes.clone());
    let reply = thumbnail(&alice, &file, "width=32&height=32&method=scale");
    assert_eq!((reply.header("content-type"), &reply.body), (Some("image/gif"), &bytes));
    assert_eq!(server.blobs().keys().len(), 1);
}

#[test]
fn no_thumbnail_is_made_of_what_is_no_image() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let html = upload(&alice, "image/png", b"<html><script>alert(1)</script></html>".to_vec());
    let svg = upload(&alice, "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec());
    let mut cut = encoded(500, 500, ImageFormat::Png);
    cut.truncate(400);
    let cut = upload(&alice, "image/png", cut);
    for file in [html, svg, cut] {
        let refused = thumbnail(&alice, &file, "width=32&height=32&method=scale").refused(400, "M_UNKNOWN");
        assert!(refused["error"].as_str().unwrap().starts_with("There is no thumbnail of this file: "), "{refused}");
    }
    assert_eq!(server.blobs().keys().len(), 3);
}

#[test]
fn what_is_asked_for_must_make_sense() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "image/png", encoded(100, 100, ImageFormat::Png));
    server.get(&format!("/_matrix/client/v1/media/thumbnail/{file}")).refused(401, "M_MISSING_TOKEN");
    for query in ["", "width=32", "height=32"] {
        thumbnail(&alice, &file, query).refused(400, "M_MISSING_PARAM");
    }
    for query in ["width=0&height=1", "width=-1&height=1", "width=x&height=1", "width=1&height=1&method=stretch"] {
        thumbnail(&alice, &file, query).refused(400, "M_INVALID_PARAM");
    }
    thumbnail(&alice, &file, "width=1&height=1&animated=maybe").refused(400, "M_INVALID_PARAM");
    thumbnail(&alice, "hub.example/none", "width=1&height=1").refused(404, "M_NOT_FOUND");
    thumbnail(&alice, "elsewhere.example/x", "width=1&height=1").refused(404, "M_NOT_FOUND");
}

#[test]
fn a_thumbnail_that_cannot_be_kept_is_still_sent() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "image/png", encoded(300, 300, ImageFormat::Png));
    server.blobs().set_read_only(true);
    assert_eq!(size(&thumbnail(&alice, &file, "width=32&height=32")), (32, 32));
    assert_eq!(server.blobs().keys().len(), 1);
}

/// A file of almost two megabytes that no algorithm makes smaller.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let pixel = |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [red, green, blue, _] = state.to_le_bytes();
        Rgb([red, green, blue])
    };
    let mut bytes = Vec::new();
    let image = DynamicImage::ImageRgb8(RgbImage::from_fn(800, 800, pixel));
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    assert!((1_900_000..2_000_000).contains(&bytes.len()), "{}", bytes.len());
    bytes
}

#[test]
fn a_thumbnail_waits_while_much_is_read_and_is_refused_after_ten_seconds() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let files: Vec<String> = (0..9).map(|number| upload(&alice, "image/png", noise(number * 7 + 3))).collect();
    server.blobs().set_hanging(true);
    let uri = |file: &str| format!("/_matrix/client/v1/media/thumbnail/{file}?width=32&height=32&method=crop");
    let hanging: Vec<_> =
        files.iter().take(8).map(|file| server.start(alice.request(Method::GET, &uri(file), None))).collect();
    server.settle();
    server.blobs().set_hanging(false);

    let started_at = server.now();
    let refused = thumbnail(&alice, &files[8], "width=32&height=32&method=crop").refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!((&refused["retry_after_ms"], server.now() - started_at), (&2_000.into(), 10_000));

    // What hangs for half a minute is given up, and who waits then goes on.
    server.advance(12_000);
    assert_eq!(size(&thumbnail(&alice, &files[8], "width=32&height=32&method=crop")), (32, 32));
    assert_eq!(server.now() - started_at, 30_000);
    drop(hanging);
}

#[test]
fn a_signed_address_opens_one_picture_small_and_for_everybody_and_nothing_else() {
    use hubbub_core::media::public_avatar;
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = |file: String| file.split_once('/').unwrap().1.to_owned();
    let avatar = id(upload(&alice, "image/png", encoded(1000, 500, ImageFormat::Png)));
    let other = id(upload(&alice, "image/png", encoded(500, 500, ImageFormat::Png)));
    let text = id(upload(&alice, "text/plain", b"words".to_vec()));
    let path = |media_id: &str| public_avatar::path(&server.context().config.secrets, media_id);

    let opened = server.get(&path(&avatar));
    assert_eq!(size(&opened), (320, 240));
    assert!(opened.header("cache-control").unwrap().starts_with("public"));
    assert!(opened.header("content-security-policy").unwrap().starts_with("sandbox"));
    // The signature of one opens no other, and what is no picture is not shown.
    let signature = path(&avatar).rsplit_once('/').unwrap().1.to_owned();
    for (media_id, signature) in [(&other, signature.as_str()), (&avatar, ""), (&avatar, "forged"), (&other, &avatar)] {
        let wanted = format!("/_hubbub/avatars/{media_id}/{signature}");
        assert_eq!(server.get(&wanted).status, 404, "{wanted}");
    }
    assert_ne!(server.get(&path(&text)).status, 200);
    assert_eq!(server.get(&path("never-made")).status, 404);
}
