//! How an object answers: the outcome of a command, and the bill of it.

use hubbub_core::{contract, error::Result};
use worker::web_sys;

use crate::{
    http_message,
    operations::{BILL_HEADER, OPERATIONS_HEADER},
    scope::Bill,
};

/// A bill for a request with these headers, if its sender asks for one.
pub fn bill(headers: &web_sys::Headers) -> worker::Result<Option<Bill>> {
    Ok(headers.has(BILL_HEADER)?.then(Bill::default))
}

/// The outcome of a command as a response, with the bill.
pub fn respond(outcome: Result<Vec<u8>>, bill: Option<&Bill>) -> worker::Result<web_sys::Response> {
    let body = contract::encode_outcome(outcome);
    match bill {
        Some(bill) => {
            let bill = serde_json::to_string(&bill.get())?;
            http_message::respond(200, &[(OPERATIONS_HEADER, &bill)], &body)
        }
        None => http_message::respond(200, &[], &body),
    }
}
