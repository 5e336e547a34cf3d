//! Outgoing HTTP: one adapter for hosts that the operator configured, one for hosts that a stranger
//! named.

mod configured;
mod stranger;
mod streamed;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::{Egress, Http, HttpError},
    egress,
};
use hubbub_storage::blobs::Body;
use worker::{Env, Fetcher, js_sys::Uint8Array};

use crate::{
    javascript,
    operations::{Counts, count},
};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Both adapters.
pub struct PlatformHttp {
    configured: reqwest::Client,
    public: Option<Fetcher>,
    private_addresses: bool,
}

impl PlatformHttp {
    /// `private_addresses` lets strangers' hosts be loopback or private, for tests on one machine.
    pub fn new(env: &Env, private_addresses: bool) -> Self {
        Self {
            configured: reqwest::Client::new(),
            // Only the embedded server has it: workerd's own check of the address after DNS. On
            // Cloudflare a fetch reaches public addresses only.
            public: env.service("PUBLIC_FETCH").ok(),
            private_addresses,
        }
    }
}

impl Http for PlatformHttp {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        egress: Egress,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>> {
        let timeout = Duration::from_millis(timeout_ms.into());
        Box::pin(async move {
            let count_one = || count(Counts { fetches: 1, ..Counts::default() });
            match egress {
                Egress::Configured => {
                    count_one();
                    configured::send(&self.configured, request, timeout).await
                }
                Egress::Stranger => {
                    if !self.private_addresses {
                        egress::check(request.uri())?;
                    }
                    count_one();
                    stranger::send(self.public.as_ref(), request, timeout).await
                }
            }
        })
    }

    fn stream(
        &self,
        request: http::Request<Body>,
        egress: Egress,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        Box::pin(async move {
            if egress == Egress::Stranger && !self.private_addresses {
                egress::check(request.uri())?;
            }
            count(Counts { fetches: 1, ..Counts::default() });
            streamed::send(self.public.as_ref().filter(|_| egress == Egress::Stranger), request, timeout_ms).await
        })
    }

    fn decode(&self, label: &str, bytes: &[u8]) -> Option<String> {
        javascript::decode_text(label, &Uint8Array::from(bytes))
    }
}

fn too_large() -> HttpError {
    HttpError::Unknown("the answer is larger than 8 MiB".to_owned())
}

/// The answer's parts as the port wants them.
fn response<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: Vec<u8>,
) -> Result<http::Response<Vec<u8>>, HttpError> {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(body).map_err(|error| HttpError::Unknown(error.to_string()))
}
