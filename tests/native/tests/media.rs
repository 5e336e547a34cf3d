//! Files: up and down, in parts, into reserved ids, and what no file may do to its reader.

use http::{Method, Request, header};
use hubbub_native::{Client, Reply, TestServer, client::with_query, server::MAX_UPLOAD_BYTES};
use ruma::http_headers::{ContentDisposition, ContentDispositionType};
use serde_json::json;

const UPLOAD: &str = "/_matrix/media/v3/upload";

/// A request with a file in its body.
fn carrying(client: &Client, method: Method, uri: &str, content_type: Option<&str>, body: &[u8]) -> Request<Vec<u8>> {
    let mut request = client.request(method, uri, None);
    if let Some(content_type) = content_type {
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    }
    *request.body_mut() = body.to_vec();
    request
}

fn upload_to(client: &Client, uri: &str, content_type: Option<&str>, body: &[u8]) -> Reply {
    client.server.request(carrying(client, Method::POST, uri, content_type, body))
}

/// `server/id` of a new file.
fn upload(client: &Client, content_type: &str, body: &[u8]) -> String {
    path_of(upload_to(client, UPLOAD, Some(content_type), body))
}

fn path_of(uploaded: Reply) -> String {
    let uri = uploaded.ok()["content_uri"].as_str().expect("an address").to_owned();
    uri.strip_prefix("mxc://").expect("an mxc address").to_owned()
}

fn get(client: &Client, uri: &str) -> Reply {
    client.ask(Method::GET, uri, None)
}

fn download(client: &Client, file: &str) -> Reply {
    get(client, &format!("/_matrix/client/v1/media/download/{file}"))
}

fn with_header(client: &Client, file: &str, name: &str, value: &str) -> Reply {
    let mut request = client.request(Method::GET, &format!("/_matrix/client/v1/media/download/{file}"), None);
    request.headers_mut().insert(header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    client.server.request(request)
}

fn disposition(reply: &Reply) -> ContentDisposition {
    reply.header("content-disposition").expect("a disposition").parse().expect("it can be read")
}

fn reserve(client: &Client) -> String {
    path_of(client.ask(Method::POST, "/_matrix/media/v1/create", None))
}

fn fill(client: &Client, file: &str, body: &[u8]) -> Reply {
    let uri = format!("/_matrix/media/v3/upload/{file}");
    client.server.request(carrying(client, Method::PUT, &uri, Some("image/png"), body))
}

#[test]
fn a_file_comes_back_as_it_was_uploaded_to_whoever_has_a_token() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let file = upload(&alice, "img/png", b"not really a picture");
    assert!(file.starts_with("hub.example/"));

    for path in ["/_matrix/client/v1/media", "/_matrix/media/v3", "/_matrix/media/r0"] {
        let reply = get(&bob, &format!("{path}/download/{file}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.body, b"not really a picture");
        assert_eq!(reply.header("content-type"), Some("img/png"));
        assert_eq!(reply.header("content-length"), Some("20"));
    }
}

#[test]
fn a_file_without_a_type_is_bytes_and_an_empty_file_is_a_file() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let untyped = path_of(upload_to(&alice, UPLOAD, None, b"x"));
    assert_eq!(download(&alice, &untyped).header("content-type"), Some("application/octet-stream"));
    let empty = upload(&alice, "text/plain", b"");
    let reply = download(&alice, &empty);
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn nothing_of_a_file_is_told_without_a_token() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "text/plain", b"secret");
    for path in ["download/", "thumbnail/"] {
        server.get(&format!("/_matrix/client/v1/media/{path}{file}")).refused(401, "M_MISSING_TOKEN");
        server.get(&format!("/_matrix/media/v3/{path}{file}")).refused(404, "M_NOT_FOUND");
        let reply = server.send(Method::GET, &format!("/_matrix/media/v3/{path}{file}"), Some("forged"), None);
        reply.refused(404, "M_NOT_FOUND");
    }
    server
        .get("/_matrix/client/v1/media/download/hub.example/mxc:%2F%2Fhub.example%2Fx")
        .refused(401, "M_MISSING_TOKEN");
    server.get("/_matrix/client/v1/media/config").refused(401, "M_MISSING_TOKEN");
    server.get("/_matrix/client/v1/media/preview_url?url=x").refused(401, "M_MISSING_TOKEN");
    for (method, path) in [(Method::POST, "upload"), (Method::PUT, "upload/hub.example/x")] {
        server.send(method, &format!("/_matrix/media/v3/{path}"), None, None).refused(401, "M_MISSING_TOKEN");
    }
    server.send(Method::POST, "/_matrix/media/v1/create", None, None).refused(401, "M_MISSING_TOKEN");
}

