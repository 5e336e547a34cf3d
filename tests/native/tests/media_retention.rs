//! Files are deleted with their last name, and a crash at any step leaves neither lost nor orphan bytes.

use std::{collections::BTreeSet, pin::pin, rc::Rc, task::Poll};

use http::{Method, header};
use hubbub_core::media::{retention, upload};
use hubbub_native::{Client, Reply, TestServer, client::with_query};
use hubbub_storage::{
    blobs::Body,
    database::{DatabaseError, Row},
    directory::{self, media::Description, url_previews},
};
use ruma::user_id;
use serde_json::json;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn upload(client: &Client, body: &[u8]) -> String {
    let mut request = client.request(Method::POST, "/_matrix/media/v3/upload", None);
    request.headers_mut().insert(header::CONTENT_TYPE, "image/png".parse().unwrap());
    *request.body_mut() = body.to_vec();
    let uri = client.server.request(request).ok()["content_uri"].as_str().unwrap().to_owned();
    uri.rsplit('/').next().unwrap().to_owned()
}

fn download(client: &Client, id: &str) -> Reply {
    client.ask(Method::GET, &format!("/_matrix/client/v1/media/download/hub.example/{id}"), None)
}

fn rows(server: &TestServer, sql: &'static str) -> Vec<Row> {
    let context = Rc::clone(server.context());
    let rows = server.run(async move { directory::run(context.directory.as_ref(), sql, Vec::new()).await });
    rows.unwrap()
}

fn texts(server: &TestServer, sql: &'static str) -> BTreeSet<String> {
    rows(server, sql).iter().map(|row| row.text(0)).collect::<Result<_, DatabaseError>>().unwrap()
}

fn sweep(server: &TestServer) {
    let context = Rc::clone(server.context());
    server.run(async move { retention::sweep(&context).await }).unwrap();
}

fn delete_many(server: &TestServer, what: serde_json::Value) -> serde_json::Value {
    server.admin(Method::POST, "delete-media", &what).ok()
}

/// R2 holds what D1 names and nothing else, and each hash is counted as often as it is used.
#[track_caller]
fn assert_tidy(server: &TestServer) {
    let mut keys: BTreeSet<String> = server.blobs().keys().into_iter().collect();
    let named = texts(server, "SELECT r2_key FROM blobs");
    // Thumbnails lie beside what they were made of.
    keys.retain(|key| key.matches('/').count() == 1 || !named.iter().any(|name| key.starts_with(name)));
    assert_eq!(keys, named);
    let wrong = "SELECT b.hash FROM blobs b WHERE b.uses <> (SELECT COUNT(*) FROM media m WHERE m.hash = b.hash)";
    assert_eq!(texts(server, wrong), BTreeSet::new());
    let lost = "SELECT m.media_id FROM media m LEFT JOIN blobs b ON b.hash = m.hash WHERE m.hash IS NOT NULL AND b.hash IS NULL";
    assert_eq!(texts(server, lost), BTreeSet::new());
    assert_eq!(texts(server, "SELECT r2_key FROM unowned_blobs"), BTreeSet::new());
}

/// A PNG that is large enough for a thumbnail.
fn picture() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::DynamicImage::new_rgb8(200, 200);
    picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

#[test]
fn the_operator_deletes_one_file_with_its_thumbnails() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = upload(&alice, &picture());
    let kept = upload(&alice, b"kept");
    let thumbnail = format!("/_matrix/client/v1/media/thumbnail/hub.example/{id}?width=32&height=32&method=crop");
    assert_eq!(alice.ask(Method::GET, &thumbnail, None).status, 200);
    assert_eq!(server.blobs().keys().len(), 3);

    server.admin(Method::DELETE, &format!("media/{id}"), &json!({})).ok();

    download(&alice, &id).refused(404, "M_NOT_FOUND");
    alice.ask(Method::GET, &thumbnail, None).refused(404, "M_NOT_FOUND");
    assert_eq!(server.blobs().keys().len(), 1);
    assert_eq!(download(&alice, &kept).text(), "kept");
    server.admin(Method::DELETE, &format!("media/{id}"), &json!({})).refused(404, "M_NOT_FOUND");
    server.advance(2 * DAY);
    sweep(&server);
    assert_tidy(&server);
}

#[test]
fn deletion_is_the_operators_alone() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = upload(&alice, b"x");
    let delete = format!("/_hubbub/admin/v1/media/{id}");
    alice.ask(Method::DELETE, &delete, None).refused(401, "M_UNKNOWN_TOKEN");
    let many = Some(json!({"unused_since": 9_000_000_000_000_i64}));
    alice.ask(Method::POST, "/_hubbub/admin/v1/delete-media", many.as_ref()).refused(401, "M_UNKNOWN_TOKEN");
    for what in [json!({}), json!({"unused_since": "yesterday"}), json!({"uploader": "@a:b.c", "unused_since": 1})] {
        server.admin(Method::POST, "delete-media", &what).refused(400, "M_BAD_JSON");
    }
    server.admin(Method::POST, "delete-media", &json!({"uploader": "alice"})).refused(400, "M_INVALID_PARAM");
    assert_eq!(download(&alice, &id).text(), "x");
}

