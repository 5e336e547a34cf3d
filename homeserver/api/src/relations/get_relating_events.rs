//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}` ([spec])
//!
//! All events that relate to one.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidrelationseventid

use hubbub_core::error::Result;
use ruma::{api::client::relations::get_relating_events::v1, assign};

use super::{Related, related};
use crate::{call::Call, credentials::Authenticated};

pub(crate) async fn handle(call: Call<Authenticated>, request: v1::Request) -> Result<v1::Response> {
    let asked = Related {
        event_id: request.event_id,
        rel_type: None,
        event_type: None,
        direction: request.dir,
        limit: request.limit,
        recurse: request.recurse,
    };
    let page = related(&call, &request.room_id, asked).await?;
    Ok(assign!(v1::Response::new(page.chunk), {
        next_batch: page.next_batch,
        prev_batch: page.prev_batch,
        recursion_depth: page.recursion_depth,
    }))
}