#[test]
fn files_that_do_not_exist_or_are_of_another_server_are_not_found() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "text/plain", b"x");
    let id = file.strip_prefix("hub.example/").unwrap();
    download(&alice, "hub.example/nothing").refused(404, "M_NOT_FOUND");
    download(&alice, &format!("elsewhere.example/{id}?allow_remote=true&allow_redirect=true"))
        .refused(404, "M_NOT_FOUND");
    for query in ["allow_remote=perhaps", "allow_redirect=1", "timeout_ms=-1"] {
        download(&alice, &format!("{file}?{query}")).refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(download(&alice, &format!("{file}?allow_remote=false&timeout_ms=0")).status, 200);
}

#[test]
fn file_names_survive_and_the_path_has_the_last_word() {
    let server = TestServer::new();
    let alice = server.account("alice");
    for name in
        ["ascii", "name with spaces", "name;with;semicolons", "quo\"te", "back\\slash", "🦑", "a.txt\r\nX-Evil: 1"]
    {
        let uri = with_query(UPLOAD.to_owned(), &[("filename", name)]);
        let file = path_of(upload_to(&alice, &uri, Some("text/plain"), b"x"));
        let reply = download(&alice, &file);
        let kept: String = name.chars().filter(|character| !character.is_control()).collect();
        assert_eq!(disposition(&reply).filename.as_deref(), Some(kept.as_str()));
        assert!(reply.header("x-evil").is_none());
        let renamed = download(&alice, &format!("{file}/other%F0%9F%90%99.png"));
        assert_eq!(disposition(&renamed).filename.as_deref(), Some("other🐙.png"));
    }
    let nameless = upload(&alice, "text/plain", b"x");
    assert_eq!(disposition(&download(&alice, &nameless)).filename, None);
    let long = with_query(UPLOAD.to_owned(), &[("filename", &"n".repeat(2000))]);
    upload_to(&alice, &long, None, b"x").refused(400, "M_INVALID_PARAM");
}

#[test]
fn only_what_no_browser_runs_is_shown_in_place() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let kinds = [
        ("image/png", ContentDispositionType::Inline),
        ("Text/Plain; charset=utf-8", ContentDispositionType::Inline),
        ("text/html", ContentDispositionType::Attachment),
        ("image/svg+xml", ContentDispositionType::Attachment),
        ("application/xhtml+xml", ContentDispositionType::Attachment),
        ("text/javascript", ContentDispositionType::Attachment),
        ("nonsense", ContentDispositionType::Attachment),
    ];
    for (content_type, kind) in kinds {
        let file = upload(&alice, content_type, b"<script>alert(1)</script>");
        for path in ["/_matrix/client/v1/media", "/_matrix/media/v3"] {
            let reply = get(&alice, &format!("{path}/download/{file}"));
            assert_eq!(disposition(&reply).disposition_type, kind, "{content_type}");
            let policy = reply.header("content-security-policy").expect("a policy");
            assert!(policy.starts_with("sandbox; default-src 'none'; script-src 'none';"), "{policy}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
            assert_eq!(reply.header("cache-control"), Some("private, max-age=31536000, immutable"));
        }
    }
}

#[test]
fn a_part_of_a_file_is_sent_when_it_is_asked_for() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "video/mp4", b"0123456789");

    let part = with_header(&alice, &file, "range", "bytes=2-4");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("content-length"), Some("3"));
    let end = with_header(&alice, &file, "range", "bytes=-3");
    assert_eq!((end.status, end.text().as_str()), (206, "789"));
    let whole = with_header(&alice, &file, "range", "bytes=0-1,4-5");
    assert_eq!(
        (whole.status, whole.text().as_str(), whole.header("accept-ranges")),
        (200, "0123456789", Some("bytes"))
    );

    let outside = with_header(&alice, &file, "range", "bytes=10-");
    assert_eq!(outside.header("content-range"), Some("bytes */10"));
    outside.refused(416, "M_INVALID_PARAM");
}

