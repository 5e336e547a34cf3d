//! `GET /_matrix/client/*/rooms/{roomId}/state/{eventType}/{stateKey}` ([spec])
//!
//! The content of one state event, or with `?format=event` the whole event. The slash before an
//! empty state key may be left out.
//!
//! [spec]: https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey

use hubbub_core::{
    contract::room::RoomCommand,
    error::{MatrixError, Result},
};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let whole = match call.query("format").as_deref() {
        None | Some("content") => false,
        Some("event") => true,
        Some(_) => {
            return Err(MatrixError::invalid_param("format is either content or event."));
        }
    };
    let command = RoomCommand::StateEvent {
        reader: call.auth.user_id().clone(),
        event_type: call.argument(1).to_owned(),
        state_key: call.argument(2).to_owned(),
    };
    let event: Box<RawValue> = objects::room(&call, &room_id, &command).await?;
    if whole {
        return respond::json(&event);
    }
    let event: Event<'_> = serde_json::from_str(event.get())?;
    respond::json(event.content)
}
