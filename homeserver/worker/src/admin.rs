//! The operator's endpoints that are about the platform; all others are the API's.
//!
//! - `GET /_hubbub/admin/v1/operations`: what was billed since the isolate started.
//! - `GET`, `POST`, `DELETE /_hubbub/admin/v1/failpoints`: shows, arms and disarms them.
//! - `POST /_hubbub/admin/v1/abort-object` (`{"class": "Room", "name": "!…"}`): resets an object.
//! - `POST /_hubbub/admin/v1/storage-probe`: runs the storage suite inside workerd.
//! - `POST /_hubbub/admin/v1/panic`: panics, in an object.
//!
//! All but the first exist only where the variable `FAILPOINTS` is `on`.

use std::collections::BTreeMap;

use http::{Method, StatusCode, header};
use hubbub_core::{
    contract::{Address, Class},
    error::{MatrixError, Result},
};
use hubbub_storage::blobs::Body;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{Env, Request, RequestInit, Response};

use crate::{
    isolate::Isolate,
    objects::{abort, storage_probe},
    operations,
    ports::{
        failpoints::{self, Armed},
        objects::OBJECT_URL,
    },
};

const PREFIX: &str = "/_hubbub/admin/v1/";

/// Answers a request to one of these endpoints; `None` for every other path.
pub async fn answer(isolate: &Isolate, env: &Env, request: &http::Request<Body>) -> Option<http::Response<Vec<u8>>> {
    let endpoint = request.uri().path().strip_prefix(PREFIX)?;
    let is_test = matches!(endpoint, "failpoints" | "abort-object" | "storage-probe" | "panic");
    if endpoint != "operations" && !(is_test && isolate.switches.failpoints) {
        return None;
    }
    let outcome = match authorize(isolate, request) {
        Ok(()) => run(isolate, env, endpoint, request).await,
        Err(error) => Err(error),
    };
    Some(outcome.unwrap_or_else(|error| json(error.status, &error.body())))
}

fn authorize<B>(isolate: &Isolate, request: &http::Request<B>) -> Result<()> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    match token {
        Some(token) if isolate.context.config.secrets.is_admin_token(token) => Ok(()),
        Some(_) => Err(MatrixError::unknown_token()),
        None => Err(MatrixError::new(401, "M_MISSING_TOKEN", "This request needs the admin token.")),
    }
}

async fn run(
    isolate: &Isolate,
    env: &Env,
    endpoint: &str,
    request: &http::Request<Body>,
) -> Result<http::Response<Vec<u8>>> {
    // No stream comes under this path.
    let body = if let Body::Bytes(body) = request.body() { body.as_slice() } else { &[] };
    match (request.method(), endpoint) {
        (&Method::GET, "operations") => Ok(json(200, &operations::totals())),
        (&Method::GET, "failpoints") => Ok(json(200, &failpoints::report())),
        (&Method::POST, "failpoints") => {
            failpoints::arm(parse::<BTreeMap<String, Armed>>(body)?);
            Ok(json(200, &failpoints::report()))
        }
        (&Method::DELETE, "failpoints") => {
            failpoints::disarm();
            Ok(json(200, &failpoints::report()))
        }
        (&Method::POST, "abort-object") => {
            abort_object(isolate, parse(body)?).await;
            Ok(json(200, &serde_json::json!({})))
        }
        (&Method::POST, "storage-probe") => {
            Ok(json(200, &storage_probe::run(isolate, env).await.map_err(MatrixError::internal)?))
        }
        (&Method::POST, "panic") => {
            // The answer never comes: this request is lost with everything in the isolate.
            let lost = storage_probe::panic(env).await;
            Err(MatrixError::internal(format_args!("{:?}", lost.map(|response| response.status_code()))))
        }
        _ => Err(MatrixError::new(405, "M_UNRECOGNIZED", "This endpoint takes another method.")),
    }
}

/// An object to be reset.
#[derive(Deserialize)]
struct ObjectName {
    class: Class,
    name: String,
}

async fn abort_object(isolate: &Isolate, object: ObjectName) {
    let address = Address::new(object.class, object.name);
    if let Err(error) = send_abort(isolate, &address).await {
        // It may be gone before it answers.
        tracing::info!("A {:?} was reset while it answered: {error}", address.class);
    }
}

async fn send_abort(isolate: &Isolate, address: &Address) -> worker::Result<Response> {
    let mut request = Request::new_with_init(OBJECT_URL, &RequestInit::new())?;
    request.headers_mut()?.set(abort::HEADER, "now")?;
    isolate.objects.stub(address)?.fetch_with_request(request).await
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(MatrixError::bad_json)
}

fn json(status: u16, body: &impl Serialize) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
