//! Files on the real platform: they stream between the client and R2, in parts if it must be.

use std::io::Cursor;

use hubbub_conformance::User;
use hubbub_integration::{Server, eventually};
use image::{DynamicImage, GenericImageView as _, ImageFormat, Rgb, RgbImage};
use reqwest::Response;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Bytes that look random, so that nothing is found by chance.
fn bytes(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..count).map(|_| next()).collect()
}

/// `server/id` of a new file.
async fn upload(server: &Server, user: &User, content_type: &str, body: Vec<u8>) -> String {
    let request = server.http.post(server.address("/_matrix/media/v3/upload?filename=file"));
    let request = request.bearer_auth(&user.token).header("content-type", content_type).body(body);
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let answer = response.text().await.expect("a body");
    assert_eq!(status, 200, "{answer}");
    path_of(&answer)
}

fn path_of(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).expect("JSON");
    answer["content_uri"].as_str().and_then(|uri| uri.strip_prefix("mxc://")).expect("an address").to_owned()
}

async fn get(server: &Server, user: &User, path: &str, range: Option<&str>) -> Response {
    let mut request =
        server.http.get(server.address(&format!("/_matrix/client/v1/media/{path}"))).bearer_auth(&user.token);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    request.send().await.expect("an answer")
}

async fn memory(server: &Server) -> i64 {
    server.operations().await["memory_bytes"].as_i64().expect("a count of bytes")
}

/// An upload as chunks of a length that nobody told; returns the whole answer.
async fn upload_in_chunks(server: &Server, user: &User, body: &[u8]) -> String {
    let host = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    let head = format!(
        "POST /_matrix/media/v3/upload HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-type: video/mp4\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        user.token
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    for chunk in body.chunks(100_000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.expect("sent");
        stream.write_all(chunk).await.expect("sent");
        stream.write_all(b"\r\n").await.expect("sent");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn a_megabyte_goes_up_and_comes_down_again() {
    let server = Server::shared();
    let user = server.user("media").await;
    let body = bytes(1_000_000, 7);

    let file = upload(&server, &user, "image/png", body.clone()).await;

    let response = get(&server, &user, &format!("download/{file}"), None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], "1000000");
    assert_eq!(response.headers()["content-type"], "image/png");
    assert!(response.bytes().await.expect("a body") == body);
}

#[tokio::test]
async fn thirty_megabytes_pass_without_the_program_growing() {
    let server = Server::alone().await;
    let user = server.user("media").await;
    upload(&server, &user, "video/mp4", bytes(1_000_000, 3)).await;
    let body = bytes(30_000_000, 5);
    let before = memory(&server).await;

    let file = upload(&server, &user, "video/mp4", body.clone()).await;
    let response = get(&server, &user, &format!("download/{file}"), None).await;
    let same = response.bytes().await.expect("a body") == body;

    assert!(same);
    let grown = memory(&server).await - before;
    assert!(grown < 4_000_000, "the program grew by {grown} bytes");
}

#[tokio::test]
async fn a_file_of_untold_length_is_stored_in_parts() {
    let server = Server::shared();
    let user = server.user("media").await;
    for size in [0, 12_345, 8 * 1024 * 1024, 20_000_000] {
        let body = bytes(size, 11);
        let answer = upload_in_chunks(&server, &user, &body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let json = answer.lines().find(|line| line.starts_with('{')).expect("JSON");
        let response = get(&server, &user, &format!("download/{}", path_of(json)), None).await;
        assert!(response.bytes().await.expect("a body") == body, "{size}");
    }
}

#[tokio::test]
async fn parts_of_a_file_are_sent() {
    let server = Server::shared();
    let user = server.user("media").await;
    let body = bytes(300_000, 13);
    let file = format!("download/{}", upload(&server, &user, "video/mp4", body.clone()).await);

    let part = get(&server, &user, &file, Some("bytes=100000-199999")).await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 100000-199999/300000".parse().expect("a value"))
    );
    assert!(part.bytes().await.expect("a body") == body[100_000..200_000]);
    let end = get(&server, &user, &file, Some("bytes=-5")).await;
    assert!(end.bytes().await.expect("a body") == body[299_995..]);
    let outside = get(&server, &user, &file, Some("bytes=300000-")).await;
    assert_eq!(
        (outside.status().as_u16(), &outside.headers()["content-range"]),
        (416, &"bytes */300000".parse().expect("a value"))
    );

    let etag = get(&server, &user, &file, None).await.headers()["etag"].clone();
    let request = server.http.get(server.address(&format!("/_matrix/client/v1/media/{file}")));
    let known = request.bearer_auth(&user.token).header("if-none-match", &etag).send().await.expect("an answer");
    assert_eq!(known.status(), 304);
    let head = server.http.head(server.address(&format!("/_matrix/client/v1/media/{file}")));
    let head = head.bearer_auth(&user.token).send().await.expect("an answer");
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"300000".parse().expect("a value")));
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_is_too_large_harms_nothing() {
    let server = Server::shared();
    let user = server.user("media").await;
    let host = server.url.trim_start_matches("http://");
    let head = |length: u64| {
        format!(
            "POST /_matrix/media/v3/upload HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
            user.token
        )
    };
    for _ in 0..5 {
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        stream.write_all(head(1_000_000).as_bytes()).await.expect("sent");
        stream.write_all(&bytes(400_000, 17)).await.expect("sent");
    }
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    stream.write_all(head(100_000_001).as_bytes()).await.expect("sent");
    let (mut answer, mut part) = (String::new(), vec![0; 4096]);
    while !answer.ends_with('}') {
        let length = stream.read(&mut part).await.expect("an answer");
        assert!(length > 0, "the answer broke off: {answer}");
        answer.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("M_TOO_LARGE"), "{answer}");

    let body = bytes(50_000, 19);
    let file = upload(&server, &user, "text/plain", body.clone()).await;
    let response = get(&server, &user, &format!("download/{file}"), None).await;
    assert!(response.bytes().await.expect("a body") == body);
}

#[tokio::test]
async fn thumbnails_are_made_of_real_images() {
    let server = Server::shared();
    let user = server.user("media").await;
    let pixel = |x: u32, y: u32| Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], (x ^ y).to_le_bytes()[0]]);
    let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(1600, 1200, pixel));
    for (format, content_type) in [(ImageFormat::Png, "image/png"), (ImageFormat::Jpeg, "image/jpeg")] {
        let mut encoded = Vec::new();
        picture.write_to(&mut Cursor::new(&mut encoded), format).expect("an image");
        let file = upload(&server, &user, content_type, encoded).await;
        for (query, size) in [
            ("width=32&height=32&method=scale", (32, 24)),
            ("width=64&height=64&method=crop", (96, 96)),
            ("width=800&height=600&method=scale", (800, 600)),
        ] {
            // The second one is the one that was kept.
            for _ in 0..2 {
                let response = get(&server, &user, &format!("thumbnail/{file}?{query}"), None).await;
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()["content-type"], content_type);
                let thumbnail = image::load_from_memory(&response.bytes().await.expect("a body")).expect("an image");
                assert_eq!(thumbnail.dimensions(), size);
            }
        }
    }
}

