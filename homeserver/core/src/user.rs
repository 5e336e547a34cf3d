//! The UserSyncObject: one local user's account, sessions and inbox.
//!
//! `account` makes accounts and opens sessions, `refresh` checks and renews them, `token` is the form
//! of tokens. `devices` has what else is about the account, `deactivate` ends it.
//! `deliver` takes what rooms send, `sync` answers from it; `unread` counts what was not read,
//! by the rules of `push_rules`. `create_room`, `upgrade` and `profile` are what spans other objects.

mod account;
mod account_data;
mod appservice_devices;
mod appservice_news;
mod carry_over;
mod create_room;
mod deactivate;
mod dehydrated_events;
mod deliver;
mod device_lists;
mod devices;
mod filters;
mod first_sync;
mod grants;
mod guard;
mod keys;
mod keys_news;
mod limits;
mod notifications;
mod notify;
mod password;
mod people;
mod presence;
mod profile;
mod profile_fields;
mod push_rules;
mod pushers;
mod refresh;
mod search;
mod stored_event;
mod sync;
mod tags;
mod to_device;
pub mod token;
pub mod uia;
mod unread;
mod upgrade;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    database::{Database, Query},
    directory::stuck,
    schema,
    user::{self, account::Account},
};
use ruma::{OwnedUserId, UserId, push::Ruleset};

use crate::{
    context::Context,
    contract::{
        encode,
        user::{Caller, SyncAnswer, SyncRequest, UserCommand},
    },
    error::{MatrixError, Result},
    object::{ALARM_DELAY_MS, InFlight, Object},
};
use account::FailedLogins;

/// After this many milliseconds undone work is reported to D1's `stuck`.
const STUCK_AFTER_MS: i64 = 60_000;

/// One local user.
pub struct UserSyncObject {
    user_id: OwnedUserId,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    in_flight: InFlight,
    /// Whether the account was seen to exist; it never ceases to.
    exists: Cell<bool>,
    /// Whether all rooms of the user are known to deliver here.
    filled: Cell<bool>,
    /// Failed logins where there is no account: a decoy stores nothing.
    decoy: RefCell<FailedLogins>,
    /// The push rules in force, once they were read.
    rules: RefCell<Option<Rc<Ruleset>>>,
    /// Whether all work is known to be done: deliveries, the most frequent of commands, leave none.
    idle: Cell<bool>,
    /// When work that waits is due.
    due: Cell<Option<i64>>,
    /// How much its sessions wrote lately.
    writes: limits::Writes,
    /// Presence on its way, in memory only.
    presence: presence::Pending,
    /// How full the devices' queues are.
    queues: to_device::Queues,
    /// Device lists, in memory.
    lists: device_lists::Lists,
}

/// Who uses the inbox.
struct Acting {
    /// The device, or `appservice:<id>`.
    device: String,
}

impl Object for UserSyncObject {
    type Command = UserCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        let user_id = UserId::parse(name).map_err(MatrixError::invalid_param)?;
        if schema::version(database.as_query())? > 0 {
            schema::migrate(database.as_ref(), user::SCHEMA)?;
        }
        Ok(Self {
            user_id,
            database,
            context,
            in_flight: InFlight::default(),
            exists: Cell::new(false),
            filled: Cell::new(false),
            decoy: RefCell::default(),
            rules: RefCell::default(),
            idle: Cell::new(false),
            due: Cell::new(None),
            writes: limits::Writes::default(),
            presence: presence::Pending::default(),
            queues: to_device::Queues::default(),
            lists: device_lists::Lists::default(),
        })
    }

    fn handle(&self, command: UserCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            self.limit(&command)?;
            let leaves_work = !matches!(command, UserCommand::Deliver(_));
            let reply = self.carry_out(command).await;
            if leaves_work {
                self.idle.set(false);
            }
            reply
        })
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(self.do_work())
    }
}

