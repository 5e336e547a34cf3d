//! Plain pages for people: no script, one style sheet of their own, never cached.

pub(crate) mod owner;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, Response, StatusCode, header};
use hubbub_core::error::{MatrixError, Result};
use sha2::{Digest as _, Sha256};

use crate::{
    answer::Outcome,
    endpoint::{Endpoint, own},
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        own(Method::GET, "/_hubbub/owner/{token}").raw(owner::show),
        own(Method::POST, "/_hubbub/owner/{token}").raw(owner::submit),
    ]
}

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; }
button { font: inherit; margin-top: 1.5rem; padding: .5rem 1.25rem; }
.hint { font-size: 1rem; margin: .25rem 0 0; }
.error { border-left: .25rem solid #c00; padding-left: .75rem; }
";

/// A page of this title whose `main` holds this HTML, which the caller has escaped.
pub(crate) fn page(status: StatusCode, title: &str, main: &str) -> Result<Outcome> {
    let style_hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let title = escape(title);
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{main}\n</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::try_from(policy).map_err(MatrixError::internal)?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(Outcome::Response(response))
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, character| {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}
