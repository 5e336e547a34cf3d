//! The join rule in force, and whom a restricted one lets in
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#restricted-rooms)).
//!
//! Whether a user is in another room is for that room to say. So this fact is gathered before the
//! append ([`RoomObject::admission`]); the transaction looks at the rule again and only uses the
//! fact if it still counts ([`RoomObject::admit`]).

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::Query,
    room::{events, state},
};
use ruma::{
    Int, OwnedRoomId, OwnedUserId, RoomId, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
    events::StateEventType,
    state_res::events::{RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};
use serde_json::Value as Json;

use super::{Opened, RoomObject};
use crate::{
    contract::{
        Address, call,
        place::PlaceCommand,
        room::{RoomCommand, SendEvent},
    },
    error::{MatrixError, Result},
};

/// The key of a join that names who vouches for it.
const AUTHORISED_VIA: &str = "join_authorised_via_users_server";
/// How many of the rooms that a rule names are asked.
const MAX_ALLOWED_ROOMS: usize = 50;
/// How many are asked at once.
const ROOMS_AT_ONCE: usize = 6;
/// How many joined members are looked at to find one who may invite, where all may.
const MAX_VOUCHERS: u32 = 100;

/// The join rule of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JoinRule {
    /// `invite` when the room has none.
    pub rule: String,
    /// The rooms whose members may join; empty unless the room version knows restricted rules.
    pub allow: Vec<OwnedRoomId>,
}

/// What other rooms said about somebody who wants to join.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    /// A room that the user is joined to and that the rule named.
    through: Option<OwnedRoomId>,
}

impl RoomObject {
    /// The join rule in force.
    pub(super) fn join_rule(&self, query: &dyn Query, opened: &Opened) -> Result<JoinRule> {
        let event = events::current(query, "m.room.join_rules", "")?;
        let event: Option<Json> = event.map(|event| serde_json::from_str(&event.pdu)).transpose()?;
        let content = event.as_ref().and_then(|event| event.get("content"));
        let text = |key: &str| content.and_then(|content| content.get(key)?.as_str());
        let rule = text("join_rule").unwrap_or("invite").to_owned();
        let rules = &opened.rules.authorization;
        let restricted = match rule.as_str() {
            "restricted" => rules.restricted_join_rule,
            "knock_restricted" => rules.knock_restricted_join_rule,
            _ => false,
        };
        let allow = content.filter(|_| restricted).and_then(|content| content.get("allow")?.as_array());
        // What is no well-formed condition lets nobody in.
        let allow = allow.into_iter().flatten().filter_map(|condition| {
            let is_membership = condition.get("type")?.as_str()? == "m.room_membership";
            condition.get("room_id")?.as_str().filter(|_| is_membership).and_then(|id| RoomId::parse(id).ok())
        });
        Ok(JoinRule { rule, allow: allow.collect() })
    }

    /// Asks the rooms that the rule names whether the user is in one of them, unless membership
    /// alone decides.
    pub(super) async fn admission(&self, user_id: &UserId) -> Result<Admission> {
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        let membership = self.membership_of(query, &opened, user_id)?;
        if matches!(membership.as_deref(), Some("join" | "invite" | "ban")) {
            return Ok(Admission::default());
        }
        let allow = self.join_rule(query, &opened)?.allow;
        Ok(Admission { through: self.vouching_room(user_id, &allow, &[]).await? })
    }

    /// The gathered facts for an event that a client sends, if it is a join.
    pub(super) async fn admission_of(&self, send: &SendEvent) -> Result<Admission> {
        let own_member =
            send.event_type == "m.room.member" && send.state_key.as_deref() == Some(send.actor.user_id.as_str());
        if own_member { self.admission(&send.actor.user_id).await } else { Ok(Admission::default()) }
    }

