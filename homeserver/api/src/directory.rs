//! The public room directory
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#listing-rooms)).
//!
//! It is read from D1, which the rooms fill; whether a room is listed is kept by the room.
//! [`page`] reads a page of it.

mod get_public_rooms;
mod get_public_rooms_filtered;
mod get_room_visibility;
pub(crate) mod page;
mod set_room_visibility;

use hubbub_core::error::{MatrixError, Result};
use ruma::api::client::directory;
use serde_json::{Map, Value as Json};

use crate::{
    call::optional_text,
    endpoint::{Endpoint, of},
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<directory::get_public_rooms::v3::Request>().raw(get_public_rooms::handle),
        of::<directory::get_public_rooms_filtered::v3::Request>().raw(get_public_rooms_filtered::handle),
        of::<directory::get_room_visibility::v3::Request>().raw(get_room_visibility::handle),
        of::<directory::set_room_visibility::v3::Request>().raw(set_room_visibility::handle),
    ]
}

/// Whether the body asks for a room to be listed, which is the default.
pub(crate) fn wants_listed(body: &Map<String, Json>) -> Result<bool> {
    match optional_text(body, "visibility")?.as_deref() {
        None | Some("public") => Ok(true),
        Some("private") => Ok(false),
        Some(_) => Err(MatrixError::bad_json("visibility is public or private.")),
    }
}
