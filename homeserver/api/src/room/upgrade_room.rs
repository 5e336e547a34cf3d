//! `POST /_matrix/client/*/rooms/{roomId}/upgrade` ([spec])
//!
//! Replaces a room by one of another version: for members who may send `m.room.tombstone`. The
//! whole new room is decided here as the intent of a saga, which the user's own object carries
//! through, whatever dies in between.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidupgrade

use hubbub_core::{
    contract::{
        place::{PlaceCommand, UpgradeSource, UserPlaceCommand},
        room::RoomCommand,
        user::UserCommand,
    },
    error::{MatrixError, Result},
    room::upgrade::{Upgrade, successor},
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::SUPPORTED_VERSIONS;
use crate::{
    answer::Outcome,
    call::{Call, parse_id, required_text},
    credentials::Authenticated,
    objects, respond,
};

/// How many users can share the creator's power.
const MAX_CREATORS: usize = 100;

#[derive(Serialize)]
struct Body {
    replacement_room: OwnedRoomId,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let old_room: OwnedRoomId = call.id(0)?;
    let body = call.object()?;
    let wanted = required_text(&body, "new_version")?;
    let version = SUPPORTED_VERSIONS
        .into_iter()
        .find(|version| version.as_str() == wanted)
        .ok_or_else(|| MatrixError::new(400, "M_UNSUPPORTED_ROOM_VERSION", "Rooms are made in versions 2 to 12."))?;
    let additional_creators = additional_creators(&body, call.auth.user_id())?;
    let command = RoomCommand::Place(PlaceCommand::PlanUpgrade { actor: call.auth.actor() });
    let source: UpgradeSource = objects::room(&call, &old_room, &command).await?;
    let upgrade = Upgrade {
        old_room: &old_room,
        version: &version,
        additional_creators: &additional_creators,
        actor: call.auth.actor(),
        profile: call.auth.profile(&call).await?,
    };
    let intent = Box::new(successor(&call.context, upgrade, source)?);
    let command = UserPlaceCommand::Upgrade { caller: call.auth.claim.caller.clone(), intent };
    let command = UserCommand::Place(Box::new(command));
    let replacement_room = objects::call_again(&*call.context.objects, call.auth.claim.address(), &command).await?;
    respond::json(&Body { replacement_room })
}

/// Who shares the power of the user who upgrades, each once.
fn additional_creators(body: &Map<String, Json>, upgrader: &OwnedUserId) -> Result<Vec<OwnedUserId>> {
    let refuse = || MatrixError::bad_json("additional_creators is a list of user ids.");
    let entries = match body.get("additional_creators") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(entries)) => entries,
        Some(_) => return Err(refuse()),
    };
    if entries.len() > MAX_CREATORS {
        return Err(MatrixError::invalid_param(format_args!("A room has at most {MAX_CREATORS} creators.")));
    }
    let mut creators: Vec<OwnedUserId> = Vec::new();
    for entry in entries {
        let user_id = parse_id(entry.as_str().ok_or_else(refuse)?)?;
        if user_id != *upgrader && !creators.contains(&user_id) {
            creators.push(user_id);
        }
    }
    Ok(creators)
}
