//! What a homeserver answered, with the checks a test makes on it. [`crate::Call`] makes them.

use std::fmt;

use serde_json::Value;

/// One HTTP answer, kept together with a description of its request for messages.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: String,
    pub(crate) json: Option<Value>,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `Content-Type` header as it was sent.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The `Content-Disposition` header as it was sent.
    pub fn content_disposition(&self) -> Option<&str> {
        self.content_disposition.as_deref()
    }

    /// The body of an answer that must be 2xx, as it was sent.
    #[track_caller]
    pub fn file(&self) -> &[u8] {
        assert!((200..300).contains(&self.status), "a 2xx was expected\n{self}");
        &self.bytes
    }

    /// The JSON body of an answer that must be 2xx.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "a 2xx was expected\n{self}");
        self.into_json()
    }

    /// The JSON body of an answer that must have this very status.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "status {status} was expected\n{self}");
        self.into_json()
    }

    /// The JSON body of a refusal that must have this status and errcode.
    #[track_caller]
    pub fn refused(self, status: u16, errcode: &str) -> Value {
        let matches = self.status == status && self.json.as_ref().is_some_and(|body| body["errcode"] == errcode);
        assert!(matches, "{status} {errcode} was expected\n{self}");
        self.into_json()
    }

    #[track_caller]
    fn into_json(self) -> Value {
        let Some(json) = self.json else {
            panic!("a JSON body was expected\n  {}\n  status: {}\n  body: {}", self.request, self.status, self.body)
        };
        json
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  request: {}\n  status: {}\n  body: {}", self.request, self.status, shortened(&self.body))
    }
}

/// A text cut to what is still readable in a test's output.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 3000;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let start: String = text.chars().take(MOST).collect();
    format!("{start} … ({} bytes in all)", text.len())
}
