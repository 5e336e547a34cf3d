//! Plain HTTP, where a test looks at headers, pages or bytes.

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Reply {
    /// Sends the request; panics when there is no answer at all.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.expect("an answer")
    }

    /// Sends the request; an error when there is no answer at all.
    pub async fn try_to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Self { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The JSON of an answer that must have status 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "200 was expected: {}", self.body);
        self.json()
    }

    /// Checks the status and errcode of a refusal.
    #[track_caller]
    pub fn refused(&self, status: u16, errcode: &str) {
        let found = self.json()["errcode"].as_str().unwrap_or_default().to_owned();
        assert_eq!((self.status, found.as_str()), (status, errcode), "{}", self.body);
    }
}
