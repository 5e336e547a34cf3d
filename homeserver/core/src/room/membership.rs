//! Joins, invites, leaves, kicks, bans: what the endpoints demand beyond the authorisation rules.

use hubbub_storage::{
    database::{Query, transaction},
    room::events,
};
use ruma::{
    OwnedEventId, OwnedUserId, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
    events::StateEventType,
    state_res::events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};

use super::{Opened, RoomObject, append::New, initial::member_content, join_rule::Admission};
use crate::{
    context::AppserviceList,
    contract::room::{AliasPermissions, ChangeMembership, MembershipAction, Profile, Sent},
    error::{MatrixError, Result},
};

impl RoomObject {
    /// Carries out one of the membership endpoints.
    pub(super) async fn change_membership(&self, change: ChangeMembership) -> Result<Sent> {
        let appservices = self.appservices().await?;
        self.learn_inbox(&appservices, &change.target).await;
        let admission = match change.action {
            MembershipAction::Join => self.admission(&change.target).await?,
            _ => Admission::default(),
        };
        let sent = self.change_in_transaction(&appservices, &change, &admission)?;
        self.context.failpoints.pass("room.after_membership").await;
        if change.read_your_writes {
            self.settle(&change.actor.user_id, sent.position).await?;
        }
        Ok(sent)
    }

    fn change_in_transaction(
        &self,
        appservices: &AppserviceList,
        change: &ChangeMembership,
        admission: &Admission,
    ) -> Result<Sent> {
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let mut opened = self.opened(query)?;
            let before = self.membership_of(query, &opened, &change.target)?;
            if change.action == MembershipAction::Join && before.as_deref() == Some("join") {
                return self.current_member_event(query, &change.target);
            }
            check(change, before.as_deref())?;
            let mut content = content_of(change)?;
            self.admit(query, &opened, &change.target, admission, &mut content)?;
            let sent = self.append(
                transaction,
                &mut opened,
                appservices,
                New {
                    sender: &change.actor.user_id,
                    event_type: "m.room.member",
                    state_key: Some(change.target.as_str()),
                    content,
                    redacts: None,
                    timestamp: change.timestamp,
                    transaction_key: None,
                },
            )?;
            self.save(transaction, &mut opened.row)?;
            Ok(sent)
        })
    }

    fn current_member_event(&self, query: &dyn Query, user_id: &UserId) -> Result<Sent> {
        let missing = || MatrixError::internal("a joined member has no member event");
        let event = events::current(query, "m.room.member", user_id.as_str())?.ok_or_else(missing)?;
        Ok(Sent {
            position: event.position().unwrap_or_default(),
            event_id: OwnedEventId::try_from(event.event_id).map_err(MatrixError::internal)?,
        })
    }

    /// Puts a changed profile into the user's member event, if the user is joined.
    pub(super) async fn update_profile(&self, user_id: &UserId, profile: &Profile) -> Result<()> {
        let appservices = self.appservices().await?;
        let position = transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let mut opened = self.opened(query)?;
            if self.membership_of(query, &opened, user_id)?.as_deref() != Some("join") {
                return Ok::<_, MatrixError>(None);
            }
            let sent = self.append(
                transaction,
                &mut opened,
                &appservices,
                New {
                    sender: user_id,
                    event_type: "m.room.member",
                    state_key: Some(user_id.as_str()),
                    content: member_content("join", profile),
                    redacts: None,
                    timestamp: None,
                    transaction_key: None,
                },
            )?;
            self.save(transaction, &mut opened.row)?;
            Ok(Some(sent.position))
        })?;
        self.context.failpoints.pass("room.after_profile").await;
        match position {
            Some(position) => self.settle(user_id, position).await,
            None => Ok(()),
        }
    }

    /// Whether a user may redact other people's events.
    pub(super) fn may_redact(&self, query: &dyn Query, opened: &Opened, user_id: &UserId) -> Result<bool> {
        let levels = self.state_pdu(query, &StateEventType::RoomPowerLevels, "")?;
        let Some(levels) = levels.map(RoomPowerLevelsEvent::new) else {
            return self.is_creator(query, opened, user_id);
        };
        let rules = &opened.rules.authorization;
        if rules.explicitly_privilege_room_creators && self.is_creator(query, opened, user_id)? {
            return Ok(true);
        }
        let needed = levels.get_as_int_or_default(RoomPowerLevelsIntField::Redact, rules);
        let held = levels.user_power_level(user_id, rules);
        Ok(held.map_err(MatrixError::internal)? >= needed.map_err(MatrixError::internal)?)
    }

    /// What a user may do about aliases.
    pub(super) fn alias_permissions(&self, user_id: &UserId) -> Result<AliasPermissions> {
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        let joined = self.membership_of(query, &opened, user_id)?.as_deref() == Some("join");
        let world_readable = self.visibility_in_force(query)? == "world_readable";
        Ok(AliasPermissions {
            may_list: joined || world_readable,
            may_set_canonical: joined && self.may_send_state(query, &opened, user_id, "m.room.canonical_alias")?,
            joined,
        })
    }

    /// Whether a user has the power to send state of this type, joined or not.
    pub(super) fn may_send_state(
        &self,
        query: &dyn Query,
        opened: &Opened,
        user_id: &UserId,
        event_type: &str,
    ) -> Result<bool> {
        let rules = &opened.rules.authorization;
        let levels = self.state_pdu(query, &StateEventType::RoomPowerLevels, "")?;
        let Some(levels) = levels.map(RoomPowerLevelsEvent::new) else {
            return self.is_creator(query, opened, user_id);
        };
        if rules.explicitly_privilege_room_creators && self.is_creator(query, opened, user_id)? {
            return Ok(true);
        }
        let needed = levels.event_power_level(&event_type.into(), Some(""), rules);
        let held = levels.user_power_level(user_id, rules);
        Ok(held.map_err(MatrixError::internal)? >= needed.map_err(MatrixError::internal)?)
    }

    /// The creators whose power is unlimited: none before room version 12.
    pub(super) fn privileged_creators(&self, query: &dyn Query, opened: &Opened) -> Result<Vec<OwnedUserId>> {
        let rules = &opened.rules.authorization;
        if !rules.explicitly_privilege_room_creators {
            return Ok(Vec::new());
        }
        let create = self.state_pdu(query, &StateEventType::RoomCreate, "")?;
        let creators = create.map(|create| RoomCreateEvent::new(create).creators(rules));
        let creators = creators.transpose().map_err(MatrixError::internal)?;
        Ok(creators.into_iter().flatten().collect())
    }

    fn is_creator(&self, query: &dyn Query, opened: &Opened, user_id: &UserId) -> Result<bool> {
        let create = self.state_pdu(query, &StateEventType::RoomCreate, "")?;
        let Some(create) = create.map(RoomCreateEvent::new) else {
            return Ok(false);
        };
        let creators = create.creators(&opened.rules.authorization);
        Ok(creators.map_err(MatrixError::internal)?.contains(user_id))
    }
}

