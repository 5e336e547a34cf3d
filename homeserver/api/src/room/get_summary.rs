//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}` ([spec])
//!
//! What a room shows of itself to somebody who may join it or look into it; 404 `M_NOT_FOUND` for
//! anybody else, as for a room that does not exist. A token is optional. Also under the paths of
//! [MSC3266](https://github.com/matrix-org/matrix-spec-proposals/pull/3266) that clients still use.
//!
//! [spec]: https://spec.matrix.org/v1.15/client-server-api/#get_matrixclientv1room_summaryroomidoralias

use hubbub_core::{
    contract::{
        place::{Described, PlaceCommand, Summary},
        room::RoomCommand,
    },
    error::{MatrixError, Result},
};
use hubbub_storage::directory::archive;
use ruma::{OwnedRoomOrAliasId, RoomId};
use serde::Serialize;

use crate::{
    alias,
    answer::Outcome,
    call::Call,
    credentials::{Authenticated, Credentials},
    objects,
    peer::RateLimit,
    respond,
};

/// The path of the specification.
pub(super) const PATH: &str = "/_matrix/client/v1/room_summary/{room_id_or_alias}";
/// The paths of the proposal.
pub(super) const UNSTABLE: [&str; 2] = [
    "/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}",
    "/_matrix/client/unstable/im.nheko.summary/rooms/{room_id_or_alias}/summary",
];

/// A user, or a stranger without a token.
pub(crate) struct Reader(Option<Authenticated>);

impl Credentials for Reader {
    async fn check(call: &Call) -> Result<Self> {
        let has_token =
            call.request().headers().contains_key(http::header::AUTHORIZATION) || call.query("access_token").is_some();
        if has_token {
            return Ok(Self(Some(Authenticated::check(call).await?)));
        }
        call.peer.limit(&call.context, RateLimit::Lookup).await?;
        Ok(Self(None))
    }
}

#[derive(Serialize)]
struct Body {
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<String>,
    #[serde(rename = "im.nheko.summary.room_version", skip_serializing_if = "Option::is_none")]
    unstable_version: Option<String>,
    #[serde(rename = "im.nheko.summary.encryption", skip_serializing_if = "Option::is_none")]
    unstable_encryption: Option<String>,
}

pub(crate) async fn stable(call: Call<Reader>) -> Result<Outcome> {
    respond::json(&describe(&call).await?)
}

pub(crate) async fn unstable(call: Call<Reader>) -> Result<Outcome> {
    let mut body = describe(&call).await?;
    body.unstable_version = Some(body.summary.room_version.clone());
    body.unstable_encryption = body.summary.encryption.clone();
    respond::json(&body)
}

async fn describe(call: &Call<Reader>) -> Result<Body> {
    let room: OwnedRoomOrAliasId = call.id(0)?;
    let asking = call.auth.0.as_ref().map(|reader| &reader.claim);
    let room_id = alias::resolve_either(&call.context, asking, &room).await.map_err(|error| match error.status {
        404 => unknown(),
        _ => error,
    })?;
    let reader = call.auth.0.as_ref().map(|reader| reader.user_id().clone());
    if reader.is_none() {
        stay_asleep(call, &room_id).await?;
    }
    let with_membership = reader.is_some();
    let command = PlaceCommand::Describe { reader, joined: Vec::new(), children: false };
    let described: Described = objects::room(call, &room_id, &RoomCommand::Place(command)).await?;
    Ok(Body {
        summary: described.summary,
        membership: Some(described.membership).filter(|_| with_membership),
        unstable_version: None,
        unstable_encryption: None,
    })
}

/// Refuses a stranger's request for a room that is not open by what D1 knows, so that strangers
/// wake no other room. The room itself still decides.
async fn stay_asleep(call: &Call<Reader>, room_id: &RoomId) -> Result<()> {
    let room = archive::get_room(&*call.context.directory, room_id.as_str()).await?;
    let may_be_open = room.is_some_and(|room| {
        // A rule that is not mirrored yet may be any.
        room.join_rule.is_none_or(|rule| matches!(rule.as_str(), "public" | "knock" | "knock_restricted"))
            || room.history_visibility.as_deref() == Some("world_readable")
    });
    if may_be_open { Ok(()) } else { Err(unknown()) }
}

/// The same as the room itself says to who may not look at it.
fn unknown() -> MatrixError {
    MatrixError::not_found("There is no such room, or you may not look at it.")
}
