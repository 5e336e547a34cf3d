//! The port for bytes that are too large for a database: R2, and memory in tests.
//!
//! Keys are random and used once, so nothing is ever overwritten. What is stored under which key, and
//! for how long, is told by D1 ([`crate::directory::media`]).

use std::{any::Any, fmt};

use futures_util::future::LocalBoxFuture;

/// A byte range of something stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes; not 0.
    pub length: u64,
}

/// Bytes on their way.
pub enum Body {
    /// All of them.
    Bytes(Vec<u8>),
    /// A stream of the platform's, that only its own ports can read.
    Stream(Box<dyn Stream>),
}

/// A stream that never enters this program's memory unless [`Self::read`] asks for it.
pub trait Stream {
    /// How many bytes come, if whoever sends them said so.
    fn length(&self) -> Option<u64>;

    /// Reads everything into memory; an error when it breaks off or is longer than `limit` bytes.
    fn read(self: Box<Self>, limit: u64) -> LocalBoxFuture<'static, Result<Vec<u8>, BlobError>>;

    /// The platform's own type.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// The same between other bytes.
    fn framed(self: Box<Self>, before: Vec<u8>, after: Vec<u8>) -> Box<dyn Stream>;
}

impl Body {
    /// How many bytes there are, if it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Stream(stream) => stream.length(),
        }
    }

    /// The same between other bytes, still streaming if it did.
    #[must_use]
    pub fn framed(self, mut before: Vec<u8>, after: Vec<u8>) -> Self {
        match self {
            Self::Bytes(bytes) => {
                before.extend(bytes);
                before.extend(after);
                Self::Bytes(before)
            }
            Self::Stream(stream) => Self::Stream(stream.framed(before, after)),
        }
    }

    /// Everything in memory; see [`Stream::read`].
    pub async fn read(self, limit: u64) -> Result<Vec<u8>, BlobError> {
        match self {
            Self::Bytes(bytes) if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) => Ok(bytes),
            Self::Bytes(_) => Err(BlobError::TooLarge),
            Self::Stream(stream) => stream.read(limit).await,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Body({:?} bytes)", self.length())
    }
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256 in lower-case hexadecimal, computed while they passed.
    pub hash: String,
}

/// Why bytes were not stored or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// There are more bytes than allowed.
    #[error("there are more bytes than allowed")]
    TooLarge,
    /// Whoever sends them went away, or sent fewer than announced.
    #[error("the sender broke off: {0}")]
    BrokenOff(String),
    /// The store failed.
    #[error("the blob store failed: {0}")]
    Store(String),
}

/// The blob store.
pub trait Blobs {
    /// Stores a body of at most `limit` bytes under a new key, all or nothing.
    fn put(&self, key: String, body: Body, limit: u64) -> LocalBoxFuture<'_, Result<Stored, BlobError>>;

    /// The bytes under a key, or a part of them; `None` when there are none. The caller has checked
    /// that the range lies within them.
    fn get(&self, key: String, range: Option<ByteRange>) -> LocalBoxFuture<'_, Result<Option<Body>, BlobError>>;

    /// Deletes what is under these keys, at most 1000 of them; keys without bytes are passed over.
    fn delete(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), BlobError>>;
}