#[test]
fn deleting_a_users_files_takes_nobody_elses_bytes() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let hers: Vec<String> = [b"shared".as_slice(), b"hers", b"hers"].map(|body| upload(&alice, body)).to_vec();
    let his = upload(&bob, b"shared");

    assert_eq!(delete_many(&server, json!({"uploader": alice.user_id})), json!({"deleted": 3}));

    for id in &hers {
        download(&alice, id).refused(404, "M_NOT_FOUND");
    }
    assert_eq!(download(&bob, &his).text(), "shared");
    assert_eq!(server.blobs().keys().len(), 1);
    assert_eq!(delete_many(&server, json!({"uploader": alice.user_id})), json!({"deleted": 0}));
    // What was deleted can come again.
    let again = upload(&alice, b"hers");
    assert_eq!(download(&alice, &again).text(), "hers");
    server.advance(2 * DAY);
    sweep(&server);
    assert_tidy(&server);
}

#[test]
fn what_nobody_used_for_a_while_can_be_deleted() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let (used, unused) = (upload(&alice, b"used"), upload(&alice, b"unused"));
    let reserved = alice.ask(Method::POST, "/_matrix/media/v1/create", None).ok();
    server.advance(10 * DAY);
    download(&alice, &used);
    let since = server.now() - 5 * DAY;

    assert_eq!(delete_many(&server, json!({"unused_since": since})), json!({"deleted": 1}));

    download(&alice, &unused).refused(404, "M_NOT_FOUND");
    assert_eq!(download(&alice, &used).text(), "used");
    assert!(reserved["content_uri"].is_string());
}

#[test]
fn a_use_is_written_down_once_a_day() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = upload(&alice, b"x");
    let used_at = || rows(&server, "SELECT used_at FROM media")[0].integer(0).unwrap();
    let uploaded = server.now();
    server.advance(DAY / 2);
    download(&alice, &id);
    assert_eq!(used_at(), uploaded);
    server.advance(DAY);
    download(&alice, &id);
    assert_eq!(used_at(), server.now());
}

#[test]
fn bytes_that_could_not_be_deleted_are_crons() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = upload(&alice, b"x");
    server.blobs().set_failing(true);
    server.admin(Method::DELETE, &format!("media/{id}"), &json!({})).refused(500, "M_UNKNOWN");
    server.blobs().set_failing(false);
    assert_eq!(server.blobs().keys().len(), 1);
    download(&alice, &id).refused(404, "M_NOT_FOUND");
    sweep(&server);
    assert_eq!(server.blobs().keys().len(), 1, "not before a day has passed");
    server.advance(2 * DAY);
    sweep(&server);
    assert_eq!(server.blobs().keys().len(), 0);
    assert_tidy(&server);
}

#[test]
fn a_reservation_that_was_never_filled_is_forgotten() {
    let server = TestServer::new();
    let alice = server.account("alice");
    alice.ask(Method::POST, "/_matrix/media/v1/create", None).ok();
    server.advance(DAY + 1);
    sweep(&server);
    assert_eq!(rows(&server, "SELECT media_id FROM media").len(), 1, "an upload may be under way");
    server.advance(DAY);
    sweep(&server);
    assert_eq!(rows(&server, "SELECT media_id FROM media").len(), 0);
}

