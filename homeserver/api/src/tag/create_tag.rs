//! `PUT /_matrix/client/*/user/{userId}/rooms/{roomId}/tags/{tag}` ([spec])
//!
//! Gives a room a tag, or the tag another order.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag

use hubbub_core::{
    contract::people::TagOperation,
    error::{MatrixError, Result},
};
use serde_json::Value as Json;

use crate::{answer::Outcome, call::Call, credentials::Claim, respond};

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    // “A number in a range [0,1] describing a relative position of the room under the given tag.”
    match call.object()?.get("order") {
        None | Some(Json::Null) => {}
        Some(Json::Number(order)) if order.as_f64().is_some_and(|order| (0.0..=1.0).contains(&order)) => {}
        Some(Json::Number(_)) => return Err(MatrixError::invalid_param("order is a number from 0 to 1.")),
        Some(_) => return Err(MatrixError::bad_json("order must be a number.")),
    }
    let operation = TagOperation::Put { tag: call.argument(2).to_owned(), info: call.raw_object()? };
    super::ask(&call, operation).await?;
    respond::empty()
}
