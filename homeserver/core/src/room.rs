//! The RoomObject: the only writer of a room.
//!
//! One function, [`append`], authorises and appends for clients, appservices, bridges and admins.
//! [`deliver`] sends what was appended to followers; [`visibility`] decides who may read what,
//! [`erasure`] what of it is pruned; [`paging`], [`related`], [`read`] and [`search`] answer questions, [`bundles`]
//! shows aggregations; [`archive`] and [`index`] write to D1; [`rebuild`] makes a lost room anew from D1's archive.

mod append;
mod archive;
mod bridged;
pub(crate) use bridged::BRIDGE_INFO;
mod bundles;
pub mod create;
mod cursors;
mod deliver;
mod device_list;
mod ephemeral;
mod erasure;
pub mod event;
mod inboxes;
mod index;
mod initial;
mod join_rule;
mod membership;
mod paging;
mod place;
mod presence;
mod read;
mod rebuild;
mod relate;
mod related;
mod search;
mod times;
pub mod upgrade;
mod view;
pub mod visibility;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use self::{cursors::Cursors, inboxes::Inboxes};
use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    database::{Database, Query, transaction},
    room::{self, RoomRow},
    schema,
};
use ruma::{OwnedRoomId, RoomId, RoomVersionId, UserId, room_version_rules::RoomVersionRules};

use crate::{
    context::{AppserviceList, Context},
    contract::{encode, room::RoomCommand},
    error::{MatrixError, Result},
    object::{InFlight, Object},
};

/// One room.
pub struct RoomObject {
    room_id: OwnedRoomId,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    in_flight: InFlight,
    cursors: Cursors,
    inboxes: Inboxes,
    /// Whether the room is known to be made: its tables stay for ever.
    exists: Cell<bool>,
    /// The row as it is stored, once it was read; emptied by whoever writes it.
    row: RefCell<Option<RoomRow>>,
    /// Who had what they said erased, once it was read.
    erased: RefCell<Option<erasure::Erased>>,
    /// Since when deliveries fail; in memory only.
    failing_since: Cell<Option<i64>>,
}

/// The room's row with its rules: what most commands start from.
struct Opened {
    row: RoomRow,
    rules: RoomVersionRules,
}

