//! The saga that replaces a room: intent row first, then idempotent steps, resumed by the alarm
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#room-upgrades)).
//!
//! The new room is made before the old one says where it went, so that a tombstone never points
//! nowhere. `room/upgrade.rs` decides what the new room is; `carry_over.rs` is what becomes of
//! each member's settings.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::transaction,
    directory::{aliases, public_rooms},
    user::upgrades,
};
use ruma::{OwnedRoomId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::UserSyncObject;
use crate::{
    contract::{
        Address, call, encode,
        place::{PlaceCommand, UpgradeSaga, UserPlaceCommand},
        room::{Created, RoomCommand, SendEvent, Sent},
        user::UserCommand,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// How many members are told at once.
const MEMBERS_AT_ONCE: usize = 6;
/// Who may still speak and invite in a replaced room has at least this level.
const MODERATOR: i64 = 50;

/// The steps, in their order.
const STEPS: [Step; 6] =
    [Step::Make, Step::Tombstone, Step::Aliases, Step::Directory, Step::PowerLevels, Step::Members];
/// How many of them are done before the answer: the rest goes on without the client.
const BEFORE_THE_ANSWER: usize = 4;

#[derive(Clone, Copy)]
enum Step {
    /// Makes the new room.
    Make,
    /// Says in the old one where it went.
    Tombstone,
    /// Moves the aliases.
    Aliases,
    /// Moves the place in the public directory.
    Directory,
    /// Lets nobody but moderators speak in the old room.
    PowerLevels,
    /// Carries the members' settings over.
    Members,
}

impl UserSyncObject {
    /// Carries out a command about rooms as places.
    pub(super) async fn handle_place(&self, command: UserPlaceCommand) -> Result<Vec<u8>> {
        match command {
            UserPlaceCommand::Upgrade { caller, intent } => {
                self.check(&caller)?;
                encode(&self.upgrade(&intent).await?)
            }
            UserPlaceCommand::CarryOver { from, to } => encode(&self.carry_over(&from, &to)?),
        }
    }

    /// Replaces a room, or goes on with what is under way; returns the new room.
    async fn upgrade(&self, intent: &UpgradeSaga) -> Result<OwnedRoomId> {
        let old_room = intent.old_room.as_str();
        let text = serde_json::to_string(intent)?;
        let now = self.context.clock.now();
        let started = transaction(self.database.as_ref(), |transaction| {
            upgrades::start(transaction, old_room, &text, now)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)?;
            upgrades::get(transaction.as_query(), old_room)
        })?;
        let started = started.ok_or_else(|| MatrixError::internal("an upgrade was not stored"))?;
        let started: UpgradeSaga = serde_json::from_str(&started.intent)?;
        self.context.failpoints.pass("user.upgrade_intended").await;
        let run = self.run_upgrade(old_room).await;
        // What is left once the new room is there and found is not the client's to wait for.
        match upgrades::get(self.query(), old_room)? {
            Some(row) if usize::try_from(row.step).unwrap_or(0) < BEFORE_THE_ANSWER => run?,
            Some(_) => {}
            None => run?,
        }
        Ok(started.new_room.room_id)
    }

    /// Goes on with every room that is being replaced.
    pub(super) async fn resume_upgrades(&self) -> Result<()> {
        let mut outcome = Ok(());
        for (old_room, _) in upgrades::list(self.query())? {
            let run = self.run_upgrade(&old_room).await;
            // An upgrade that was refused is done with; only what may still succeed is work.
            if upgrades::get(self.query(), &old_room)?.is_some() {
                outcome = run.and(outcome);
            }
        }
        outcome
    }

    async fn run_upgrade(&self, old_room: &str) -> Result<()> {
        let _held = self.in_flight.lock(&format!("upgrade:{old_room}")).await;
        let Some(saga) = upgrades::get(self.query(), old_room)? else {
            return Ok(());
        };
        let intent: UpgradeSaga = serde_json::from_str(&saga.intent)?;
        let done = usize::try_from(saga.step).map_err(MatrixError::internal)?;
        for (number, step) in STEPS.into_iter().enumerate().skip(done) {
            if let Err(error) = self.take_step(&intent, step).await {
                if error.status < 500 && error.status != 429 {
                    transaction(self.database.as_ref(), |transaction| upgrades::end(transaction, old_room))?;
                }
                return Err(error);
            }
            let done = i64::try_from(number + 1).map_err(MatrixError::internal)?;
            transaction(self.database.as_ref(), |transaction| upgrades::set_step(transaction, old_room, done))?;
            self.context.failpoints.pass("user.upgrade_step").await;
        }
        Ok(transaction(self.database.as_ref(), |transaction| upgrades::end(transaction, old_room))?)
    }

    async fn take_step(&self, intent: &UpgradeSaga, step: Step) -> Result<()> {
        let (old_room, new_room) = (&intent.old_room, &intent.new_room.room_id);
        let directory = self.context.directory.as_ref();
        match step {
            Step::Make => {
                let command = RoomCommand::Create(Box::new(intent.new_room.clone()));
                let _: Created = self.ask_room(new_room, &command).await?;
                Ok(())
            }
            Step::Tombstone => {
                let content = json!({"body": "This room has been replaced", "replacement_room": new_room});
                self.send_state(intent, "m.room.tombstone", &content).await
            }
            Step::Aliases => {
                aliases::move_all(directory, old_room.as_str(), new_room.as_str()).await?;
                match &intent.canonical_alias_left {
                    Some(left) => {
                        let sent = self.send_state(intent, "m.room.canonical_alias", &json!(left)).await;
                        unless_refused(sent, "its canonical alias")
                    }
                    None => Ok(()),
                }
            }
            Step::Directory => {
                public_rooms::move_networks(directory, old_room.as_str(), new_room.as_str()).await?;
                if !intent.new_room.listed {
                    return Ok(());
                }
                let command = PlaceCommand::SetListed { by: None, listed: Some(false) };
                self.ask_room(old_room, &RoomCommand::Place(command)).await
            }
            Step::PowerLevels => {
                let closed = self.close(intent).await;
                unless_refused(closed, "its power levels")
            }
            Step::Members => self.tell_members(intent).await,
        }
    }

    async fn ask_room<R: serde::de::DeserializeOwned>(&self, room_id: &RoomId, command: &RoomCommand) -> Result<R> {
        call(self.context.objects.as_ref(), Address::room(room_id), command).await
    }

    /// Sends state into the old room; state that is as asked already stays.
    async fn send_state(&self, intent: &UpgradeSaga, event_type: &str, content: &Json) -> Result<()> {
        let command = RoomCommand::Send(Box::new(SendEvent {
            actor: intent.new_room.creator.clone(),
            event_type: event_type.to_owned(),
            state_key: Some(String::new()),
            content: serde_json::value::to_raw_value(content)?,
            redacts: None,
            transaction_id: None,
            timestamp: None,
            read_your_writes: true,
        }));
        let _: Sent = self.ask_room(&intent.old_room, &command).await?;
        Ok(())
    }

    /// Raises what it takes to speak and to invite in the old room, as far as the user may.
    async fn close(&self, intent: &UpgradeSaga) -> Result<()> {
        #[derive(Deserialize)]
        struct Event {
            content: Map<String, Json>,
        }
        let command = RoomCommand::StateEvent {
            reader: intent.new_room.creator.user_id.clone(),
            event_type: "m.room.power_levels".to_owned(),
            state_key: String::new(),
        };
        let event: Box<RawValue> = match self.ask_room(&intent.old_room, &command).await {
            Err(error) if error.status == 404 => return Ok(()),
            event => event?,
        };
        let event: Event = serde_json::from_str(event.get())?;
        match closed(&event.content) {
            Some(levels) => self.send_state(intent, "m.room.power_levels", &Json::Object(levels)).await,
            None => Ok(()),
        }
    }

    /// Has every member of this server carry their settings over.
    async fn tell_members(&self, intent: &UpgradeSaga) -> Result<()> {
        let (from, to) = (&intent.old_room, &intent.new_room.room_id);
        let results: Vec<Result<()>> = stream::iter(&intent.members)
            .map(|member| self.tell_member(member, from, to))
            .buffer_unordered(MEMBERS_AT_ONCE)
            .collect()
            .await;
        results.into_iter().collect()
    }

    async fn tell_member(&self, member: &UserId, from: &OwnedRoomId, to: &OwnedRoomId) -> Result<()> {
        if member == self.user_id {
            return self.carry_over(from, to);
        }
        let command = UserPlaceCommand::CarryOver { from: from.clone(), to: to.clone() };
        let command = UserCommand::Place(Box::new(command));
        let told: Result<()> = call(self.context.objects.as_ref(), Address::user(member), &command).await;
        match told {
            // Who has no account any more has no settings.
            Err(error) if error.status < 500 => Ok(()),
            told => told,
        }
    }
}

/// What the old room refuses its replacement does not depend on.
fn unless_refused(outcome: Result<()>, what: &str) -> Result<()> {
    match outcome {
        Err(error) if error.status < 500 && error.status != 429 => {
            tracing::info!("A replaced room kept {what}: {error}");
            Ok(())
        }
        outcome => outcome,
    }
}

/// The power levels of a room in which only moderators still speak and invite; `None` when they
/// are so already.
fn closed(content: &Map<String, Json>) -> Option<Map<String, Json>> {
    let level = |key: &str| content.get(key).and_then(Json::as_i64).unwrap_or_default();
    let needed = level("users_default").saturating_add(1).max(MODERATOR);
    let mut levels = content.clone();
    for key in ["events_default", "invite"] {
        if level(key) < needed {
            levels.insert(key.to_owned(), needed.into());
        }
    }
    (levels != *content).then_some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Json) -> Map<String, Json> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn only_moderators_still_speak_and_invite_in_a_closed_room() {
        let levels = closed(&object(json!({"users": {"@a:hub": 100}, "invite": 60})));
        let expected = json!({"users": {"@a:hub": 100}, "invite": 60, "events_default": 50});
        assert_eq!(levels.map(Json::Object), Some(expected));
    }

    #[test]
    fn a_closed_room_is_above_what_everybody_has() {
        let levels = closed(&object(json!({"users_default": 70})));
        let expected = json!({"users_default": 70, "invite": 71, "events_default": 71});
        assert_eq!(levels.map(Json::Object), Some(expected.clone()));
        assert_eq!(closed(&object(expected)), None);
    }
}
