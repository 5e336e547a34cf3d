//! Who is in a room ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-membership)).
//!
//! Each endpoint gathers what the room needs (the target's profile) and leaves every rule to the
//! room.

mod ban_user;
mod forget_room;
mod get_member_events;
mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod joined_members;
mod joined_rooms;
mod kick_user;
mod leave_room;
mod mutual_rooms;
mod unban_user;

pub(crate) use invite_user::third_party_denied;

use http::Method;
use hubbub_core::{
    contract::room::{ChangeMembership, MembershipAction, Profile, RoomCommand, Sent},
    error::Result,
};
use ruma::{OwnedUserId, RoomId, api::client::membership};

use crate::{
    call::Call,
    credentials::Authenticated,
    endpoint::{Endpoint, of, of_path, own, typed},
    objects,
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of_path(Method::GET, "/_matrix/client/v1/mutual_rooms").raw(mutual_rooms::handle),
        own(Method::GET, "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms").raw(mutual_rooms::handle),
        typed(ban_user::handle),
        typed(forget_room::handle),
        of::<membership::get_member_events::v3::Request>().raw(get_member_events::handle),
        of::<membership::invite_user::v3::Request>().raw(invite_user::handle),
        of::<membership::join_room_by_id::v3::Request>().raw(join_room_by_id::handle),
        of::<membership::join_room_by_id_or_alias::v3::Request>().raw(join_room_by_id_or_alias::handle),
        of::<membership::joined_members::v3::Request>().raw(joined_members::handle),
        typed(joined_rooms::handle),
        typed(kick_user::handle),
        typed(leave_room::handle),
        typed(unban_user::handle),
    ]
}

/// A change of membership by the user who asks, with nothing but a reason.
pub(crate) fn change(
    call: &Call<Authenticated>,
    target: OwnedUserId,
    action: MembershipAction,
    reason: Option<String>,
) -> ChangeMembership {
    ChangeMembership {
        actor: call.auth.actor(),
        target,
        action,
        reason,
        extra: serde_json::Map::new(),
        profile: Profile::default(),
        timestamp: None,
        // Clients read what they did: the list of joined rooms right after a join or leave.
        read_your_writes: matches!(action, MembershipAction::Join | MembershipAction::Knock | MembershipAction::Leave),
    }
}

/// Has the room carry the change out.
pub(crate) async fn carry_out(call: &Call<Authenticated>, room_id: &RoomId, change: ChangeMembership) -> Result<()> {
    let command = RoomCommand::ChangeMembership(Box::new(change));
    let _: Sent = objects::room(call, room_id, &command).await?;
    Ok(())
}
