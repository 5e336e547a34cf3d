//! Files that stream: an address is reserved first, so that a second try after a crash makes no second file.

use http::{Method, Request, header};
use hubbub_storage::blobs::Body;
use ruma::{MxcUri, OwnedMxcUri, api::client::media::create_mxc_uri};

use super::{Intent, Result, error::IntentError};

/// A refusal is no longer than this.
const MOST_REFUSAL_BYTES: u64 = 65_536;

impl Intent {
    /// Reserves an address for a file that comes within a day
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixmediav1create)).
    pub async fn reserve_media(&self) -> Result<OwnedMxcUri> {
        Ok(self.send_request(create_mxc_uri::v1::Request::default()).await?.content_uri)
    }

    /// Streams a file to an address that the same user reserved. `M_CANNOT_OVERWRITE_MEDIA` when that was done before
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#put_matrixmediav3uploadservernamemediaid)).
    pub async fn fill_media(&self, uri: &MxcUri, content_type: &str, filename: &str, file: Body) -> Result<()> {
        let (server, media_id) = uri.parts().map_err(IntentError::not_built)?;
        let path = ["media", "v3", "upload", server.as_str(), media_id];
        let uri = self.uri_under(&path, &[("filename", filename)])?;
        let mut request = self.streamed(Method::PUT, uri).header(header::CONTENT_TYPE, content_type);
        if let Some(length) = file.length() {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        self.exchange(request.body(file).map_err(IntentError::not_built)?).await?;
        Ok(())
    }

    /// Opens a file of this server; 404 when there is none
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid)).
    pub async fn download_media(&self, uri: &MxcUri) -> Result<Body> {
        let (server, media_id) = uri.parts().map_err(IntentError::not_built)?;
        let path = ["client", "v1", "media", "download", server.as_str(), media_id];
        let uri = self.uri_under(&path, &[])?;
        let request = self.streamed(Method::GET, uri).body(Body::default()).map_err(IntentError::not_built)?;
        self.exchange(request).await
    }

    fn streamed(&self, method: Method, uri: String) -> http::request::Builder {
        let bearer = format!("Bearer {}", self.token);
        Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, bearer)
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Body> {
        let (parts, body) = self.context.homeserver.stream(request).await.into_parts();
        if parts.status.as_u16() < 400 {
            return Ok(body);
        }
        let body = body.read(MOST_REFUSAL_BYTES).await.unwrap_or_default();
        Err(IntentError::from_response(&http::Response::from_parts(parts, body)))
    }
}