impl Object for RoomObject {
    type Command = RoomCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        let room_id = RoomId::parse(name).map_err(MatrixError::invalid_param)?;
        if schema::version(database.as_query())? > 0 {
            schema::migrate(database.as_ref(), room::SCHEMA)?;
        }
        Ok(Self {
            room_id,
            database,
            context,
            in_flight: InFlight::default(),
            cursors: Cursors::default(),
            inboxes: Inboxes::default(),
            exists: Cell::new(false),
            row: RefCell::default(),
            erased: RefCell::default(),
            failing_since: Cell::new(None),
        })
    }

    fn handle(&self, command: RoomCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            match command {
                RoomCommand::Create(create) => encode(&self.create(*create).await?),
                RoomCommand::Send(send) => encode(&self.send(*send).await?),
                RoomCommand::ChangeMembership(change) => encode(&self.change_membership(*change).await?),
                RoomCommand::UpdateProfile { user_id, profile } => {
                    encode(&self.update_profile(&user_id, &profile).await?)
                }
                RoomCommand::SetReceipt { user_id, receipt_type, thread_id, event_id } => {
                    encode(&self.set_receipt(&user_id, &receipt_type, thread_id, &event_id)?)
                }
                RoomCommand::SetTyping { user_id, timeout_ms } => encode(&self.set_typing(&user_id, timeout_ms)?),
                RoomCommand::Presence { user_id, presence } => encode(&self.show_presence(&user_id, presence).await?),
                RoomCommand::DeviceList { user_id, revision } => {
                    encode(&self.tell_device_list(&user_id, revision).await?)
                }
                RoomCommand::Sharers { user_id } => encode(&self.sharers(&user_id)?),
                RoomCommand::Forget { user_id } => encode(&self.forget(&user_id)?),
                RoomCommand::Follow { user_id } => encode(&self.follow_from_now(&user_id).await?),
                RoomCommand::Erase { user_id } => encode(&self.erase(&user_id)?),
                RoomCommand::Event { reader, event_id } => encode(&self.event(&reader, &event_id)?),
                RoomCommand::Context { reader, event_id, limit, filter } => {
                    encode(&self.event_context(&reader, &event_id, limit, filter.as_deref())?)
                }
                RoomCommand::Messages(request) => encode(&self.messages(&request)?),
                RoomCommand::Relation(command) => self.handle_relation(&command),
                RoomCommand::State { reader } => encode(&self.state(&reader)?),
                RoomCommand::StateEvent { reader, event_type, state_key } => {
                    encode(&self.state_event(&reader, &event_type, &state_key)?)
                }
                RoomCommand::Members { reader, at, membership, not_membership } => {
                    encode(&self.members(&reader, at.as_deref(), membership.as_deref(), not_membership.as_deref())?)
                }
                RoomCommand::JoinedMembers { reader } => encode(&self.joined_members(&reader)?),
                RoomCommand::AliasPermissions { user_id } => encode(&self.alias_permissions(&user_id)?),
                RoomCommand::Place(command) => self.handle_place(command).await,
                RoomCommand::Export { after, limit } => encode(&self.export(after, limit)?),
                RoomCommand::Search(command) => self.handle_search(command).await,
                RoomCommand::Rebuild => encode(&self.rebuild().await?),
                RoomCommand::Poke => encode(&()),
            }
        })
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(async move {
            match self.deliver_all().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!("A room's deliveries stopped: {error}");
                    Some(self.context.clock.now() + crate::object::ALARM_DELAY_MS)
                }
            }
        })
    }
}

impl RoomObject {
    /// [`Self::opened`] outside a transaction, mostly from memory.
    fn opened_now(&self) -> Result<Opened> {
        if let Some(row) = self.row.borrow().clone() {
            return with_rules(row);
        }
        let opened = self.opened(self.database.as_query())?;
        self.row.replace(Some(opened.row.clone()));
        Ok(opened)
    }

    /// The room's row and rules; 404 `M_NOT_FOUND` when there is no such room.
    fn opened(&self, query: &dyn Query) -> Result<Opened> {
        // Asking the schema reads all of it, and each command comes here a few times.
        let exists = self.exists.get() || schema::version(query)? > 0;
        let row = exists.then(|| room::get(query)).transpose()?.flatten();
        let row = row.ok_or_else(unknown_room)?;
        self.exists.set(true);
        with_rules(row)
    }

    /// The registered appservices, before a transaction begins.
    async fn appservices(&self) -> Result<AppserviceList> {
        Ok(self.context.appservices.list().await?)
    }

    /// Marks the room forgotten for someone who is out of it
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidforget)).
    fn forget(&self, user_id: &UserId) -> Result<()> {
        let opened = self.opened(self.database.as_query())?;
        let membership = self.membership_of(self.database.as_query(), &opened, user_id)?;
        if matches!(membership.as_deref(), Some("join" | "invite" | "knock")) {
            return Err(MatrixError::new(400, "M_UNKNOWN", "You are still in this room; leave it first."));
        }
        transaction(self.database.as_ref(), |transaction| Ok(room::set_forgotten(transaction, user_id.as_str(), true)?))
    }
}

fn with_rules(row: RoomRow) -> Result<Opened> {
    let version = RoomVersionId::try_from(row.version.as_str()).map_err(MatrixError::internal)?;
    let rules = event::rules_of(&version)?;
    Ok(Opened { row, rules })
}

/// What a stranger's random room id gets.
fn unknown_room() -> MatrixError {
    MatrixError::not_found("There is no such room on this server.")
}
