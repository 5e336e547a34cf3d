//! Handing over in process: each room is a lane, so that a portal that fails stops no other.

use hubbub_storage::{
    appservice::{self as store, Route},
    database::DatabaseError,
};
use ruma::RoomId;
use serde_json::Value as Json;

use super::{AppserviceObject, TRANSACTION_BYTES, TRANSACTION_EVENTS, accept::Payload};
use crate::in_process::InProcess;

impl AppserviceObject {
    /// Hands a room's batches to the bridge until none is left or one fails. The caller holds the
    /// lane's lock.
    pub(super) async fn run_room(&self, room_id: &str, bridge: &dyn InProcess) -> Result<(), DatabaseError> {
        loop {
            let database = self.database.as_query();
            let state = store::lane(database, room_id)?;
            if state.next_attempt_at.is_some_and(|at| at > self.now()) {
                return Ok(());
            }
            let Some(through) = store::head_through(database, room_id, TRANSACTION_EVENTS, TRANSACTION_BYTES)? else {
                return Ok(());
            };
            let route = match store::route(database, room_id)? {
                Route::Unknown | Route::Nowhere => None,
                Route::To(target) => Some(target),
            };
            let events = events(&store::batches(database, room_id, through)?)?;
            let room = RoomId::parse(room_id).map_err(DatabaseError::new)?;
            self.context.failpoints.pass("appservice.before_dispatch").await;
            let outcome = bridge.transaction(&self.id, &room, events, route).await;
            self.context.failpoints.pass("appservice.after_dispatch").await;
            if let Err(error) = outcome {
                tracing::warn!(
                    appservice.id = %self.id, room.id = %room_id, attempts = state.attempts + 1,
                    "The bridge did not take events of {room_id}: {} {}", error.status, error.errcode
                );
                return self.fail(room_id, &state);
            }
            self.commit(None, |transaction| store::finish(transaction, room_id, through))?;
        }
    }
}

/// All events of the batches, then what is ephemeral.
fn events(batches: &[store::QueuedBatch]) -> Result<Vec<Json>, DatabaseError> {
    let mut events = Vec::new();
    let mut ephemeral = Vec::new();
    for batch in batches {
        let payload: Payload = serde_json::from_str(&batch.payload).map_err(DatabaseError::new)?;
        for (raw, into) in
            payload.events.iter().map(|raw| (raw, true)).chain(payload.ephemeral.iter().map(|raw| (raw, false)))
        {
            let event = serde_json::from_str(raw.get()).map_err(DatabaseError::new)?;
            if into {
                events.push(event);
            } else {
                ephemeral.push(event);
            }
        }
    }
    events.append(&mut ephemeral);
    Ok(events)
}
