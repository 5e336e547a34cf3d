//! One request on its way to its handler: path arguments, query, body, and whose it is.

use std::{borrow::Cow, rc::Rc, str::FromStr};

use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use hubbub_storage::blobs::Body;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{credentials::Public, peer::Peer};

/// The largest body that any endpoint reads. The Worker refuses a larger `Content-Length` before
/// it reads anything.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Where bodies are files: they go to the blob store unread, and may be as large as the configuration
/// says. Everything else is read whole.
pub const STREAMED_PREFIX: &str = "/_matrix/media/";

/// The longest path and query: filters stand there, too.
const MAX_URI_BYTES: usize = 32 * 1024;

/// A request with its path arguments. `A` says what is known of the sender
/// ([`crate::credentials`]).
pub(crate) struct Call<A = Public> {
    /// The ports.
    pub context: Rc<Context>,
    /// The client at the other end.
    pub peer: Peer,
    /// Who asks.
    pub auth: A,
    request: http::Request<Vec<u8>>,
    file: Body,
    arguments: Vec<String>,
}

impl Call<Public> {
    /// A call of which nothing is known yet. 413 or 414 `M_TOO_LARGE` when the body or
    /// the address is too large.
    pub fn new(context: Rc<Context>, peer: Peer, request: http::Request<Body>, arguments: Vec<String>) -> Result<Self> {
        let query = request.uri().query().unwrap_or_default();
        if request.uri().path().len() + query.len() > MAX_URI_BYTES {
            return Err(MatrixError::new(414, "M_TOO_LARGE", "The address is longer than 32 KiB."));
        }
        let (parts, body) = request.into_parts();
        let (body, file) = match body {
            file if parts.uri.path().starts_with(STREAMED_PREFIX) => (Vec::new(), file),
            Body::Bytes(body) if body.len() <= MAX_BODY_BYTES => (body, Body::default()),
            _ => return Err(MatrixError::too_large("The body is larger than 1 MiB.")),
        };
        let request = http::Request::from_parts(parts, body);
        Ok(Self { context, peer, auth: Public, request, file, arguments })
    }

    /// The same call, now that its sender is known.
    pub fn with<A>(self, auth: A) -> Call<A> {
        Call {
            context: self.context,
            peer: self.peer,
            auth,
            request: self.request,
            file: self.file,
            arguments: self.arguments,
        }
    }
}

impl<A> Call<A> {
    /// The request as it came.
    pub fn request(&self) -> &http::Request<Vec<u8>> {
        &self.request
    }

    /// Takes the body of an upload.
    pub fn take_file(&mut self) -> Body {
        std::mem::take(&mut self.file)
    }

    /// Gives the request up.
    pub fn into_request(self) -> http::Request<Vec<u8>> {
        self.request
    }

    /// The percent-decoded path arguments, in the order of the path.
    pub fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    /// A path argument; empty when the path has none at this place (an omitted state key).
    pub fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    /// A path argument as a Matrix identifier; 400 `M_INVALID_PARAM` when it is none.
    pub fn id<T: FromStr>(&self, index: usize) -> Result<T> {
        parse_id(self.argument(index))
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.request.uri().query()?;
        url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A query parameter of some simple type; 400 `M_INVALID_PARAM` when it is malformed.
    pub fn query_as<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.query(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    MatrixError::invalid_param(format_args!(
                        "The query parameter {name} has a value that makes no sense."
                    ))
                })
            })
            .transpose()
    }

    /// The body as bytes of a JSON object; an empty body reads as `{}`.
    pub fn body(&self) -> &[u8] {
        let body = self.request.body();
        if body.is_empty() { b"{}" } else { body }
    }

    /// The body as an object. 400 `M_NOT_JSON` when it is no JSON, `M_BAD_JSON` when it is
    /// something else than an object.
    pub fn object(&self) -> Result<Map<String, Json>> {
        match serde_json::from_slice(self.body()) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(MatrixError::bad_json("The body must be a JSON object.")),
            Err(error) => Err(MatrixError::new(400, "M_NOT_JSON", format_args!("The body is not JSON: {error}"))),
        }
    }

    /// The body as it stands, checked to be an object.
    pub fn raw_object(&self) -> Result<Box<RawValue>> {
        self.object()?;
        serde_json::from_slice(self.body()).map_err(MatrixError::bad_json)
    }

    /// The body as a value of this shape; 400 `M_BAD_JSON` when it has another.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.object()?;
        serde_json::from_slice(self.body()).map_err(MatrixError::bad_json)
    }
}

/// Text as a Matrix identifier; 400 `M_INVALID_PARAM` when it is none.
pub(crate) fn parse_id<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        MatrixError::invalid_param(format_args!("{text:?} is not an identifier of the kind that is needed here."))
    })
}

/// A string among the keys of a body; 400 `M_MISSING_PARAM` without it, `M_BAD_JSON` when it is
/// no string.
pub(crate) fn required_text(body: &Map<String, Json>, key: &str) -> Result<String> {
    match body.get(key) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(MatrixError::bad_json(format_args!("{key} must be a string."))),
        None => Err(missing(key)),
    }
}

/// A string among the keys of a body that may be absent or `null`; 400 `M_BAD_JSON` when it is
/// something else.
pub(crate) fn optional_text(body: &Map<String, Json>, key: &str) -> Result<Option<String>> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(_) => required_text(body, key).map(Some),
    }
}

/// 400 `M_MISSING_PARAM`.
pub(crate) fn missing(key: &str) -> MatrixError {
    MatrixError::new(400, "M_MISSING_PARAM", format_args!("{key} is missing."))
}
