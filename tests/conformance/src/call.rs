//! One request to the homeserver under test: built step by step, sent by `.await`.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use reqwest::{Method, header};
use serde_json::Value;

use crate::answer::{Answer, shortened};

/// A request that is sent when it is awaited.
///
/// Like the public suite's client it says `Content-Type: application/json` even without a body, and many of its
/// `POST`s have none: a server must read an empty body as an empty object.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) http: reqwest::Client,
    pub(crate) method: Method,
    pub(crate) base: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) token: Option<String>,
    pub(crate) content_type: String,
    pub(crate) body: Option<Vec<u8>>,
}

impl Call {
    /// Adds one query parameter.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(&encoded(name, ""));
        self.query.push('=');
        self.query.push_str(&encoded(value, ""));
        self
    }

    /// Sends this JSON as the body.
    pub fn json(self, body: Value) -> Self {
        self.bytes(body.to_string())
    }

    /// Sends these bytes as the body, whatever they are.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Says that the body is of this type, instead of JSON.
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.content_type = content_type.to_owned();
        self
    }

    /// Uses another version of the path than `v3`.
    pub fn version(mut self, version: &str) -> Self {
        self.path = self.path.replacen("/client/v3/", &format!("/client/{version}/"), 1);
        self
    }

    /// Uses another access token than the caller's own.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    async fn send(self) -> Answer {
        let mut request = format!("{} {}{}", self.method, self.path, self.query);
        if let Some(body) = &self.body {
            request.push(' ');
            request.push_str(&shortened(&String::from_utf8_lossy(body)));
        }
        let mut builder = self
            .http
            .request(self.method, format!("{}{}{}", self.base, self.path, self.query))
            .header(header::CONTENT_TYPE, &self.content_type);
        if let Some(token) = self.token {
            builder = builder.bearer_auth(token);
        }
        if let Some(body) = self.body {
            builder = builder.body(body);
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => panic!("no answer to {request}: {error:?}"),
        };
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, content_disposition) = (header(header::CONTENT_TYPE), header(header::CONTENT_DISPOSITION));
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes.to_vec(),
            Err(error) => panic!("the answer to {request} broke off: {error:?}"),
        };
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&body).ok();
        Answer { request, status, content_type, content_disposition, bytes, body, json }
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// The path `/_matrix/client/v3/…` of these parts, each percent-encoded: `!` and `#` become `%21` and `%23`, an
/// inner `/` becomes `%2F`; `:`, `@` and `$` stay. An empty last part gives a trailing slash.
pub(crate) fn client_path(parts: &[&str]) -> String {
    let mut path = String::from("/_matrix/client/v3");
    for part in parts {
        path.push('/');
        path.push_str(&encoded(part, ":@$"));
    }
    path
}

fn encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-._~".contains(character) || kept.contains(character) {
            encoded.push(character);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
