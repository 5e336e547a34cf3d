//! The saga that makes a room: intent row first, then idempotent steps, resumed by the alarm
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3createroom)).
//!
//! The create event was signed before and is part of the intent, so every retry addresses the same
//! RoomObject. Step 1 reserves the alias and makes the room; each later step sends one invite.

use hubbub_storage::{
    database::transaction,
    directory::aliases::{self, Alias},
    user::{inbox, jobs},
};
use ruma::OwnedUserId;
use serde_json::Map;

use super::UserSyncObject;
use crate::{
    contract::{
        Address, call,
        room::{ChangeMembership, Created, MembershipAction, Profile, RoomCommand, Sent},
        user::CreateRoomSaga,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

impl UserSyncObject {
    /// Makes a room, or goes on making it; answers once the inbox and D1 hold it. 400
    /// `M_ROOM_IN_USE` when the alias is taken.
    pub(super) async fn create_room(&self, intent: CreateRoomSaga) -> Result<()> {
        let room_id = intent.room.room_id.clone();
        let text = serde_json::to_string(&intent)?;
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            jobs::start_room_saga(transaction, room_id.as_str(), &text, now)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        self.context.failpoints.pass("user.room_intended").await;
        self.run_saga(room_id.as_str()).await
    }

    /// Goes on with every room that is being made.
    pub(super) async fn resume_sagas(&self) -> Result<()> {
        let mut outcome = Ok(());
        for (room_id, _) in jobs::list_room_sagas(self.query())? {
            let run = self.run_saga(&room_id).await;
            // A room that was refused is done with; only what may still succeed is work.
            if jobs::get_room_saga(self.query(), &room_id)?.is_some() {
                outcome = run.and(outcome);
            }
        }
        outcome
    }

    async fn run_saga(&self, room_id: &str) -> Result<()> {
        let _held = self.in_flight.lock(&format!("room:{room_id}")).await;
        let Some(saga) = jobs::get_room_saga(self.query(), room_id)? else {
            return Ok(());
        };
        let intent: CreateRoomSaga = serde_json::from_str(&saga.intent)?;
        let done = usize::try_from(saga.step).map_err(MatrixError::internal)?;
        if done == 0 {
            let made = match self.reserve_alias(&intent).await {
                Ok(()) => self.make_room(&intent).await,
                Err(error) => Err(error),
            };
            if let Err(error) = made {
                return Err(self.give_up(&intent, error).await);
            }
            self.step_done(room_id, 1)?;
            self.context.failpoints.pass("user.room_made").await;
        }
        for (number, (invitee, profile)) in intent.invites.iter().enumerate() {
            if number + 1 < done {
                continue;
            }
            self.invite(&intent, invitee, profile).await?;
            self.step_done(room_id, number + 2)?;
            self.context.failpoints.pass("user.room_invited").await;
        }
        transaction(self.database.as_ref(), |transaction| jobs::end_room_saga(transaction, room_id))?;
        Ok(())
    }

    fn step_done(&self, room_id: &str, step: usize) -> Result<()> {
        let step = i64::try_from(step).map_err(MatrixError::internal)?;
        transaction(self.database.as_ref(), |transaction| jobs::set_room_saga_step(transaction, room_id, step))?;
        Ok(())
    }

    async fn reserve_alias(&self, intent: &CreateRoomSaga) -> Result<()> {
        let Some(alias) = &intent.alias else {
            return Ok(());
        };
        let directory = self.context.directory.as_ref();
        let row =
            Alias { alias: alias.clone(), room_id: intent.room.room_id.to_string(), creator: self.user_id.to_string() };
        let now = self.context.clock.now();
        if aliases::reserve(directory, &row, now).await? {
            return Ok(());
        }
        // It may be ours, reserved before a crash.
        let held = aliases::get(directory, alias).await?;
        if held.is_some_and(|held| held.room_id == row.room_id) {
            return Ok(());
        }
        Err(MatrixError::new(400, "M_ROOM_IN_USE", "This room alias is taken."))
    }

    /// Makes the room, which delivers to the creator before it answers.
    async fn make_room(&self, intent: &CreateRoomSaga) -> Result<()> {
        let command = RoomCommand::Create(Box::new(intent.room.clone()));
        let objects = self.context.objects.as_ref();
        let address = Address::room(&intent.room.room_id);
        let created: Created = call(objects, address, &command).await?;
        // An appservice's user has an inbox only from its first `/sync` on, which may be happening now.
        if self.account()?.is_none_or(|account| account.appservice_id.is_some()) {
            return Ok(());
        }
        let room = inbox::get_room(self.query(), intent.room.room_id.as_str())?;
        let holds = room.is_some_and(|room| room.epoch == created.epoch && room.position >= created.position);
        if holds { Ok(()) } else { Err(MatrixError::internal("the inbox does not hold the new room yet")) }
    }

    /// Sends one invite. One that the room refuses is left out: the room exists already.
    async fn invite(&self, intent: &CreateRoomSaga, invitee: &OwnedUserId, profile: &Profile) -> Result<()> {
        let mut extra = Map::new();
        if intent.is_direct {
            extra.insert("is_direct".to_owned(), true.into());
        }
        let command = RoomCommand::ChangeMembership(Box::new(ChangeMembership {
            actor: intent.room.creator.clone(),
            target: invitee.clone(),
            action: MembershipAction::Invite,
            reason: None,
            extra,
            profile: profile.clone(),
            timestamp: None,
            read_your_writes: true,
        }));
        let address = Address::room(&intent.room.room_id);
        let objects = self.context.objects.as_ref();
        match call::<Sent>(objects, address, &command).await {
            Err(error) if is_temporary(&error) => Err(error),
            Err(error) => {
                tracing::warn!(room.id = %intent.room.room_id, "An invite of a new room was refused: {error}");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Ends a saga that was refused for good and frees its alias; one that may still succeed
    /// stays. Returns the error.
    async fn give_up(&self, intent: &CreateRoomSaga, error: MatrixError) -> MatrixError {
        if is_temporary(&error) {
            return error;
        }
        let room_id = intent.room.room_id.as_str();
        if let Some(alias) = &intent.alias {
            let freed = aliases::delete(self.context.directory.as_ref(), alias, room_id).await;
            if let Err(error) = freed {
                return error.into();
            }
        }
        let ended = transaction(self.database.as_ref(), |transaction| jobs::end_room_saga(transaction, room_id));
        match ended {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }
}

fn is_temporary(error: &MatrixError) -> bool {
    error.status >= 500 || error.status == 429
}
