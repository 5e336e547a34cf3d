//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event` ([spec])
//!
//! The event nearest to a time, before or after it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event

use hubbub_core::{
    contract::{
        relation::{EventAtTime, RelationCommand},
        room::RoomCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::{Direction, client::room::get_event_by_timestamp::v1},
};

use crate::{call::Call, credentials::Authenticated, objects};

pub(crate) async fn handle(call: Call<Authenticated>, request: v1::Request) -> Result<v1::Response> {
    let command = RelationCommand::AtTime {
        reader: call.auth.actor(),
        ts: request.ts.get().into(),
        forwards: request.dir == Direction::Forward,
    };
    let found: EventAtTime = objects::room(&call, &request.room_id, &RoomCommand::Relation(command)).await?;
    let ts = UInt::try_from(found.origin_server_ts).map_err(MatrixError::internal)?;
    Ok(v1::Response::new(found.event_id, MilliSecondsSinceUnixEpoch(ts)))
}
