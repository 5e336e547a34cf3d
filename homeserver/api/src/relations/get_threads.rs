//! `GET /_matrix/client/v1/rooms/{roomId}/threads` ([spec])
//!
//! The roots of a room's threads, those with the newest replies first.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidthreads

use hubbub_core::{
    contract::{
        relation::{GetThreads, RelationCommand, Threads},
        room::RoomCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{
    api::client::threads::get_threads::v1::{self, IncludeThreads},
    assign,
    serde::Raw,
};

use super::limit;
use crate::{call::Call, credentials::Authenticated, objects, tokens::room_token};

pub(crate) async fn handle(call: Call<Authenticated>, request: v1::Request) -> Result<v1::Response> {
    let participated = match request.include {
        IncludeThreads::All => false,
        IncludeThreads::Participated => true,
        _ => return Err(MatrixError::invalid_param("include is either all or participated.")),
    };
    let command = RelationCommand::Threads(Box::new(GetThreads {
        reader: call.auth.actor(),
        participated,
        from: room_token(&call, &request.room_id, "from").await?,
        limit: limit(request.limit),
    }));
    let page: Threads = objects::room(&call, &request.room_id, &RoomCommand::Relation(command)).await?;
    Ok(assign!(v1::Response::new(page.chunk.into_iter().map(Raw::from_json).collect()), {
        next_batch: page.next_batch,
    }))
}
