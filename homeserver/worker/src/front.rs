//! The Worker's `fetch`: reads the request, asks the API, waits if it is a poll, and answers.

use std::rc::Rc;

use http::HeaderValue;
use hubbub_api::{Answer, Peer};
use hubbub_core::error::MatrixError;
use hubbub_storage::blobs::Body;
use worker::{Env, Result, web_sys};

use crate::{
    admin,
    http_message::{self, Unreadable},
    isolate::{self, Isolate},
    operations::{BILL_HEADER, OPERATIONS_HEADER},
    scope::{Bill, Scope, within},
    waiting,
};

/// The header in which the platform names the client's address. Clients cannot set it.
const ADDRESS_HEADER: &str = "cf-connecting-ip";

/// Answers one request from outside.
pub async fn answer(request: web_sys::Request, env: &Env) -> Result<web_sys::Response> {
    let Ok(isolate) = isolate::get(env) else {
        let error = "This server is not configured; its log says what is missing.";
        return http_message::write(refused(&MatrixError::new(500, "M_UNKNOWN", error)));
    };
    let response = match http_message::read(&request).await {
        Ok(request) => answer_read(&isolate, env, request).await,
        Err(Unreadable::TooLarge) => refused(&MatrixError::too_large("The body is larger than 1 MiB.")),
        Err(Unreadable::Malformed) => {
            refused(&MatrixError::invalid_param("The request's URL or a header is malformed."))
        }
        Err(Unreadable::Broken(error)) => return Err(error.into()),
    };
    http_message::write(response)
}

async fn answer_read(isolate: &Isolate, env: &Env, request: http::Request<Body>) -> http::Response<Body> {
    if let Some(response) = admin::answer(isolate, env, &request).await {
        return response.map(Body::Bytes);
    }
    let bill = wants_bill(isolate, &request).then(Bill::default);
    let scope = Scope { bill: bill.clone(), object: None };
    let mut response = within(scope, respond(isolate, request)).await;
    let bill = bill.and_then(|bill| serde_json::to_string(&bill.get()).ok());
    if let Some(bill) = bill.and_then(|bill| HeaderValue::try_from(bill).ok()) {
        response.headers_mut().insert(OPERATIONS_HEADER, bill);
    }
    response
}

async fn respond(isolate: &Isolate, request: http::Request<Body>) -> http::Response<Body> {
    let address = request.headers().get(ADDRESS_HEADER).and_then(|address| address.to_str().ok());
    let peer = Peer { address: address.unwrap_or("unknown").to_owned(), front: Rc::clone(&isolate.front) };
    match hubbub_api::handle(&isolate.context, request, &peer).await {
        Answer::Response(response) => response.map(Body::Bytes),
        Answer::Stream(response) => response,
        Answer::Sync(call) => hubbub_api::sync_response(waiting::poll(&isolate.objects, call).await).map(Body::Bytes),
    }
}

/// Whether the sender is the operator and asks what the request costs.
fn wants_bill<B>(isolate: &Isolate, request: &http::Request<B>) -> bool {
    let token = request.headers().get(BILL_HEADER).and_then(|token| token.to_str().ok());
    token.is_some_and(|token| isolate.context.config.secrets.is_admin_token(token))
}

/// What a request gets that never reaches the API.
fn refused(error: &MatrixError) -> http::Response<Body> {
    hubbub_api::refusal(error).map(Body::Bytes)
}