/// What the endpoints demand beyond the authorisation rules, which would let a kick of someone who
/// is not there pass.
fn check(change: &ChangeMembership, before: Option<&str>) -> Result<()> {
    let present = matches!(before, Some("join" | "invite" | "knock"));
    match change.action {
        MembershipAction::Kick if !present => {
            Err(MatrixError::forbidden("This user is not in the room, so cannot be kicked."))
        }
        MembershipAction::Leave if !present => Err(MatrixError::forbidden("You are not in this room.")),
        MembershipAction::Unban if before != Some("ban") => Err(MatrixError::forbidden("This user is not banned.")),
        MembershipAction::Invite if before == Some("join") => {
            Err(MatrixError::forbidden("This user is already in the room."))
        }
        MembershipAction::Invite if before == Some("ban") => {
            Err(MatrixError::forbidden("This user is banned from the room; unban them first."))
        }
        MembershipAction::Join
        | MembershipAction::Knock
        | MembershipAction::Invite
        | MembershipAction::Leave
        | MembershipAction::Kick
        | MembershipAction::Ban
        | MembershipAction::Unban => Ok(()),
    }
}

fn content_of(change: &ChangeMembership) -> Result<CanonicalJsonObject> {
    let membership = match change.action {
        MembershipAction::Join => "join",
        MembershipAction::Knock => "knock",
        MembershipAction::Invite => "invite",
        MembershipAction::Ban => "ban",
        MembershipAction::Leave | MembershipAction::Kick | MembershipAction::Unban => "leave",
    };
    let mut content = CanonicalJsonObject::new();
    for (key, value) in &change.extra {
        let value = CanonicalJsonValue::try_from(value.clone()).map_err(MatrixError::bad_json)?;
        content.insert(key.clone(), value);
    }
    let profile = match change.action {
        MembershipAction::Join | MembershipAction::Knock | MembershipAction::Invite => &change.profile,
        _ => &Profile::default(),
    };
    content.extend(member_content(membership, profile));
    if let Some(reason) = &change.reason {
        let reason = CanonicalJsonValue::String(reason.clone());
        content.insert("reason".to_owned(), reason);
    }
    Ok(content)
}