#[test]
fn a_file_that_the_client_has_is_not_sent_again() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "video/mp4", b"0123456789");
    let etag = download(&alice, &file).header("etag").expect("a tag").to_owned();

    for known in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
        let reply = with_header(&alice, &file, "if-none-match", &known);
        assert_eq!((reply.status, reply.body.len(), reply.header("etag")), (304, 0, Some(etag.as_str())));
    }
    assert_eq!(with_header(&alice, &file, "if-none-match", "\"other\"").status, 200);
    // A part of another version completes nothing.
    let mut request = alice.request(Method::GET, &format!("/_matrix/client/v1/media/download/{file}"), None);
    request.headers_mut().insert(header::RANGE, "bytes=1-2".parse().unwrap());
    request.headers_mut().insert(header::IF_RANGE, "\"other\"".parse().unwrap());
    assert_eq!(server.request(request.clone()).status, 200);
    request.headers_mut().insert(header::IF_RANGE, etag.parse().unwrap());
    assert_eq!(server.request(request).status, 206);
}

#[test]
fn head_says_what_get_would() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "text/plain", b"0123456789");
    let reply = alice.ask(Method::HEAD, &format!("/_matrix/client/v1/media/download/{file}"), None);
    assert_eq!((reply.status, reply.body.len(), reply.header("content-length")), (200, 0, Some("10")));
}

#[test]
fn the_limit_of_a_file_is_told_and_kept() {
    let server = TestServer::new();
    let alice = server.account("alice");
    for path in ["/_matrix/client/v1/media/config", "/_matrix/media/v3/config", "/_matrix/media/r0/config"] {
        assert_eq!(get(&alice, path).ok()["m.upload.size"], MAX_UPLOAD_BYTES);
    }
    let most = usize::try_from(MAX_UPLOAD_BYTES).unwrap();
    upload(&alice, "text/plain", &vec![7; most]);
    upload_to(&alice, UPLOAD, None, &vec![7; most + 1]).refused(413, "M_TOO_LARGE");
    let reserved = reserve(&alice);
    fill(&alice, &reserved, &vec![7; most + 1]).refused(413, "M_TOO_LARGE");
    assert_eq!(server.blobs().keys().len(), 1);
}

#[test]
fn a_reserved_id_takes_one_file_of_the_user_who_reserved_it() {
    let server = TestServer::new();
    let (alice, mallory) = (server.account("alice"), server.account("mallory"));
    let created = alice.ask(Method::POST, "/_matrix/media/v1/create", None).ok();
    assert_eq!(created["unused_expires_at"], server.now() + 24 * 60 * 60 * 1000);
    let file = created["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();

    fill(&mallory, &file, b"mine").refused(403, "M_FORBIDDEN");
    fill(&alice, "hub.example/unknown", b"x").refused(404, "M_NOT_FOUND");
    fill(&alice, "elsewhere.example/unknown", b"x").refused(404, "M_NOT_FOUND");
    let uri = format!("/_matrix/media/v3/upload/{file}?filename=pic.png");
    server.request(carrying(&alice, Method::PUT, &uri, Some("image/png"), b"the picture")).ok();
    let reply = download(&mallory, &file);
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("the picture", Some("image/png")));
    assert_eq!(disposition(&reply).filename.as_deref(), Some("pic.png"));

    fill(&alice, &file, b"another").refused(409, "M_CANNOT_OVERWRITE_MEDIA");
    fill(&alice, &file, b"").refused(409, "M_CANNOT_OVERWRITE_MEDIA");
    let uploaded = upload(&alice, "text/plain", b"at once");
    fill(&alice, &uploaded, b"another").refused(409, "M_CANNOT_OVERWRITE_MEDIA");
    assert_eq!(download(&alice, &file).text(), "the picture");
}

#[test]
fn two_uploads_into_one_reserved_id_leave_one_file() {
    for seed in 0..20 {
        let server = TestServer::with(hubbub_native::Options { seed, ..hubbub_native::Options::default() });
        let alice = server.account("alice");
        let file = reserve(&alice);
        let uri = format!("/_matrix/media/v3/upload/{file}");
        let bodies = [b"first".as_slice(), b"second"];
        let started = bodies.map(|body| server.start(carrying(&alice, Method::PUT, &uri, None, body)));
        let statuses = started.map(|started| server.finish(&started).status);
        let winner = statuses.iter().position(|status| *status == 200).expect("one wins");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.contains(&409), "{statuses:?}");
        assert_eq!(download(&alice, &file).body, bodies[winner]);
        assert_eq!(server.blobs().keys().len(), 1);
    }
}

