//! The native twin of R2: bytes in memory.

use std::{cell::RefCell, collections::BTreeMap, fmt::Write as _};

use futures_util::future::LocalBoxFuture;
use sha2::{Digest as _, Sha256};

use crate::blobs::{BlobError, Blobs, Body, ByteRange, Stored};

/// A blob store in memory.
#[derive(Debug, Default)]
pub struct NativeBlobs(RefCell<BTreeMap<String, Vec<u8>>>);

impl NativeBlobs {
    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }
}

impl Blobs for NativeBlobs {
    fn put(&self, key: String, body: Body, limit: u64) -> LocalBoxFuture<'_, Result<Stored, BlobError>> {
        Box::pin(async move {
            let bytes = body.read(limit).await?;
            let hash = Sha256::digest(&bytes).iter().fold(String::new(), |mut hash, byte| {
                // Writing to a string never fails.
                let _ = write!(hash, "{byte:02x}");
                hash
            });
            let size = u64::try_from(bytes.len()).map_err(|error| BlobError::Store(error.to_string()))?;
            self.0.borrow_mut().insert(key, bytes);
            Ok(Stored { size, hash })
        })
    }

    fn get(&self, key: String, range: Option<ByteRange>) -> LocalBoxFuture<'_, Result<Option<Body>, BlobError>> {
        Box::pin(async move {
            let blobs = self.0.borrow();
            let Some(bytes) = blobs.get(&key) else { return Ok(None) };
            let Some(range) = range else { return Ok(Some(Body::Bytes(bytes.clone()))) };
            let start = usize::try_from(range.offset).ok();
            let end = usize::try_from(range.offset.saturating_add(range.length)).ok();
            let part = start.zip(end).and_then(|(start, end)| bytes.get(start..end));
            let part = part.ok_or_else(|| BlobError::Store(format!("{range:?} lies outside")))?;
            Ok(Some(Body::Bytes(part.to_vec())))
        })
    }

    fn delete(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), BlobError>> {
        Box::pin(async move {
            let mut blobs = self.0.borrow_mut();
            for key in keys {
                blobs.remove(&key);
            }
            Ok(())
        })
    }
}