    /// The first of these rooms that says that the user is joined to it. `joined` have said so
    /// already. A room that cannot be asked only matters when no other vouches.
    pub(super) async fn vouching_room(
        &self,
        user_id: &UserId,
        allow: &[OwnedRoomId],
        joined: &[OwnedRoomId],
    ) -> Result<Option<OwnedRoomId>> {
        if let Some(known) = allow.iter().find(|room_id| joined.contains(room_id)) {
            return Ok(Some(known.clone()));
        }
        let others = allow.iter().filter(|room_id| **room_id != self.room_id).take(MAX_ALLOWED_ROOMS).cloned();
        let mut answers = stream::iter(others)
            .map(|room_id| async move {
                let command = RoomCommand::Place(PlaceCommand::IsJoined { user_id: user_id.to_owned() });
                let objects = self.context.objects.as_ref();
                let joined: bool = call(objects, Address::room(&room_id), &command).await?;
                Ok::<_, MatrixError>(joined.then_some(room_id))
            })
            .buffer_unordered(ROOMS_AT_ONCE);
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Some(room_id)) => return Ok(Some(room_id)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Completes a member event before it is authorised: only the server says who vouches for a
    /// join, and only where the rule needs it. 403 `M_FORBIDDEN` when the rule lets the user not
    /// in, 400 `M_UNABLE_TO_GRANT_JOIN` when nobody here can vouch.
    pub(super) fn admit(
        &self,
        query: &dyn Query,
        opened: &Opened,
        user_id: &UserId,
        admission: &Admission,
        content: &mut CanonicalJsonObject,
    ) -> Result<()> {
        content.remove(AUTHORISED_VIA);
        if content.get("membership").and_then(CanonicalJsonValue::as_str) != Some("join") {
            return Ok(());
        }
        let rule = self.join_rule(query, opened)?;
        let membership = self.membership_of(query, opened, user_id)?;
        if rule.allow.is_empty() || matches!(membership.as_deref(), Some("join" | "invite" | "ban")) {
            return Ok(());
        }
        if !admission.through.as_ref().is_some_and(|through| rule.allow.contains(through)) {
            return Err(MatrixError::forbidden(
                "To join this room you must be in one of the rooms that it names, or be invited.",
            ));
        }
        let voucher = self.voucher(query, opened)?.ok_or_else(|| {
            MatrixError::new(
                400,
                "M_UNABLE_TO_GRANT_JOIN",
                "Nobody in this room could invite you, so nobody can let you in.",
            )
        })?;
        content.insert(AUTHORISED_VIA.to_owned(), CanonicalJsonValue::String(voucher.to_string()));
        Ok(())
    }

    /// A joined member of this server who may invite: the one with the most power.
    fn voucher(&self, query: &dyn Query, opened: &Opened) -> Result<Option<OwnedUserId>> {
        let rules = &opened.rules.authorization;
        let levels = self.state_pdu(query, &StateEventType::RoomPowerLevels, "")?.map(RoomPowerLevelsEvent::new);
        let mut candidates: Vec<(Int, OwnedUserId)> = Vec::new();
        let mut creators = self.privileged_creators(query, opened)?;
        if levels.is_none() {
            creators.push(OwnedUserId::try_from(opened.row.creator.as_str()).map_err(MatrixError::internal)?);
        }
        candidates.extend(creators.into_iter().map(|creator| (Int::MAX, creator)));
        let mut needed = Int::from(0_u8);
        if let Some(levels) = &levels {
            let level = |field| levels.get_as_int_or_default(field, rules).map_err(MatrixError::internal);
            needed = level(RoomPowerLevelsIntField::Invite)?;
            let users = levels.users(rules).map_err(MatrixError::internal)?.cloned().unwrap_or_default();
            if level(RoomPowerLevelsIntField::UsersDefault)? >= needed {
                for user_id in state::first_joined(query, MAX_VOUCHERS)? {
                    let user_id = OwnedUserId::try_from(user_id).map_err(MatrixError::internal)?;
                    if !users.contains_key(&user_id) {
                        candidates.push((needed, user_id));
                    }
                }
            }
            candidates.extend(users.into_iter().map(|(user_id, level)| (level, user_id)));
        }
        candidates
            .retain(|(level, user_id)| *level >= needed && user_id.server_name() == self.context.config.server_name);
        candidates.sort_by(|(left, _), (right, _)| right.cmp(left));
        for (_, user_id) in candidates {
            if self.membership_of(query, opened, &user_id)?.as_deref() == Some("join") {
                return Ok(Some(user_id));
            }
        }
        Ok(None)
    }
}