impl UserSyncObject {
    /// One `/sync` from what the inbox holds, without waiting and without any call.
    ///
    /// A client that loads members eagerly and newly joined a large room gets the rest of the
    /// members only through [`UserCommand::Sync`].
    pub fn sync(&self, request: &SyncRequest) -> Result<SyncAnswer> {
        self.sync_from_inbox(request)
    }

    /// The inbox's position: while it stays the same, no `/sync` has anything new to say.
    pub fn revision(&self) -> Result<i64> {
        if !self.exists()? {
            return Ok(0);
        }
        Ok(user::inbox::get(self.query())?.position)
    }

    async fn carry_out(&self, command: UserCommand) -> Result<Vec<u8>> {
        match command {
            UserCommand::CreateAccount { .. }
            | UserCommand::Login { .. }
            | UserCommand::SetPassword { .. }
            | UserCommand::Authenticate { .. }
            | UserCommand::Logout { .. } => self.handle_account(command).await,
            UserCommand::Account(command) => self.handle_account_command(command).await,
            UserCommand::Sync(request) => {
                self.ensure_inbox(&request.caller).await?;
                encode(&self.sync_completely(&request).await?)
            }
            UserCommand::JoinedRooms { caller } => {
                self.check(&caller)?;
                encode(&self.joined_rooms().await?)
            }
            UserCommand::Deliver(delivery) => encode(&self.deliver(&delivery)?),
            UserCommand::CreateRoom { caller, intent } => {
                self.check(&caller)?;
                encode(&self.create_room(*intent).await?)
            }
            UserCommand::SetProfile { caller, displayname, avatar_url } => {
                self.check(&caller)?;
                encode(&self.set_profile(displayname, avatar_url).await?)
            }
            UserCommand::Place(command) => self.handle_place(*command).await,
            UserCommand::Keys(command) => self.handle_keys(*command).await,
            UserCommand::GetProfile => encode(&self.profile()?),
            UserCommand::People(command) => self.handle_people(*command).await,
            UserCommand::ToDevice(command) => Box::pin(self.handle_to_device(*command)).await,
            UserCommand::KeysNews(news) => encode(&self.take_keys_news(&news)?),
            UserCommand::DeviceLists(command) => self.handle_device_lists(&command),
            UserCommand::Poke => {
                self.idle.set(false);
                self.work().await;
                encode(&())
            }
            other => self.handle_inbox(other),
        }
    }

    /// The commands that need nothing but this object's own database.
    fn handle_inbox(&self, command: UserCommand) -> Result<Vec<u8>> {
        match command {
            UserCommand::PutFilter { caller, filter } => {
                self.check(&caller)?;
                encode(&self.put_filter(filter.get())?)
            }
            UserCommand::GetFilter { caller, filter_id } => {
                self.check(&caller)?;
                encode(&self.get_filter(&filter_id)?)
            }
            UserCommand::PutAccountData { caller, room_id, event_type, content } => {
                self.check(&caller)?;
                encode(&self.put_account_data(room_id.as_deref(), &event_type, content.get())?)
            }
            UserCommand::GetAccountData { caller, room_id, event_type } => {
                self.check(&caller)?;
                encode(&self.get_account_data(room_id.as_deref(), &event_type)?)
            }
            UserCommand::PushRules { caller, operation } => {
                self.check(&caller)?;
                encode(&self.push_rules(&operation)?)
            }
            UserCommand::Notifications(request) => encode(&self.notifications(&request)?),
            UserCommand::ForgetRoom { room_id } => encode(&self.forget_room(&room_id)?),
            UserCommand::SetFullyRead { room_id, event_id } => encode(&self.set_fully_read(&room_id, &event_id)?),
            UserCommand::ResolveToken { caller, room_id, token } => {
                self.check(&caller)?;
                encode(&self.resolve_token(&room_id, &token)?)
            }
            UserCommand::Search(command) => self.handle_search(&command),
            _ => Err(MatrixError::internal("a command that is handled elsewhere")),
        }
    }

