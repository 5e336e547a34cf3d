//! `POST /_matrix/client/*/keys/signatures/upload` ([spec])
//!
//! Publishes signatures that the caller made of own and of others' keys. Each is verified; what is
//! refused stands in `failures`, and the rest is kept.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keyssignaturesupload

use hubbub_core::{
    contract::{
        Address,
        keys::{KeysCommand, SignatureFailures, SignedObjects},
    },
    error::Result,
};
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let objects: SignedObjects = call.parse()?;
    let address = Address::user_keys(call.auth.user_id());
    let command = KeysCommand::Sign { objects };
    let failures: SignatureFailures = objects::call_again(&*call.context.objects, address, &command).await?;
    respond::json(&json!({ "failures": failures }))
}
