//! `GET /_matrix/client/*/publicRooms` ([spec])
//!
//! The rooms of the public directory, those with most members first. Open to everybody, as the
//! specification has it: what is listed is meant to be found.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3publicrooms

use hubbub_core::error::Result;
use hubbub_storage::directory::public_rooms::List;

use super::page::{Asked, read};
use crate::{answer::Outcome, call::Call, credentials::Visitor, respond};

pub(crate) async fn handle(call: Call<Visitor>) -> Result<Outcome> {
    let asked = Asked {
        server: call.query("server"),
        since: call.query("since"),
        limit: call.query_as("limit")?,
        list: List::Main,
        term: None,
        room_types: Vec::new(),
    };
    respond::json(&read(&call.context, asked).await?)
}
