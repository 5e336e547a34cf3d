//! `POST /_matrix/client/*/publicRooms` ([spec])
//!
//! Searches the public directory, or the list of an appservice's network.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3publicrooms

use std::borrow::Cow;

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::directory::public_rooms::List;
use serde::Deserialize;

use super::page::{Asked, read};
use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond};

#[derive(Deserialize)]
struct Body {
    limit: Option<u64>,
    since: Option<String>,
    filter: Option<Filter>,
    include_all_networks: Option<bool>,
    third_party_instance_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Filter {
    generic_search_term: Option<String>,
    room_types: Option<Vec<Option<String>>>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let list = match (body.include_all_networks.unwrap_or(false), body.third_party_instance_id) {
        (false, None) => List::Main,
        (false, Some(network)) => List::Network(network),
        (true, None) => List::All,
        (true, Some(_)) => {
            return Err(MatrixError::invalid_param("Ask for all networks or for one of them, not for both."));
        }
    };
    let filter = body.filter.unwrap_or_default();
    let asked = Asked {
        server: call.query("server"),
        since: body.since.map(Cow::Owned),
        limit: body.limit,
        list,
        term: filter.generic_search_term,
        room_types: filter.room_types.unwrap_or_default(),
    };
    respond::json(&read(&call.context, asked).await?)
}
