//! Taking events: the user's own membership, state, the timeline, redactions, what notifies.

use hubbub_storage::user::{
    state::{self, StateEvent},
    timeline::{self, KeptEvent, Notify},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Taking;
use crate::{
    contract::delivery::DeliveredEvent,
    error::{MatrixError, Result},
    user::{
        notify::{Notifications, Verdict},
        stored_event::take_apart,
        unread::UnreadEvents,
    },
};

impl Taking<'_> {
    pub(super) fn take_event(&mut self, event: &DeliveredEvent) -> Result<()> {
        let own_membership = self.own_membership(event)?;
        if let Some(membership) = &own_membership {
            self.take_membership(membership, event);
        }
        if event.is_state {
            self.take_state(event, self.inbox_pos)?;
        }
        self.take_sender(event)?;
        let joined = self.room.membership == "join";
        // The last thing that is seen of a room is one's own leaving.
        if !joined && !matches!(own_membership.as_deref(), Some("leave" | "ban")) {
            return Ok(());
        }
        let verdict = self.judge(event)?;
        let kept = self.kept(event, verdict)?;
        timeline::put(self.transaction, &self.room.room_id, &kept)?;
        if kept.notify != Notify::Silent
            && let Some(position) = kept.position
        {
            self.unread.add(position, kept.order_key, kept.notify, kept.thread);
        }
        if let Some(redacted) = &event.redacted {
            self.take_redaction(redacted)?;
        }
        self.changed = true;
        Ok(())
    }

    /// The membership that an event gives to the user.
    pub(super) fn own_membership(&self, event: &DeliveredEvent) -> Result<Option<String>> {
        let own =
            event.event_type == "m.room.member" && event.state_key.as_deref() == Some(self.object.user_id.as_str());
        Ok(if own { membership_of(&event.event) } else { None })
    }

    pub(super) fn take_membership(&mut self, membership: &str, event: &DeliveredEvent) {
        self.changed = true;
        let by_self = event.sender == self.object.user_id;
        let invited = matches!(membership, "invite" | "knock");
        if self.room.membership != membership {
            self.room.membership = membership.to_owned();
            self.room.membership_pos = self.inbox_pos;
            self.room.forgotten = false;
            self.room.left_by_self = by_self && membership == "leave";
            self.room.typing = None;
            self.unread = UnreadEvents::default();
            if membership == "join" {
                self.room.gap_pos = self.inbox_pos;
            }
        }
        if invited {
            self.room.inviter = Some(event.sender.to_string());
            self.room.membership_pos = self.inbox_pos;
        } else {
            self.room.inviter = None;
        }
        self.room.invite_state = None;
    }

    /// Keeps a state event as the latest of its kind.
    pub(super) fn take_state(&mut self, event: &DeliveredEvent, changed_pos: i64) -> Result<()> {
        let stored = take_apart(&event.event)?;
        let row = StateEvent {
            event_type: event.event_type.clone(),
            state_key: event.state_key.clone().unwrap_or_default(),
            changed_pos,
            event_id: event.event_id.to_string(),
            sender: event.sender.to_string(),
            membership: (event.event_type == "m.room.member").then(|| membership_of(&event.event)).flatten(),
            ts: stored.ts,
            event: stored.event,
            unsigned: stored.unsigned,
        };
        if row.event_type == "m.room.member" {
            self.members_seen.retain(|user_id, _| user_id.as_str() != row.state_key);
        }
        state::put(self.transaction, &self.room.room_id, &row)?;
        self.room.state_pos = self.inbox_pos;
        Ok(())
    }

    /// Keeps the member event that came with a message, for clients that load members lazily. One
    /// that the inbox did not have is old news to all others.
    fn take_sender(&mut self, event: &DeliveredEvent) -> Result<()> {
        let Some(member) = &event.sender_member else {
            return Ok(());
        };
        let member_id = event_id_of(member)?;
        if self.members_seen.get(&event.sender) == Some(&member_id) {
            return Ok(());
        }
        let query = self.transaction.as_query();
        let sender = event.sender.as_str();
        let held = state::get(query, &self.room.room_id, "m.room.member", sender)?;
        if held.as_ref().is_none_or(|held| held.event_id != member_id) {
            let stored = take_apart(member)?;
            let row = StateEvent {
                event_type: "m.room.member".to_owned(),
                state_key: sender.to_owned(),
                changed_pos: if held.is_some() { self.inbox_pos } else { 0 },
                event_id: member_id.clone(),
                sender: sender_of(member)?,
                membership: membership_of(member),
                ts: stored.ts,
                event: stored.event,
                unsigned: stored.unsigned,
            };
            if held.is_some() {
                self.room.state_pos = self.inbox_pos;
            }
            state::put(self.transaction, &self.room.room_id, &row)?;
        }
        self.members_seen.insert(event.sender.clone(), member_id);
        Ok(())
    }

    /// Whether an event notifies: own events and those before the user's receipts never do.
    fn judge(&mut self, event: &DeliveredEvent) -> Result<Verdict> {
        let object = self.object;
        if event.sender == object.user_id || self.room.membership != "join" {
            return Ok(Verdict::silent(&event.event));
        }
        let query = self.transaction.as_query();
        let notifications = match self.notifications.take() {
            Some(notifications) => notifications,
            None => Notifications::new(
                query,
                object.rules(query)?,
                self.delivery.room_id.clone(),
                &object.user_id,
                &self.delivery.room,
            )?,
        };
        let verdict = notifications.judge(query, self.room.kept_from, event);
        self.notifications = Some(notifications);
        verdict
    }

    /// An event as the timeline keeps it.
    pub(super) fn kept(&self, event: &DeliveredEvent, verdict: Verdict) -> Result<KeptEvent> {
        let stored = take_apart(&event.event)?;
        let own = event.sender == self.object.user_id;
        let (device_id, transaction_id) = event.transaction.clone().filter(|_| own).unzip();
        Ok(KeptEvent {
            order_key: event.order_key,
            position: event.position,
            inbox_pos: self.inbox_pos,
            notify: verdict.notify,
            thread: verdict.thread,
            event_id: event.event_id.to_string(),
            event_type: event.event_type.clone(),
            state_key: event.state_key.clone(),
            sender: event.sender.to_string(),
            membership: event.membership.clone(),
            device_id,
            transaction_id,
            ts: stored.ts,
            event: stored.event,
            unsigned: stored.unsigned,
        })
    }

    /// Replaces a redacted event wherever it is kept.
    fn take_redaction(&mut self, redacted: &DeliveredEvent) -> Result<()> {
        let stored = take_apart(&redacted.event)?;
        let room_id = &self.room.room_id;
        timeline::replace_event(
            self.transaction,
            room_id,
            redacted.order_key,
            &stored.event,
            stored.unsigned.as_deref(),
        )?;
        if let Some(position) = redacted.position {
            self.unread.remove(position);
        }
        let Some(state_key) = &redacted.state_key else {
            return Ok(());
        };
        let query = self.transaction.as_query();
        let held = state::get(query, room_id, &redacted.event_type, state_key)?;
        if held.is_some_and(|held| redacted.event_id == held.event_id) {
            self.take_state(redacted, self.inbox_pos)?;
        }
        Ok(())
    }
}

