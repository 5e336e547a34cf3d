//! What a page says of itself. The page is served here, so the homeserver must be allowed to call this machine.

use hubbub_conformance::Homeserver;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const PAGE: &str = r#"<html prefix="og: https://ogp.me/ns#"><head><title>The tab</title>
<meta property="og:title" content="The Rock" />
<meta property="og:type" content="video.movie" />
<meta property="og:url" content="https://pages.example/the-rock/" />
<meta property="og:image" content="picture.png" />
</head><body></body></html>"#;

/// A PNG of 279 x 129 pixels of one bit, black, with its pixels in blocks that are not compressed.
fn picture() -> Vec<u8> {
    let (width, height) = (279_u32, 129_u16);
    let pixels = vec![0; (width.div_ceil(8) + 1) as usize * usize::from(height)];
    let length = u16::try_from(pixels.len()).expect("a small picture");
    let mut data = vec![0x78, 0x01, 0x01];
    data.extend(length.to_le_bytes());
    data.extend((!length).to_le_bytes());
    data.extend(&pixels);
    // Adler-32 of zeros.
    data.extend(((u32::from(length) << 16) | 1).to_be_bytes());
    let mut header = width.to_be_bytes().to_vec();
    header.extend(u32::from(height).to_be_bytes());
    header.extend([1, 0, 0, 0, 0]);
    let chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", Vec::new())];
    chunks.iter().fold(b"\x89PNG\r\n\x1a\n".to_vec(), |mut png, (name, data)| {
        png.extend(u32::try_from(data.len()).expect("a small chunk").to_be_bytes());
        let checked = [name.as_slice(), data].concat();
        png.extend(&checked);
        png.extend(crc32(&checked).to_be_bytes());
        png
    })
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = vec![0; 8192];
    let length = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let (content_type, body) = match request.split(' ').nth(1) {
        Some("/test.html") => ("text/html", PAGE.as_bytes().to_vec()),
        Some("/picture.png") => ("image/png", picture()),
        _ => ("text/plain", b"nothing".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await
}

/// Suite: TestUrlPreview
#[tokio::test]
async fn a_page_is_previewed_with_its_image() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let pages = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/test.html", pages.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = pages.accept().await {
            tokio::spawn(answer(stream));
        }
    });

    let found = alice.path(Method::GET, "/_matrix/media/v3/preview_url").query("url", &url).await.ok();

    assert_eq!(found["og:title"], "The Rock");
    assert_eq!(found["og:type"], "video.movie");
    assert_eq!(found["og:url"], "https://pages.example/the-rock/");
    assert_eq!(found["matrix:image:size"], picture().len());
    assert_eq!(found["og:image:width"], 279);
    assert_eq!(found["og:image:height"], 129);
    let image = found["og:image"].as_str().expect("an image");
    assert!(image.starts_with("mxc://"), "{image}");
}
