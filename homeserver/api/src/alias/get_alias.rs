//! `GET /_matrix/client/*/directory/room/{roomAlias}` ([spec])
//!
//! The room that an alias points to.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3directoryroomroomalias

use hubbub_core::error::Result;
use ruma::api::client::alias::get_alias::v3;

use crate::{call::Call, credentials::Visitor};

pub(crate) async fn handle(call: Call<Visitor>, request: v3::Request) -> Result<v3::Response> {
    let room_id = super::resolve(&call.context, call.auth.0.as_ref(), &request.room_alias).await?;
    let servers = vec![call.context.config.server_name.clone()];
    Ok(v3::Response::new(room_id, servers))
}
