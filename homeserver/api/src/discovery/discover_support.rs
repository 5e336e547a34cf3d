//! `GET /.well-known/matrix/support` ([spec])
//!
//! Whom to ask when something is wrong; 404 while the operator names nobody.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#getwell-knownmatrixsupport

use hubbub_core::error::{MatrixError, Result};
use ruma::api::client::discovery::discover_support::{Contact, ContactRole, Request, Response};

use crate::{call::Call, credentials::Public};

pub(crate) async fn handle(call: Call<Public>, _: Request) -> Result<Response> {
    let support = &call.context.config.support;
    let mut contact = Contact::with_email_address(ContactRole::Admin, String::new());
    contact.email_address.clone_from(&support.email);
    contact.matrix_id.clone_from(&support.matrix_id);
    let reachable = contact.email_address.is_some() || contact.matrix_id.is_some();
    if !reachable && support.page.is_none() {
        return Err(MatrixError::not_found("This server names nobody for support."));
    }
    let mut response = Response::with_contacts(if reachable { vec![contact] } else { Vec::new() });
    response.support_page.clone_from(&support.page);
    Ok(response)
}