    fn query(&self) -> &dyn Query {
        self.database.as_query()
    }

    /// Whether the account was made; false while nothing was ever written here.
    fn exists(&self) -> Result<bool> {
        Ok(self.exists.get() || self.account()?.is_some())
    }

    /// The account, if it was made.
    fn account(&self) -> Result<Option<Account>> {
        if !self.exists.get() && schema::version(self.query())? == 0 {
            return Ok(None);
        }
        let account = user::account::get(self.query())?;
        self.exists.set(account.is_some());
        Ok(account)
    }

    /// Who is behind a request; 401 `M_UNKNOWN_TOKEN` for a session that is not there.
    fn check(&self, caller: &Caller) -> Result<Acting> {
        match caller {
            Caller::Session(session) => Ok(Acting { device: self.session_device(session)? }),
            Caller::Appservice(id) if self.exists()? => {
                self.must_be_active(caller)?;
                Ok(Acting { device: format!("appservice:{id}") })
            }
            Caller::AppserviceDevice { device_id, .. } => self.acting_device(caller, device_id),
            Caller::Appservice(_) => Err(MatrixError::forbidden("The appservice has not registered this user.")),
        }
    }

    /// Mirrors the account, goes on with rooms that are being made, tells rooms the profile, and
    /// leaves those of a deactivated user.
    async fn do_work(&self) -> Option<i64> {
        let now = self.context.clock.now();
        if self.idle.replace(true) && self.due.get().is_none_or(|due| due > now) {
            return self.due.get();
        }
        let next = self.do_what_is_left().await;
        self.due.set(next);
        next
    }

    async fn do_what_is_left(&self) -> Option<i64> {
        match self.exists() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => return Some(self.context.clock.now() + ALARM_DELAY_MS),
        }
        let results = [
            self.mirror().await,
            self.gather_rooms().await,
            self.resume_sagas().await,
            self.resume_upgrades().await,
            self.tell_rooms().await,
            self.leave_rooms().await,
            self.hand_over_to_device().await,
            self.learn_sharers().await,
            self.spread_device_list().await,
            self.tell_appservice().await,
            self.tell_keys().await,
        ];
        let (later, people) = self.work_for_people().await;
        let Some(failed) = results.into_iter().chain([people]).find_map(Result::err) else {
            return later;
        };
        // Whoever comes next tries again, without waiting for the alarm.
        self.idle.set(false);
        let now = self.context.clock.now();
        tracing::warn!(user.id = %self.user_id, "Work is left and is tried again: {failed}");
        if let Ok(Some(since)) = self.waiting_since()
            && now - since > STUCK_AFTER_MS
        {
            let directory = self.context.directory.as_ref();
            if let Err(error) = stuck::mark(directory, "User", self.user_id.as_str(), since).await {
                tracing::warn!("D1's list of stuck objects is out of reach: {error}");
            }
        }
        Some(now + ALARM_DELAY_MS)
    }

    /// Since when the oldest work waits, as far as that is known.
    fn waiting_since(&self) -> Result<Option<i64>> {
        let query = self.query();
        let sagas = user::jobs::list_room_sagas(query)?;
        let upgrades = user::upgrades::list(query)?;
        let jobs = user::jobs::list_profile_jobs(query)?;
        let oldest_saga = sagas.iter().chain(&upgrades).map(|(_, since)| *since).min();
        let oldest_job = jobs.iter().map(|job| job.created_at).min();
        let oldest_parting = user::parting::list(query)?.iter().map(|job| job.created_at).min();
        let (_, oldest_message) = user::to_device::outgoing_waiting(query)?;
        let list = self.device_list_waits_since(query)?;
        let oldest_key_job = user::key_jobs::list(query)?.iter().map(|job| job.created_at).min();
        let oldest =
            [oldest_key_job, oldest_saga, oldest_job, oldest_parting, self.gathering_since()?, oldest_message, list];
        Ok(oldest.into_iter().flatten().min())
    }
}