#[test]
fn a_download_waits_for_a_file_that_is_announced() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = reserve(&alice);
    let before = server.now();
    for path in ["/_matrix/client/v1/media/download", "/_matrix/media/v3/download"] {
        get(&alice, &format!("{path}/{file}?timeout_ms=0")).refused(504, "M_NOT_YET_UPLOADED");
    }
    assert_eq!(server.now(), before);
    get(&alice, &format!("/_matrix/client/v1/media/download/{file}?timeout_ms=3000"))
        .refused(504, "M_NOT_YET_UPLOADED");
    assert_eq!(server.now() - before, 3000);
    let thumbnail = format!("/_matrix/client/v1/media/thumbnail/{file}?width=32&height=32&timeout_ms=10");
    get(&alice, &thumbnail).refused(504, "M_NOT_YET_UPLOADED");
    // By default 20 s, however much is asked for at most a minute.
    let before = server.now();
    download(&alice, &file).refused(504, "M_NOT_YET_UPLOADED");
    assert_eq!(server.now() - before, 20_000);
    download(&alice, &format!("{file}?timeout_ms=99999999999")).refused(504, "M_NOT_YET_UPLOADED");
    assert_eq!(server.now() - before, 80_000);

    let uri = format!("/_matrix/client/v1/media/download/{file}?timeout_ms=30000");
    let waiting = server.start(alice.request(Method::GET, &uri, None));
    fill(&alice, &file, b"at last").ok();
    assert_eq!(server.finish(&waiting).text(), "at last");
}

#[test]
fn a_reservation_expires_after_a_day() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = reserve(&alice);
    server.advance(24 * 60 * 60 * 1000);
    fill(&alice, &file, b"late").refused(404, "M_NOT_FOUND");
    download(&alice, &file).refused(404, "M_NOT_FOUND");
}

#[test]
fn a_user_may_have_so_many_reservations_only() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let files: Vec<String> = (0..100).map(|_| reserve(&alice)).collect();
    let refused = alice.ask(Method::POST, "/_matrix/media/v1/create", Some(&json!({})));
    assert!(refused.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"].is_number());
    reserve(&bob);
    fill(&alice, &files[3], b"x").ok();
    reserve(&alice);
    alice.ask(Method::POST, "/_matrix/media/v1/create", None).refused(429, "M_LIMIT_EXCEEDED");
    server.advance(24 * 60 * 60 * 1000);
    reserve(&alice);
}

#[test]
fn equal_files_share_their_bytes_and_nothing_else() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let first = upload(&alice, "text/plain", b"the same");
    let second = upload(&bob, "image/png", b"the same");
    assert_ne!(first, second);
    assert_eq!(server.blobs().keys().len(), 1);
    assert_eq!(download(&alice, &first).header("content-type"), Some("text/plain"));
    assert_eq!(download(&alice, &second).header("content-type"), Some("image/png"));
}

#[test]
fn a_store_that_fails_is_our_fault_and_leaves_nothing() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let file = upload(&alice, "text/plain", b"x");
    server.blobs().set_failing(true);
    upload_to(&alice, UPLOAD, None, b"y").refused(500, "M_UNKNOWN");
    download(&alice, &file).refused(500, "M_UNKNOWN");
    server.blobs().set_failing(false);
    assert_eq!(server.blobs().keys().len(), 1);
    assert_eq!(download(&alice, &file).text(), "x");
}

#[test]
fn other_methods_on_these_paths_are_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    alice.ask(Method::PATCH, UPLOAD, None).refused(405, "M_UNRECOGNIZED");
    get(&alice, "/_matrix/media/v3/unknown").refused(404, "M_UNRECOGNIZED");
}

#[test]
fn a_link_opens_one_file_without_a_token_until_it_is_revoked() {
    use hubbub_storage::directory::media_links;
    let server = TestServer::new();
    let alice = server.register("alice");
    let file = upload(&alice, "image/png", b"bytes");
    let media_id = file.split_once('/').unwrap().1.to_owned();
    let open = |link: &str| {
        server.request(hubbub_native::client::request(Method::GET, &format!("/_hubbub/files/{link}"), None, None))
    };

    assert_eq!(open("never-made").status, 404);
    let (context, id) = (std::rc::Rc::clone(server.context()), media_id.clone());
    server.run(async move { media_links::put(context.directory.as_ref(), "the-link", &id, 1).await }).unwrap();
    let opened = open("the-link");
    assert_eq!((opened.status, &opened.body[..]), (200, &b"bytes"[..]));
    assert!(opened.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    // The link tells nothing by which other paths open.
    assert_eq!(open(&media_id).status, 404);
    assert_eq!(open(&"x".repeat(100)).status, 404);

    let context = std::rc::Rc::clone(server.context());
    server.run(async move { media_links::revoke(context.directory.as_ref(), "the-link").await }).unwrap();
    assert_eq!(open("the-link").status, 404);
}
