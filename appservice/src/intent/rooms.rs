//! Rooms: making, joining, sending, asking.

use std::collections::BTreeMap;

use http::Method;
use hubbub_core::contract::room::Profile;
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, RoomOrAliasId,
    UInt, UserId,
    api::client::{
        alias::{create_alias, delete_alias, get_alias},
        membership::{
            invite_user::{self, v3::InviteUserId},
            join_room_by_id_or_alias, joined_members, kick_user, leave_room,
        },
        message::send_message_event,
        redact::redact_event,
        state::{get_state_event_for_key, send_state_event},
    },
    events::{AnyMessageLikeEventContent, AnyStateEventContent},
    serde::Raw,
};
use serde_json::{Value as Json, value::to_raw_value};

use super::{Intent, Result, error::IntentError};

impl Intent {
    /// Makes a room from the whole body of
    /// [createRoom](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3createroom).
    /// Not idempotent by itself: name an alias, and look it up before trying again.
    pub async fn create_room(&self, body: &Json) -> Result<OwnedRoomId> {
        let answer = self.send_json(Method::POST, &["v3", "createRoom"], &[], Some(body)).await?;
        answer
            .get("room_id")
            .and_then(Json::as_str)
            .and_then(|room_id| RoomId::parse(room_id).ok())
            .ok_or_else(|| IntentError::not_understood("no room_id"))
    }

    /// Joins a room by id or alias; fine when joined already.
    pub async fn join(&self, room: &RoomOrAliasId) -> Result<OwnedRoomId> {
        let request = join_room_by_id_or_alias::v3::Request::new(room.to_owned());
        Ok(self.send_request(request).await?.room_id)
    }

    /// Leaves a room, or rejects an invitation.
    pub async fn leave(&self, room_id: &RoomId) -> Result<()> {
        let request = leave_room::v3::Request::new(room_id.to_owned());
        self.send_request(request).await?;
        Ok(())
    }

    /// Invites a user; 403 `M_FORBIDDEN` when the user is in the room already.
    pub async fn invite(&self, room_id: &RoomId, user_id: &UserId) -> Result<()> {
        let recipient = InviteUserId::new(user_id.to_owned());
        let request = invite_user::v3::Request::new(room_id.to_owned(), recipient.into());
        self.send_request(request).await?;
        Ok(())
    }

    /// Removes a user from a room.
    pub async fn kick(&self, room_id: &RoomId, user_id: &UserId, reason: Option<&str>) -> Result<()> {
        let mut request = kick_user::v3::Request::new(room_id.to_owned(), user_id.to_owned());
        request.reason = reason.map(str::to_owned);
        self.send_request(request).await?;
        Ok(())
    }

    /// Sends a message event. Repeating the transaction id returns the first event. `ts` becomes the
    /// event's `origin_server_ts`, in milliseconds
    /// ([spec](https://spec.matrix.org/v1.11/application-service-api/#timestamp-massaging)).
    pub async fn send(
        &self,
        room_id: &RoomId,
        event_type: &str,
        transaction_id: &str,
        content: &Json,
        ts: Option<i64>,
    ) -> Result<OwnedEventId> {
        let content: Raw<AnyMessageLikeEventContent> = raw(content)?;
        let mut request = send_message_event::v3::Request::new_raw(
            room_id.to_owned(),
            transaction_id.into(),
            event_type.into(),
            content,
        );
        request.timestamp = timestamp(ts)?;
        Ok(self.send_request(request).await?.event_id)
    }

    /// Sends a state event. `ts` as for [`Intent::send`].
    pub async fn send_state(
        &self,
        room_id: &RoomId,
        event_type: &str,
        state_key: &str,
        content: &Json,
        ts: Option<i64>,
    ) -> Result<OwnedEventId> {
        let content: Raw<AnyStateEventContent> = raw(content)?;
        let mut request = send_state_event::v3::Request::new_raw(
            room_id.to_owned(),
            event_type.into(),
            state_key.to_owned(),
            content,
        );
        request.timestamp = timestamp(ts)?;
        Ok(self.send_request(request).await?.event_id)
    }

    /// The content of a state event; `None` when there is none.
    pub async fn get_state(&self, room_id: &RoomId, event_type: &str, state_key: &str) -> Result<Option<Json>> {
        let request =
            get_state_event_for_key::v3::Request::new(room_id.to_owned(), event_type.into(), state_key.to_owned());
        let Some(response) = found(self.send_request(request).await)? else {
            return Ok(None);
        };
        serde_json::from_str(response.event_or_content.get()).map(Some).map_err(IntentError::not_understood)
    }

    /// An event in client format; `None` when there is none, or the user may not see it.
    pub async fn get_event(&self, room_id: &RoomId, event_id: &str) -> Result<Option<Json>> {
        let path = ["v3", "rooms", room_id.as_str(), "event", event_id];
        found(self.send_json(Method::GET, &path, &[], None).await)
    }

    /// Redacts an event. Repeating the transaction id returns the first redaction.
    pub async fn redact(
        &self,
        room_id: &RoomId,
        event_id: &EventId,
        transaction_id: &str,
        reason: Option<&str>,
    ) -> Result<OwnedEventId> {
        let mut request =
            redact_event::v3::Request::new(room_id.to_owned(), event_id.to_owned(), transaction_id.into());
        request.reason = reason.map(str::to_owned);
        Ok(self.send_request(request).await?.event_id)
    }

    /// Makes an alias; 409 `M_UNKNOWN` when it is taken.
    pub async fn set_alias(&self, alias: &RoomAliasId, room_id: &RoomId) -> Result<()> {
        let request = create_alias::v3::Request::new(alias.to_owned(), room_id.to_owned());
        self.send_request(request).await?;
        Ok(())
    }

    /// Removes an alias; fine when there is none.
    pub async fn delete_alias(&self, alias: &RoomAliasId) -> Result<()> {
        let request = delete_alias::v3::Request::new(alias.to_owned());
        found(self.send_request(request).await)?;
        Ok(())
    }

    /// The room that an alias points to; `None` when there is none.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<Option<OwnedRoomId>> {
        let request = get_alias::v3::Request::new(alias.to_owned());
        Ok(found(self.send_request(request).await)?.map(|response| response.room_id))
    }

    /// Joined members with their names and avatars; the user must be joined.
    pub async fn joined_members(&self, room_id: &RoomId) -> Result<BTreeMap<OwnedUserId, Profile>> {
        let request = joined_members::v3::Request::new(room_id.to_owned());
        let members = self.send_request(request).await?.joined;
        Ok(members
            .into_iter()
            .map(|(user_id, member)| {
                let profile =
                    Profile { displayname: member.display_name, avatar_url: member.avatar_url.map(Into::into) };
                (user_id, profile)
            })
            .collect())
    }
}

/// `None` for 404 `M_NOT_FOUND`.
pub(super) fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.status == 404 && error.is("M_NOT_FOUND") => Ok(None),
        Err(error) => Err(error),
    }
}

fn raw<T>(content: &Json) -> Result<Raw<T>> {
    to_raw_value(content).map(Raw::from_json).map_err(IntentError::not_built)
}

fn timestamp(ts: Option<i64>) -> Result<Option<MilliSecondsSinceUnixEpoch>> {
    ts.map(|ts| UInt::try_from(ts).map(MilliSecondsSinceUnixEpoch).map_err(IntentError::not_built)).transpose()
}