#[tokio::test]
async fn a_download_waits_for_its_upload() {
    let server = Server::shared();
    let user = server.user("media").await;
    let created = server.http.post(server.address("/_matrix/media/v1/create")).bearer_auth(&user.token);
    let file = path_of(&created.send().await.expect("an answer").text().await.expect("a body"));
    let later = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let request = server.http.put(server.address(&format!("/_matrix/media/v3/upload/{file}")));
        request.bearer_auth(&user.token).body("at last").send().await.expect("an answer").status()
    };
    let path = format!("download/{file}?timeout_ms=10000");
    let (downloaded, uploaded) = tokio::join!(get(&server, &user, &path, None), later);
    assert_eq!(uploaded, 200);
    assert_eq!(downloaded.text().await.expect("a body"), "at last");
}

#[tokio::test]
async fn the_operator_deletes_a_file() {
    let server = Server::shared();
    let user = server.user("media").await;
    let file = upload(&server, &user, "text/plain", b"to be deleted".to_vec()).await;

    let deleted = server.post("delete-media", &json!({"uploader": user.id})).await.ok();

    assert_eq!(deleted, json!({"deleted": 1}));
    eventually("the file is gone", async || {
        let status = get(&server, &user, &format!("download/{file}"), None).await.status();
        (status == 404).then_some(())
    })
    .await;
}

/// A photograph of about 12 MB, which would have 38 MB decoded.
fn large_photo() -> Vec<u8> {
    let noise = bytes(3 * 3_600 * 3_500, 17);
    let image = RgbImage::from_raw(3_600, 3_500, noise).expect("enough bytes");
    let mut encoded = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut encoded, 48).encode_image(&image).expect("a JPEG");
    encoded
}

#[tokio::test]
async fn many_thumbnails_of_a_large_photo_at_once_stay_within_the_memory_of_an_isolate() {
    let server = Server::alone().await;
    let user = server.user("media").await;
    let photo = large_photo();
    assert!((10_000_000..12 * 1024 * 1024).contains(&photo.len()), "{}", photo.len());
    let file = upload(&server, &user, "image/jpeg", photo).await;

    let queries = ["32&height=32", "96&height=96", "320&height=240", "640&height=480", "800&height=600"];
    let asked = queries.into_iter().flat_map(|size| ["crop", "scale"].map(|method| format!("{size}&method={method}")));
    let mut asking = tokio::task::JoinSet::new();
    for query in asked {
        let request = format!("/_matrix/client/v1/media/thumbnail/{file}?width={query}");
        let request = server.http.get(server.address(&request)).bearer_auth(&user.token);
        asking.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
    }
    let statuses = asking.join_all().await;

    // One that waited ten seconds is told to come again.
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    let memory = memory(&server).await;
    assert!(memory < 100_000_000, "{memory} bytes");
    let later = get(&server, &user, &format!("thumbnail/{file}?width=64&height=64&method=crop"), None).await;
    assert_eq!(later.status(), 200);
}