/// `content.membership` of an event.
pub(super) fn membership_of(event: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        membership: Option<String>,
    }
    serde_json::from_str::<Event>(event.get()).ok()?.content.membership
}

fn event_id_of(event: &RawValue) -> Result<String> {
    #[derive(Deserialize)]
    struct Event {
        event_id: String,
    }
    let event: Event = serde_json::from_str(event.get()).map_err(MatrixError::internal)?;
    Ok(event.event_id)
}

fn sender_of(event: &RawValue) -> Result<String> {
    #[derive(Deserialize)]
    struct Event {
        sender: String,
    }
    let event: Event = serde_json::from_str(event.get()).map_err(MatrixError::internal)?;
    Ok(event.sender)
}

/// Whether a stripped event is the member event of this user.
pub(super) fn is_member(event: &RawValue, user_id: &str) -> bool {
    #[derive(Deserialize)]
    struct Event {
        r#type: String,
        state_key: String,
    }
    serde_json::from_str::<Event>(event.get())
        .is_ok_and(|event| event.r#type == "m.room.member" && event.state_key == user_id)
}

/// The four keys of a stripped state event
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#stripped-state)).
pub(super) fn stripped(event: &str) -> Result<Box<RawValue>> {
    #[derive(Deserialize, serde::Serialize)]
    struct Stripped<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
        sender: String,
        state_key: String,
        r#type: String,
    }
    let event: Stripped<'_> = serde_json::from_str(event).map_err(MatrixError::internal)?;
    Ok(serde_json::value::to_raw_value(&event)?)
}
