//! How a bundled bridge receives its transactions: a call instead of an HTTP request, from the same
//! queue and under the same promises.

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    contract::{appservice::Query, delivery::DeliveredEvent},
    error::MatrixError,
};
use ruma::RoomId;
use serde_json::{Value as Json, value::RawValue};

/// A bundled bridge, seen from the queue.
pub trait InProcess {
    /// Takes a batch of one room's events, in client format with `room_id`, in the room's order;
    /// `m.typing` and `m.receipt` come after them, if the registration receives them.
    ///
    /// `route` is what [`hubbub_core::contract::appservice::AppserviceCommand::Route`] said of the
    /// room, `None` when nobody has said (an invitation of the bot). `Ok` means that everything is
    /// stored durably or needs no action. On `Err` the same events come again, after a back-off
    /// that grows to five minutes and never ends, and before any later event of the room; other
    /// rooms go on. After a crash events may come again although they were taken: their `event_id`
    /// tells.
    fn transaction<'a>(
        &'a self,
        appservice_id: &'a str,
        room_id: &'a RoomId,
        events: Vec<Json>,
        route: Option<String>,
    ) -> LocalBoxFuture<'a, Result<(), MatrixError>>;

    /// Whether this registration is bundled, so that its transactions come here. A place that runs
    /// objects of all appservices passes one value that knows; the rest go over HTTP.
    fn serves(&self, _appservice_id: &str) -> bool {
        true
    }

    /// Whether the bridge could have a use for the event. What it does not want is never queued,
    /// which saves most writes of a bridged message: a bridge's own events come back to it.
    fn wants(&self, _appservice_id: &str, _event: &DeliveredEvent) -> bool {
        true
    }

    /// Whether the bridge could have a use for this `m.typing` or `m.receipt`.
    fn wants_ephemeral(&self, _appservice_id: &str, _event: &RawValue) -> bool {
        true
    }

    /// Whether the bridge has this user or alias of its namespaces, or makes it before it answers.
    fn query<'a>(
        &'a self,
        _appservice_id: &'a str,
        _query: &'a Query,
    ) -> LocalBoxFuture<'a, Result<bool, MatrixError>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}
