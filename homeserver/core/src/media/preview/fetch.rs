//! Gets what a stranger's address names: hop by hop, each of which must be public.

use http::header;
use url::Url;

use crate::{
    context::{Context, Egress},
    error::{MatrixError, Result},
};

/// How many redirects are followed.
const MAX_REDIRECTS: u32 = 5;
/// How long all hops together may take, in milliseconds.
const PATIENCE_MS: i64 = 15_000;
/// How long one hop may take.
const HOP_MS: i64 = 8_000;
/// How servers are told who asks.
const USER_AGENT: &str = "Mozilla/5.0 (compatible; Hubbub; Matrix link preview)";

/// What was fetched.
pub(super) struct Fetched {
    /// Where it was found, after redirects.
    pub url: Url,
    /// Its media type in lower case, with parameters; empty when nobody said it.
    pub content_type: String,
    /// The bytes, of which the port reads a bounded number.
    pub body: Vec<u8>,
}

impl Fetched {
    /// Whether it is a page.
    pub fn is_html(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        matches!(essence, "text/html" | "application/xhtml+xml")
    }
}

/// Whether an address is one of the web, without a password in it.
pub(super) fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none()
}

/// Follows redirects to the end. 502 `M_UNKNOWN` when there is no answer of status 200, with one sentence
/// for every reason.
pub(super) async fn fetch(context: &Context, url: &Url, accept: &str) -> Result<Fetched> {
    let deadline = context.clock.now() + PATIENCE_MS;
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let left = (deadline - context.clock.now()).min(HOP_MS);
        let Ok(timeout_ms) = u32::try_from(left) else { break };
        let request = http::Request::get(url.as_str())
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Vec::new())
            .map_err(|_| unreachable_page())?;
        // The port refuses what is not public, by name and, on the platform, after DNS.
        let answer = context.http.send(request, Egress::Stranger, timeout_ms).await;
        let answer = answer.map_err(|error| {
            tracing::info!("A page to be previewed was not fetched: {error}");
            unreachable_page()
        })?;
        if answer.status().is_redirection() {
            url = next(&url, &answer).ok_or_else(unreachable_page)?;
            continue;
        }
        if answer.status() != http::StatusCode::OK {
            break;
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
        return Ok(Fetched { url, content_type, body: answer.into_body() });
    }
    Err(unreachable_page())
}

fn next(url: &Url, answer: &http::Response<Vec<u8>>) -> Option<Url> {
    let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(is_web)
}

fn unreachable_page() -> MatrixError {
    MatrixError::new(502, "M_UNKNOWN", "The page could not be fetched.")
}
