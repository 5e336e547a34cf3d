//! `POST /_matrix/client/v3/rooms/{roomId}/report` ([spec])
//!
//! Reports a room, whether the user is in it or not. The answer is the same for a room that does
//! not exist.
//!
//! [spec]: https://spec.matrix.org/v1.13/client-server-api/#post_matrixclientv3roomsroomidreport

use hubbub_core::error::Result;
use hubbub_storage::directory::reports::{self, Report};
use ruma::OwnedRoomId;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let report = Report { room_id: Some(room_id.to_string()), ..super::report(&call, &call.object()?)? };
    super::check_allowance(&call).await?;
    reports::insert(&*call.context.directory, &report).await?;
    respond::empty()
}
