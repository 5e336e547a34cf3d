//! Filters ([spec](https://spec.matrix.org/v1.11/client-server-api/#filtering)).

mod create_filter;
mod get_filter;

use hubbub_core::error::{MatrixError, Result};
use ruma::api::client::filter::{self, RoomEventFilter};
use serde_json::value::RawValue;

use crate::endpoint::{Endpoint, of};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<filter::create_filter::v3::Request>().raw(create_filter::handle),
        of::<filter::get_filter::v3::Request>().raw(get_filter::handle),
    ]
}

/// The filter of a query that pages through a room, checked; 400 `M_BAD_JSON` when it is none.
pub(crate) fn room_event_filter(filter: &str) -> Result<Box<RawValue>> {
    let _: RoomEventFilter = serde_json::from_str(filter).map_err(MatrixError::bad_json)?;
    serde_json::from_str(filter).map_err(MatrixError::bad_json)
}
