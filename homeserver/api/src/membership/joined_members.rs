//! `GET /_matrix/client/*/rooms/{roomId}/joined_members` ([spec])
//!
//! The joined members of a room with name and avatar; both keys are always there, for clients that
//! do not expect them to be absent. Only for members.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidjoined_members

use std::collections::BTreeMap;

use hubbub_core::{
    contract::room::{Profile, RoomCommand},
    error::Result,
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

#[derive(Serialize)]
struct Body {
    joined: BTreeMap<OwnedUserId, Member>,
}

#[derive(Serialize)]
struct Member {
    display_name: Option<String>,
    avatar_url: Option<String>,
}

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let room_id: OwnedRoomId = call.id(0)?;
    let command = RoomCommand::JoinedMembers { reader: call.auth.user_id().clone() };
    let members: BTreeMap<OwnedUserId, Profile> = objects::room(&call, &room_id, &command).await?;
    let joined = members
        .into_iter()
        .map(|(user_id, profile)| {
            let member = Member { display_name: profile.displayname, avatar_url: profile.avatar_url };
            (user_id, member)
        })
        .collect();
    respond::json(&Body { joined })
}
