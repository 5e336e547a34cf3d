//! What pages say of themselves, and what nobody may make the server fetch.

use std::{cell::RefCell, io::Cursor, rc::Rc};

use http::{Method, Request, Response};
use hubbub_api::{RateLimit, RateLimiter};
use hubbub_core::context::HttpError;
use hubbub_native::{Client, Options, Reply, TestServer, client::with_query};
use serde_json::json;

const PAGE: &str = "https://pages.example/article";

type Fetched = Rc<RefCell<Vec<String>>>;

/// Answers by this function and notes what was asked for.
fn outside(server: &TestServer, answer: impl Fn(&str) -> Option<Response<Vec<u8>>> + 'static) -> Fetched {
    let fetched = Fetched::default();
    let noted = Rc::clone(&fetched);
    server.http().answer_by(move |request: Request<Vec<u8>>| {
        let url = request.uri().to_string();
        assert!(request.headers().get("authorization").is_none());
        noted.borrow_mut().push(url.clone());
        answer(&url).ok_or_else(|| HttpError::Unknown("nothing is there".to_owned()))
    });
    fetched
}

fn of_type(content_type: &str, body: impl Into<Vec<u8>>) -> Option<Response<Vec<u8>>> {
    Response::builder().header("content-type", content_type).body(body.into()).ok()
}

fn moved(to: &str) -> Option<Response<Vec<u8>>> {
    Response::builder().status(302).header("location", to).body(b"<title>moved</title>".to_vec()).ok()
}

fn picture() -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = image::DynamicImage::new_rgb8(279, 129);
    image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

fn preview(client: &Client, url: &str) -> Reply {
    client.ask(Method::GET, &with_query("/_matrix/client/v1/media/preview_url".to_owned(), &[("url", url)]), None)
}

const ARTICLE: &str = "<html><head><title>Tab</title><meta property='og:title' content='The title'>\
    <meta property='og:type' content='article'><meta property='og:url' content='https://pages.example/canonical'>\
    <meta property='og:image' content='picture.png'></head><body><script>steal()</script><p>Words</p></body></html>";

fn article(url: &str) -> Option<Response<Vec<u8>>> {
    match url {
        PAGE => of_type("text/html; charset=utf-8", ARTICLE),
        "https://pages.example/picture.png" => of_type("application/octet-stream", picture()),
        _ => None,
    }
}

#[test]
fn a_page_is_previewed_and_its_image_copied() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let fetched = outside(&server, article);

    let found = preview(&alice, &format!("{PAGE}#fragment")).ok();

    assert_eq!(found["og:title"], "The title");
    assert_eq!(found["og:type"], "article");
    assert_eq!(found["og:url"], "https://pages.example/canonical");
    assert_eq!(found["og:description"], "Words");
    assert_eq!(found["matrix:image:size"], picture().len());
    assert_eq!((&found["og:image:width"], &found["og:image:height"]), (&json!(279), &json!(129)));
    assert_eq!(found["og:image:type"], "image/png");
    let image = found["og:image"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let copy = alice.ask(Method::GET, &format!("/_matrix/client/v1/media/download/{image}"), None);
    assert_eq!(copy.body, picture());
    assert_eq!(copy.header("content-type"), Some("image/png"));
    assert_eq!(*fetched.borrow(), [PAGE, "https://pages.example/picture.png"]);
}

#[test]
fn a_preview_is_kept_for_an_hour_and_its_image_longer() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let fetched = outside(&server, article);
    let first = preview(&alice, PAGE).ok();
    let legacy = with_query("/_matrix/media/v3/preview_url".to_owned(), &[("url", PAGE), ("ts", "1500000000000")]);
    assert_eq!(bob.ask(Method::GET, &legacy, None).ok(), first);
    assert_eq!(fetched.borrow().len(), 2);

    server.advance(60 * 60 * 1000);
    assert_eq!(preview(&bob, PAGE).ok(), first);
    assert_eq!(fetched.borrow().len(), 3, "only the page was fetched again");
}

#[test]
fn redirects_are_followed_five_times() {
    let server = TestServer::new();
    let alice = server.account("alice");
    outside(&server, |url| match url.rsplit('/').next().unwrap_or_default() {
        "0" => of_type("text/html", "<title>Arrived</title>"),
        hop => moved(&format!("{}", hop.parse::<u32>().ok()? - 1)),
    });
    assert_eq!(preview(&alice, "https://hops.example/5").ok()["og:title"], "Arrived");
    preview(&alice, "https://hops.example/6").refused(502, "M_UNKNOWN");
}

