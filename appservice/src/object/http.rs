//! Handing over by HTTP: `PUT /_matrix/app/v1/transactions/{txnId}`
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#put_matrixappv1transactionstxnid)).
//!
//! What belongs to a transaction is fixed, with its id, before the first attempt. Every retry sends
//! the same id and the same events, also after a crash, so that an appservice that has seen it can
//! tell.

use std::{collections::BTreeMap, rc::Rc};

use hubbub_core::context::Egress;
use hubbub_storage::{
    appservice::{self as store, HTTP_LANE, Lane, QueuedBatch},
    database::DatabaseError,
};
use ruma::{
    api::{OutgoingRequestExt as _, appservice::event::push_events},
    serde::Raw,
};
use serde_json::{
    Value as Json,
    value::{RawValue, to_raw_value},
};

use super::{AppserviceObject, TRANSACTION_BYTES, TRANSACTION_EVENTS, accept::Payload, encryption::Encryption};
use crate::endpoint::{self, Endpoint, Lookup};

/// How long an appservice may take to answer a transaction.
const TIMEOUT_MS: u32 = 60_000;

/// How long an appservice's address is used before it is read again, in milliseconds.
const ENDPOINT_MS: i64 = 60_000;

/// The unstable spelling of a transaction's `ephemeral` (MSC2409).
const UNSTABLE_EPHEMERAL: &str = "de.sorunome.msc2409.ephemeral";

/// What came of looking for an address.
pub(super) enum Destination {
    /// Send it here.
    At(Rc<Endpoint>),
    /// The appservice is gone, or wants no traffic any more.
    Nowhere,
    /// It is not known now.
    Unknown,
}

impl AppserviceObject {
    /// Sends transactions until none is left or one fails. The caller holds the lane's lock.
    pub(super) async fn run_http(&self, lane: &str) -> Result<(), DatabaseError> {
        loop {
            let state = store::lane(self.database.as_query(), lane)?;
            if state.next_attempt_at.is_some_and(|at| at > self.now()) {
                return Ok(());
            }
            let Some((state, transaction_id, through)) = self.fixed(state).await? else {
                return Ok(());
            };
            let batches = store::batches(self.database.as_query(), HTTP_LANE, through)?;
            let endpoint = match self.destination().await {
                Destination::At(endpoint) => endpoint,
                Destination::Nowhere => return self.drop_queue(),
                Destination::Unknown => return self.fail(HTTP_LANE, &state),
            };
            let sent = self.send(&endpoint, &transaction_id, &batches).await;
            self.context.failpoints.pass("appservice.after_send").await;
            if let Err(reason) = sent {
                tracing::warn!(
                    appservice.id = %self.id, attempts = state.attempts + 1,
                    "The appservice did not take a transaction: {reason}"
                );
                // It may have moved: the next attempt looks again.
                self.endpoint.borrow_mut().take();
                return self.fail(HTTP_LANE, &state);
            }
            self.commit(None, |transaction| store::finish(transaction, HTTP_LANE, through))?;
        }
    }

    /// The transaction at the head of the queue: the one that was fixed before, or a new one, which
    /// is stored first. `None`: nothing waits.
    async fn fixed(&self, mut state: Lane) -> Result<Option<(Lane, String, i64)>, DatabaseError> {
        if let Some((id, through)) = state.transaction.clone() {
            return Ok(Some((state, id, through)));
        }
        let through = store::head_through(self.database.as_query(), HTTP_LANE, TRANSACTION_EVENTS, TRANSACTION_BYTES)?;
        let Some(through) = through else {
            return Ok(None);
        };
        let id = self.context.random_id();
        state.transaction = Some((id.clone(), through));
        self.commit(None, |transaction| store::put_lane(transaction, HTTP_LANE, &state))?;
        self.context.failpoints.pass("appservice.before_send").await;
        Ok(Some((state, id, through)))
    }

    pub(super) async fn destination(&self) -> Destination {
        let now = self.now();
        if let Some((at, endpoint)) = self.endpoint.borrow().as_ref()
            && (0..ENDPOINT_MS).contains(&(now - at))
        {
            return Destination::At(endpoint.clone());
        }
        match endpoint::load(&self.context, &self.id).await {
            Ok(Lookup::At(endpoint)) => {
                let endpoint = Rc::new(endpoint);
                *self.endpoint.borrow_mut() = Some((now, endpoint.clone()));
                Destination::At(endpoint)
            }
            Ok(Lookup::Unregistered | Lookup::WithoutUrl) => Destination::Nowhere,
            Err(reason) => {
                tracing::error!(appservice.id = %self.id, "The appservice's address is not known: {reason}");
                Destination::Unknown
            }
        }
    }

    fn drop_queue(&self) -> Result<(), DatabaseError> {
        tracing::warn!(appservice.id = %self.id, "The appservice has no address any more: its queue is dropped");
        self.commit(None, |transaction| store::clear_queue(transaction))
    }

    /// Sends a transaction once. The error is a reason for the log, without body or token.
    async fn send(&self, endpoint: &Endpoint, transaction_id: &str, batches: &[QueuedBatch]) -> Result<(), String> {
        let request = request(endpoint, transaction_id, batches)?;
        let response =
            self.context.http.send(request, Egress::Stranger, TIMEOUT_MS).await.map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(format!("it answered {}", response.status().as_u16())) }
    }
}

fn request(
    endpoint: &Endpoint,
    transaction_id: &str,
    batches: &[QueuedBatch],
) -> Result<http::Request<Vec<u8>>, String> {
    let mut events = Vec::new();
    let mut ephemeral = Vec::new();
    let mut encryption = Encryption::default();
    for batch in batches {
        let payload: Payload = serde_json::from_str(&batch.payload).map_err(|error| error.to_string())?;
        events.extend(payload.events.into_iter().map(Raw::from_json));
        ephemeral.extend(payload.ephemeral);
        encryption.add(payload.encryption);
    }
    let mut request = push_events::v1::Request::new(transaction_id.into(), events);
    request.ephemeral = ephemeral.iter().cloned().map(Raw::from_json).collect();
    let mut request = request
        .try_into_http_request::<Vec<u8>>(&endpoint.url, &endpoint.hs_token, ())
        .map_err(|_| "the request could not be built".to_owned())?;
    let mut unstable = encryption.fields().map_err(|error| error.to_string())?;
    // The same under the unstable key, for an appservice that registered so.
    if endpoint.unstable_ephemeral && !ephemeral.is_empty() {
        let ephemeral = to_raw_value(&ephemeral).map_err(|error| error.to_string())?;
        unstable.insert(UNSTABLE_EPHEMERAL.to_owned(), ephemeral);
    }
    if !unstable.is_empty() {
        add_fields(request.body_mut(), unstable)?;
    }
    Ok(request)
}

/// Adds what ruma's type does not have.
fn add_fields(body: &mut Vec<u8>, unstable: BTreeMap<String, Box<RawValue>>) -> Result<(), String> {
    let add = |body: &[u8]| {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)?;
        fields.extend(unstable);
        serde_json::to_vec(&fields)
    };
    *body = add(body).map_err(|error: serde_json::Error| error.to_string())?;
    Ok(())
}

/// The body of an answer as text, for an error that quotes it.
pub(super) fn quoted(body: &[u8]) -> Json {
    String::from_utf8_lossy(body).chars().take(1_000).collect::<String>().into()
}