/// Has a page previewed that shows an image of this color; the image's media id.
fn previewed(client: &Client, url: &str, color: u8) -> String {
    client.server.http().answer_by(move |request| {
        let mut image = Vec::new();
        let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([color, 0, 0]));
        picture.write_to(&mut std::io::Cursor::new(&mut image), image::ImageFormat::Png).unwrap();
        let page = format!("<title>Page</title><meta property='og:image' content='https://pages.example/{color}.png'>");
        let (content_type, body) =
            if request.uri().path().ends_with(".png") { ("image/png", image) } else { ("text/html", page.into()) };
        Ok(http::Response::builder().header("content-type", content_type).body(body).unwrap())
    });
    let path = with_query("/_matrix/client/v1/media/preview_url".to_owned(), &[("url", url)]);
    let answer = client.ask(Method::GET, &path, None).ok();
    answer["og:image"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn the_image_of_an_old_preview_goes_with_it_unless_it_is_still_looked_at() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let upload = upload(&alice, b"alice's own");
    let replaced = previewed(&alice, "https://pages.example/news", 1);
    let unused = previewed(&alice, "https://pages.example/unused", 2);
    let used = previewed(&alice, "https://pages.example/used", 3);
    // The same bytes as a preview's image, but a file of its own.
    let copied = previewed(&alice, "https://pages.example/other", 2);
    server.advance(20 * DAY);
    let current = previewed(&alice, "https://pages.example/news", 4);
    previewed(&alice, "https://pages.example/other", 2);
    download(&alice, &used);

    server.advance(9 * DAY);
    sweep(&server);
    for id in [&upload, &replaced, &unused, &used, &copied, &current] {
        assert_eq!(
            alice.ask(Method::HEAD, &format!("/_matrix/client/v1/media/download/hub.example/{id}"), None).status,
            200
        );
        // Looking once is the use that keeps it, so it is forgotten here.
        server
            .run({
                let context = Rc::clone(server.context());
                let params = vec![(server.now() - 29 * DAY).into(), id.as_str().into()];
                async move {
                    directory::run(
                        context.directory.as_ref(),
                        "UPDATE media SET used_at = ? WHERE media_id = ?",
                        params,
                    )
                    .await
                }
            })
            .unwrap();
    }
    download(&alice, &used);
    server.advance(2 * DAY);
    sweep(&server);

    for id in [&replaced, &unused] {
        download(&alice, id).refused(404, "M_NOT_FOUND");
    }
    for id in [&upload, &used, &copied, &current] {
        assert_eq!(download(&alice, id).status, 200);
    }
    let previews = texts(&server, "SELECT url FROM url_previews");
    let of = |page: &str| format!("https://pages.example/{page}");
    assert_eq!(previews, BTreeSet::from([of("news"), of("other"), of("used")]));
    server.advance(2 * DAY);
    sweep(&server);
    assert_tidy(&server);
}

#[test]
fn a_page_cannot_have_somebodys_file_deleted_by_naming_it() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let id = upload(&alice, b"alice's own");
    let context = Rc::clone(server.context());
    let body = json!({"og:image": format!("mxc://hub.example/{id}")}).to_string();
    let preview = url_previews::UrlPreview { body, image_source: None, fetched_at: server.now() };
    server
        .run(async move { url_previews::put(context.directory.as_ref(), "https://evil.example/", &preview).await })
        .unwrap();
    server.advance(40 * DAY);
    sweep(&server);
    assert_eq!(texts(&server, "SELECT url FROM url_previews"), BTreeSet::new());
    assert_eq!(download(&alice, &id).text(), "alice's own");
}

/// Runs a future for so many steps and then drops it, as a crash does. Whether it came to its end.
fn run_for<T>(steps: usize, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    (0..steps).any(|_| matches!(future.as_mut().poll(&mut context), Poll::Ready(_)))
}

#[test]
fn an_upload_that_dies_at_any_step_leaves_nothing_that_cron_does_not_find() {
    for duplicate in [false, true] {
        let mut steps = 0;
        loop {
            let server = TestServer::new();
            let alice = server.account("alice");
            let kept = upload(&alice, if duplicate { b"the bytes" } else { b"different" });
            let context = Rc::clone(server.context());
            let description = Description::default();
            let body = Body::Bytes(b"the bytes".to_vec());
            let whose = user_id!("@alice:hub.example");
            let done = run_for(steps, upload::upload(&context, whose, &description, body));
            server.advance(2 * DAY);
            sweep(&server);
            assert_tidy(&server);
            assert!(matches!(download(&alice, &kept).text().as_str(), "the bytes" | "different"));
            if done {
                break;
            }
            steps += 1;
        }
        assert!(steps >= 5, "{steps} steps");
    }
}

#[test]
fn a_deletion_that_dies_at_any_step_leaves_nothing_that_cron_does_not_find() {
    let mut steps = 0;
    loop {
        let server = TestServer::new();
        let alice = server.account("alice");
        let id = upload(&alice, &picture());
        let context = Rc::clone(server.context());
        let done = run_for(steps, retention::delete(&context, &id));
        server.advance(2 * DAY);
        sweep(&server);
        assert_tidy(&server);
        if done {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 3, "{steps} steps");
}

#[test]
fn cron_deletes_nothing_that_an_upload_still_adopts() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let context = Rc::clone(server.context());
    let description = Description::default();
    let whose = user_id!("@alice:hub.example");
    for steps in 1..20 {
        let mut uploading =
            Box::pin(upload::upload(&context, whose, &description, Body::Bytes(steps.to_string().into())));
        let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
        if (0..steps).any(|_| uploading.as_mut().poll(&mut waker).is_ready()) {
            break;
        }
        // It hangs for two days, and goes on when Cron was there.
        server.advance(2 * DAY);
        sweep(&server);
        let outcome = loop {
            if let Poll::Ready(outcome) = uploading.as_mut().poll(&mut waker) {
                break outcome;
            }
        };
        // Either it is there whole, or it was refused.
        if let Ok(uri) = outcome {
            let id = uri.as_str().rsplit('/').next().unwrap().to_owned();
            assert_eq!(download(&alice, &id).text(), steps.to_string());
        }
        server.advance(2 * DAY);
        sweep(&server);
        assert_tidy(&server);
    }
}