#[test]
fn nothing_private_is_fetched_not_even_by_a_redirect_or_an_image() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let private = [
        "http://127.0.0.1/",
        "http://localhost:8787/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:192.168.1.1]/",
        "http://0x7f.1/",
        "http://router/",
        "http://metadata.google.internal/",
    ];
    let fetched = outside(&server, |_| of_type("text/html", "<title>secret</title>"));
    for url in private {
        preview(&alice, url).refused(502, "M_UNKNOWN");
    }
    assert!(fetched.borrow().is_empty());

    for target in private {
        let fetched = outside(&server, move |_| moved(target));
        preview(&alice, "https://evil.example/").refused(502, "M_UNKNOWN");
        assert_eq!(*fetched.borrow(), ["https://evil.example/"]);
        let html = format!("<title>t</title><meta property=og:image content='{target}'>");
        let fetched = outside(&server, move |_| of_type("text/html", html.clone()));
        let found = preview(&alice, &format!("https://evil.example/{}", target.len())).ok();
        assert!(found["og:image"].is_null());
        assert_eq!(fetched.borrow().len(), 1);
        server.advance(2 * 60 * 60 * 1000);
    }
}

#[test]
fn only_addresses_of_the_web_are_previewed() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let fetched = outside(&server, |_| of_type("text/html", "<title>x</title>"));
    let long = format!("https://pages.example/{}", "x".repeat(5000));
    for url in
        ["", "nonsense", "file:///etc/passwd", "ftp://pages.example/", "https://user:secret@pages.example/", &long]
    {
        preview(&alice, url).refused(400, "M_INVALID_PARAM");
    }
    alice.ask(Method::GET, "/_matrix/client/v1/media/preview_url", None).refused(400, "M_MISSING_PARAM");
    let odd = format!("/_matrix/client/v1/media/preview_url?ts=yesterday&url={PAGE}");
    alice.ask(Method::GET, &odd, None).refused(400, "M_INVALID_PARAM");
    assert!(fetched.borrow().is_empty());
    for target in ["file:///etc/passwd", "javascript:alert(1)", "https://a:b@pages.example/"] {
        outside(&server, move |_| moved(target));
        preview(&alice, PAGE).refused(502, "M_UNKNOWN");
    }
}

#[test]
fn what_is_no_page_has_an_empty_preview_and_an_image_previews_itself() {
    let server = TestServer::new();
    let alice = server.account("alice");
    outside(&server, |url| match url {
        "https://pages.example/file" => of_type("application/pdf", "%PDF"),
        "https://pages.example/vector" => of_type("image/svg+xml", "<svg onload='alert(1)'/>"),
        "https://pages.example/image" => of_type("image/png", picture()),
        "https://pages.example/liar" => of_type("image/png", "<script>alert(1)</script>"),
        _ => Response::builder().status(404).body(b"<title>404</title>".to_vec()).ok(),
    });
    for path in ["file", "vector", "liar"] {
        assert_eq!(preview(&alice, &format!("https://pages.example/{path}")).ok(), json!({}));
    }
    assert_eq!(preview(&alice, "https://pages.example/image").ok()["og:image:width"], 279);
    preview(&alice, "https://pages.example/missing").refused(502, "M_UNKNOWN");
}

#[test]
fn no_markup_comes_through() {
    let server = TestServer::new();
    let alice = server.account("alice");
    outside(&server, |_| {
        of_type(
            "text/html",
            "<title>a &lt;script&gt;alert(1)&lt;/script&gt; b</title><p>x<img src=y onerror=alert(1)>z",
        )
    });
    let found = preview(&alice, PAGE).ok();
    assert_eq!(found, json!({"og:title": "a b", "og:description": "x z"}));
}

/// Allows each user so many previews.
struct Twice(RefCell<Vec<String>>);

impl RateLimiter for Twice {
    fn allow<'a>(&'a self, limit: RateLimit, whose: &'a str) -> futures_util::future::LocalBoxFuture<'a, bool> {
        assert_eq!(limit, RateLimit::Preview);
        self.0.borrow_mut().push(whose.to_owned());
        let count = self.0.borrow().iter().filter(|name| *name == whose).count();
        Box::pin(std::future::ready(count <= 2))
    }
}

#[test]
fn each_user_may_ask_for_so_many() {
    let limiter: Rc<dyn RateLimiter> = Rc::new(Twice(RefCell::default()));
    let server = TestServer::with(Options { rate_limits: true, limiter: Some(limiter), ..Options::default() });
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    outside(&server, article);
    preview(&alice, PAGE).ok();
    preview(&alice, PAGE).ok();
    preview(&alice, PAGE).refused(429, "M_LIMIT_EXCEEDED");
    preview(&bob, PAGE).ok();
}
