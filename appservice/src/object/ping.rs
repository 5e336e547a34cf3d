//! `POST /_matrix/app/v1/ping`
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#post_matrixappv1ping)).

use hubbub_core::{
    context::{Egress, HttpError},
    error::{MatrixError, Result},
};
use ruma::{
    OwnedTransactionId,
    api::{OutgoingRequestExt as _, appservice::ping::send_ping},
};

use super::{AppserviceObject, http::quoted};
use crate::endpoint::{self, Endpoint, Lookup};

/// How long an appservice may take to answer: its own request waits for it.
const TIMEOUT_MS: u32 = 10_000;

impl AppserviceObject {
    /// Pings the appservice and says how long it took, in milliseconds. A bundled bridge is always
    /// there.
    pub(super) async fn ping(&self, transaction_id: Option<String>) -> Result<u64> {
        if self.bridge.is_some() {
            return Ok(0);
        }
        let lookup = endpoint::load(&self.context, &self.id).await.map_err(MatrixError::internal)?;
        let endpoint = match lookup {
            Lookup::At(endpoint) => endpoint,
            Lookup::WithoutUrl => {
                return Err(MatrixError::new(400, "M_URL_NOT_SET", "This appservice registered without a URL."));
            }
            Lookup::Unregistered => {
                return Err(MatrixError::not_found("No such appservice is registered."));
            }
        };
        let started = self.now();
        let outcome = self.context.http.send(request(&endpoint, transaction_id)?, Egress::Stranger, TIMEOUT_MS).await;
        let took = self.now().saturating_sub(started).max(0);
        match outcome {
            Ok(response) if response.status().is_success() => Ok(took.unsigned_abs()),
            Ok(response) => {
                Err(MatrixError::new(502, "M_BAD_STATUS", "The appservice did not answer the ping with success.")
                    .with("status", response.status().as_u16())
                    .with("body", quoted(response.body())))
            }
            Err(error) => Err(unreachable(&error, took)),
        }
    }
}

fn request(endpoint: &Endpoint, transaction_id: Option<String>) -> Result<http::Request<Vec<u8>>> {
    let mut request = send_ping::v1::Request::new();
    request.transaction_id = transaction_id.map(OwnedTransactionId::from);
    request.try_into_http_request::<Vec<u8>>(&endpoint.url, &endpoint.hs_token, ()).map_err(MatrixError::internal)
}

/// The port does not say whether time ran out; the clock does.
fn unreachable(error: &HttpError, took: i64) -> MatrixError {
    if took >= i64::from(TIMEOUT_MS) {
        MatrixError::new(504, "M_CONNECTION_TIMEOUT", "The appservice did not answer in time.")
    } else {
        MatrixError::new(502, "M_CONNECTION_FAILED", format!("The appservice could not be reached: {error}."))
    }
}
