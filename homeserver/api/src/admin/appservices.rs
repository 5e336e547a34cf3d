//! `GET`, `POST /_hubbub/admin/v1/appservices` and `DELETE …/appservices/{id}`
//!
//! Lists, registers (by the fields of a registration file, as JSON) and removes appservices.

use hubbub_core::error::{MatrixError, Result};

use crate::{answer::Outcome, call::Call, credentials::Admin, respond};

pub(crate) async fn list(call: Call<Admin>) -> Result<Outcome> {
    let registry = &call.peer.front.registry;
    respond::json(&registry.summaries(&call.context).await?)
}

pub(crate) async fn register(call: Call<Admin>) -> Result<Outcome> {
    let json =
        std::str::from_utf8(call.request().body()).map_err(|_| MatrixError::bad_json("A registration is UTF-8."))?;
    let registry = &call.peer.front.registry;
    respond::json(&registry.register(&call.context, json).await?)
}

pub(crate) async fn unregister(call: Call<Admin>) -> Result<Outcome> {
    let registry = &call.peer.front.registry;
    registry.unregister(&call.context, call.argument(0)).await?;
    respond::empty()
}
