//! The Worker's `fetch`: reads the request, asks the API, waits if it is a poll, and answers.

use std::rc::Rc;

use hubbub_api::{Answer, Peer};
use hubbub_core::error::MatrixError;
use worker::{Env, Request, Response, Result};

use crate::{
    admin,
    http_message::{self, Unreadable},
    isolate::{self, Isolate},
    operations::{BILL_HEADER, OPERATIONS_HEADER},
    scope::{Bill, Scope, within},
    waiting,
};

/// Answers one request from outside.
pub async fn answer(request: Request, env: &Env) -> Result<Response> {
    let Ok(isolate) = isolate::get(env) else {
        return refuse(&MatrixError::new(500, "M_UNKNOWN", "This server is not configured; its log says what is missing."));
    };
    let address = request.headers().get("cf-connecting-ip")?.unwrap_or_else(|| "unknown".to_owned());
    let request = match http_message::read(request).await {
        Ok(request) => request,
        Err(Unreadable::TooLarge) => return refuse(&MatrixError::too_large("The body is larger than 1 MiB.")),
        Err(Unreadable::Malformed) => {
            return refuse(&MatrixError::invalid_param("The request's URL or a header is malformed."));
        }
        Err(Unreadable::Broken(error)) => return Err(error),
    };
    if let Some(response) = admin::answer(&isolate, env, &request).await {
        return http_message::write(response);
    }
    let bill = wants_bill(&isolate, &request).then(Bill::default);
    let scope = Scope { bill: bill.clone(), object: None };
    let response = within(scope, respond(&isolate, request, address)).await;
    let mut response = http_message::write(response)?;
    if let Some(bill) = bill {
        response.headers_mut().set(OPERATIONS_HEADER, &serde_json::to_string(&bill.get())?)?;
    }
    Ok(response)
}

async fn respond(isolate: &Isolate, request: http::Request<Vec<u8>>, address: String) -> http::Response<Vec<u8>> {
    let peer = Peer { address, front: Rc::clone(&isolate.front) };
    match hubbub_api::handle(&isolate.context, request, &peer).await {
        Answer::Response(response) => response,
        Answer::Sync(call) => hubbub_api::sync_response(waiting::poll(&isolate.objects, call).await),
    }
}

/// Whether the sender is the operator and asks what the request costs.
fn wants_bill(isolate: &Isolate, request: &http::Request<Vec<u8>>) -> bool {
    let token = request.headers().get(BILL_HEADER).and_then(|token| token.to_str().ok());
    token.is_some_and(|token| isolate.context.config.secrets.is_admin_token(token))
}

fn refuse(error: &MatrixError) -> Result<Response> {
    let response = Response::from_json(&error.body())?.with_status(error.status);
    response.headers().set("access-control-allow-origin", "*")?;
    Ok(response)
}
