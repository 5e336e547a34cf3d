//! R2 as the core's [`Blobs`]; the bytes pass in `blobs.js`.

use std::any::Any;

use futures_util::future::LocalBoxFuture;
use hubbub_storage::blobs::{BlobError, Blobs, Body, ByteRange, Stored, Stream};
use wasm_bindgen::prelude::*;
use worker::{
    Env,
    js_sys::{self, Array, Promise, Reflect, Uint8Array},
    wasm_bindgen_futures::JsFuture,
};

use super::values;
use crate::{
    javascript,
    operations::{Counts, count},
};

#[wasm_bindgen(module = "/src/blobs.js")]
extern "C" {
    #[wasm_bindgen(js_name = putBytes)]
    fn put_bytes(bucket: &JsValue, key: &str, bytes: &Uint8Array) -> Promise;

    #[wasm_bindgen(js_name = putStream)]
    fn put_stream(bucket: &JsValue, key: &str, body: &JsValue, length: f64, limit: f64) -> Promise;

    #[wasm_bindgen(js_name = getBlob)]
    fn get_blob(bucket: &JsValue, key: &str, offset: f64, length: f64) -> Promise;

    #[wasm_bindgen(js_name = deleteBlobs)]
    fn delete_blobs(bucket: &JsValue, keys: &str) -> Promise;
}

/// A stream of JavaScript's.
pub struct PlatformStream {
    value: JsValue,
    length: f64,
}

impl PlatformStream {
    /// A stream of so many bytes; of unknown length when that is negative.
    pub fn new(value: JsValue, length: f64) -> Self {
        Self { value, length }
    }

    /// The stream behind the port's type. There is no other kind here.
    pub fn from_port(stream: Box<dyn Stream>) -> worker::Result<Self> {
        let stream = stream.into_any().downcast::<Self>();
        stream.map(|stream| *stream).map_err(|_| worker::Error::RustError("a stream of another kind".to_owned()))
    }

    /// The `ReadableStream`.
    pub fn value(&self) -> &JsValue {
        &self.value
    }

    /// As JavaScript counts.
    pub fn raw_length(&self) -> f64 {
        self.length
    }
}

impl Stream for PlatformStream {
    fn length(&self) -> Option<u64> {
        (self.length >= 0.0).then(|| values::count(self.length))
    }

    fn read(self: Box<Self>, limit: u64) -> LocalBoxFuture<'static, Result<Vec<u8>, BlobError>> {
        Box::pin(async move {
            let read = JsFuture::from(javascript::read_stream(&self.value, number(limit))).await;
            let read = read.map_err(|thrown| BlobError::Store(javascript::message(&thrown)))?;
            if read.is_null() { Err(BlobError::TooLarge) } else { Ok(javascript::bytes(&read)) }
        })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn framed(self: Box<Self>, before: Vec<u8>, after: Vec<u8>) -> Box<dyn Stream> {
        let (before, after) = (Uint8Array::from(before.as_slice()), Uint8Array::from(after.as_slice()));
        let around = f64::from(before.length()) + f64::from(after.length());
        let length = if self.length < 0.0 { self.length } else { self.length + around };
        Box::new(Self { value: javascript::frame_stream(&self.value, &before, &after), length })
    }
}

/// The R2 bucket of this name.
pub struct R2Blobs(JsValue);

impl R2Blobs {
    /// The bucket bound under this name.
    pub fn new(env: &Env, binding: &str) -> Result<Self, BlobError> {
        let bucket = Reflect::get(env, &binding.into()).map_err(|thrown| failed(&thrown))?;
        if bucket.is_undefined() {
            return Err(BlobError::Store(format!("there is no binding {binding}")));
        }
        Ok(Self(bucket))
    }
}

impl Blobs for R2Blobs {
    fn put(&self, key: String, body: Body, limit: u64) -> LocalBoxFuture<'_, Result<Stored, BlobError>> {
        Box::pin(async move {
            if body.length().is_some_and(|length| length > limit) {
                return Err(BlobError::TooLarge);
            }
            let stored = match body {
                Body::Bytes(bytes) => put_bytes(&self.0, &key, &Uint8Array::from(bytes.as_slice())),
                Body::Stream(stream) => {
                    let stream =
                        PlatformStream::from_port(stream).map_err(|error| BlobError::Store(error.to_string()))?;
                    put_stream(&self.0, &key, &stream.value, stream.length, number(limit))
                }
            };
            let stored = JsFuture::from(stored).await.map_err(|thrown| failed(&thrown))?;
            let Ok(stored) = stored.dyn_into::<Array>() else { return Err(BlobError::TooLarge) };
            let counted = |index: u32| values::count(stored.get(index).as_f64().unwrap_or_default());
            count(Counts { r2_writes: counted(2), ..Counts::default() });
            Ok(Stored { size: counted(0), hash: javascript::text_at(&stored, 1) })
        })
    }

    fn get(&self, key: String, range: Option<ByteRange>) -> LocalBoxFuture<'_, Result<Option<Body>, BlobError>> {
        Box::pin(async move {
            count(Counts { r2_reads: 1, ..Counts::default() });
            let (offset, length) = range.map_or((0.0, -1.0), |range| (number(range.offset), number(range.length)));
            let found =
                JsFuture::from(get_blob(&self.0, &key, offset, length)).await.map_err(|thrown| failed(&thrown))?;
            let Ok(found) = found.dyn_into::<Array>() else { return Ok(None) };
            let length = found.get(1).as_f64().unwrap_or(-1.0);
            Ok(Some(Body::Stream(Box::new(PlatformStream::new(found.get(0), length)))))
        })
    }

    fn delete(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), BlobError>> {
        Box::pin(async move {
            let keys = serde_json::to_string(&keys).map_err(|error| BlobError::Store(error.to_string()))?;
            JsFuture::from(delete_blobs(&self.0, &keys)).await.map_err(|thrown| failed(&thrown))?;
            Ok(())
        })
    }
}

/// What `blobs.js` threw.
fn failed(thrown: &JsValue) -> BlobError {
    let message = javascript::message(thrown);
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) if error.name() == "BrokenOff" => BlobError::BrokenOff(message),
        _ => BlobError::Store(message),
    }
}

/// A count of bytes as JavaScript has it.
fn number(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and no file is larger")]
    let number = bytes as f64;
    number
}
