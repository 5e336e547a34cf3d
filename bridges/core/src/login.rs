//! The LoginObject: one person's connection to one account of a network.
//!
//! It holds the secrets, the inbound log, the registry of portals and ghosts, and the rates of the
//! account. A remote event is acknowledged only in the transaction that stores it (`hook`); from
//! there the portals are fed (`handover`). `gateway` is the same for a network that tells on a connection. `connect` is how a login starts, resumes and ends,
//! `channels` how a channel becomes a portal, `emoji` what custom ones look like, `icon` the space's picture, `people` where ghosts get their names, `pictures` their avatars;
//! `tend` is what Cron's pokes are for, `threads` where the events of a thread go that is a channel of its own.

mod channels;
mod connect;
mod emoji;
mod gateway;
mod handover;
mod hook;
mod icon;
mod limits;
mod linking;
mod people;
mod pictures;
mod places;
mod rooms;
mod tend;
mod threads;
mod upkeep;

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::{
    context::Context,
    contract::encode,
    error::{MatrixError, Result},
    object::InFlight,
};
use hubbub_storage::{
    database::{Database, Transaction, transaction},
    login::{self as store, LoginRow, PortalEntry, Waiting},
    schema,
};
use ruma::OwnedUserId;

use self::{emoji::EmojiList, linking::Linking, pictures::OwedPicture, places::Change};
use crate::{
    contract::{Access, Counters, Finished, LoginCommand, LoginState, LoginStatus},
    lane::{Alarm, Lane, run_lanes},
    matrix::Matrix,
    network::{Network, NetworkFacts},
    pace::{Buckets, Rate},
    report::Report,
    seal::{LoginSecrets, unseal},
};

/// A login of a network.
pub struct LoginObject {
    login_id: String,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    network: Rc<dyn Network>,
    matrix: Matrix,
    row: RefCell<Option<LoginRow>>,
    secrets: RefCell<Option<(i64, LoginSecrets)>>,
    portals: RefCell<HashMap<String, PortalEntry>>,
    waiting: RefCell<HashMap<String, VecDeque<Waiting>>>,
    /// How many events are on their way to a portal right now.
    under_way: Cell<usize>,
    counters: Cell<Counters>,
    buckets: Buckets,
    alarm: Alarm,
    lanes: RefCell<HashMap<String, Rc<Lane>>>,
    upkeep: Lane,
    locks: InFlight,
    resumed: Cell<bool>,
    /// Whether Cron poked, and what is due has not been looked at since.
    poked: Cell<bool>,
    tending: Lane,
    /// Whether the network has things that it does not tell, and whether the owner knows.
    silent: Cell<bool>,
    told_silent: Cell<bool>,
    /// Whether the connection, where the network has one, was heard in this life of the object.
    online: Cell<bool>,
    /// Pictures that ghosts have yet to get.
    pictures: RefCell<VecDeque<OwedPicture>>,
    emoji: EmojiList,
    linking: Linking,
    /// The headings over each channel that has a portal, the outermost first.
    places: RefCell<HashMap<String, Vec<String>>>,
    changes: RefCell<VecDeque<Change>>,
    changing: Lane,
    /// Until when the network wants no call at all, and whether the portals have yet to hear it.
    held_until: Cell<i64>,
    owes_hold: Cell<bool>,
    /// Since when calls were refused, and how many.
    refused: Cell<(i64, u32)>,
    report: Report,
}

impl LoginObject {
    /// A login of `network` over its database. Writes nothing: a stranger's random name conjures nothing.
    pub fn new(name: &str, database: Rc<dyn Database>, context: Rc<Context>, network: Rc<dyn Network>) -> Result<Self> {
        let object = Self {
            login_id: name.to_owned(),
            matrix: Matrix::new(network.facts(), Rc::clone(&context)),
            network,
            database,
            context,
            row: RefCell::default(),
            secrets: RefCell::default(),
            portals: RefCell::default(),
            waiting: RefCell::default(),
            under_way: Cell::new(0),
            counters: Cell::default(),
            buckets: Buckets::default(),
            alarm: Alarm::default(),
            lanes: RefCell::default(),
            upkeep: Lane::default(),
            locks: InFlight::default(),
            resumed: Cell::new(true),
            poked: Cell::new(false),
            tending: Lane::default(),
            silent: Cell::new(false),
            told_silent: Cell::new(false),
            online: Cell::new(false),
            pictures: RefCell::default(),
            emoji: EmojiList::default(),
            linking: Linking::default(),
            places: RefCell::default(),
            changes: RefCell::default(),
            changing: Lane::default(),
            held_until: Cell::new(0),
            owes_hold: Cell::new(false),
            refused: Cell::default(),
            report: Report::default(),
        };
        if schema::version(object.database.as_query())? > 0 {
            schema::migrate(object.database.as_ref(), store::STEPS)?;
            object.load()?;
        }
        Ok(object)
    }

    /// Carries out one command and returns the encoded reply.
    pub fn handle(&self, command: LoginCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            match command {
                LoginCommand::Start { owner } => encode(&self.start(&owner).await?),
                LoginCommand::Link { nonce, expires_at } => encode(&self.put_link(&nonce, expires_at)?),
                LoginCommand::Finish { signing_secret, token, link } => {
                    encode(&self.finish(signing_secret, token, link).await?)
                }
                LoginCommand::Resume { owner, signing_secret, token } => {
                    encode(&self.resume(&owner, signing_secret, token).await?)
                }
                LoginCommand::Hook(hook) => encode(&self.take_hook(&hook).await?),
                LoginCommand::Linking(command) => encode(&self.take_linking(command)?),
                LoginCommand::Gateway(command) => self.take_gateway(command).await,
                LoginCommand::List => encode(&self.list().await?),
                LoginCommand::Bridge { channel } => encode(&self.bridge(&channel).await?),
                LoginCommand::Unbridge { channel } => encode(&self.unbridge(&channel).await?),
                LoginCommand::DeleteRoom { channel } => encode(&self.delete_room(&channel).await?),
                LoginCommand::Join { channel } => encode(&self.join(&channel).await?),
                LoginCommand::OpenChat { person } => encode(&self.open_chat(&person).await?),
                LoginCommand::Status => encode(&self.status()?),
                LoginCommand::Disconnect => encode(&self.disconnect().await?),
                LoginCommand::SetPace { per_second } => encode(&self.set_pace(per_second)?),
                LoginCommand::Access { method } => encode(&self.access(method.as_deref())?),
                LoginCommand::Ghosts { people } => encode(&self.ghosts(people).await?),
                LoginCommand::Introduce { person } => encode(&self.introduce(person).await?),
                LoginCommand::Channels { ids } => encode(&self.named_channels(ids).await?),
                LoginCommand::Emoji(command) => self.take_emoji(command).await,
                LoginCommand::Places(command) => encode(&self.take_places(command).await?),
                LoginCommand::Space => encode(&self.space().await?),
                LoginCommand::MarkDirect { room_id, with } => encode(&self.mark_direct(&room_id, &with).await?),
                LoginCommand::TokenRefused { reason, generation } => encode(&self.token_refused(&reason, generation)?),
                LoginCommand::Poke => {
                    self.report.poked();
                    self.poked.set(true);
                    encode(&self.wake_if_needed()?)
                }
            }
        })
    }

    /// Does what can be done now and returns when to be woken again.
    pub fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(async move {
            if self.row.borrow().is_none() {
                return None;
            }
            run_lanes(&self.alarm, || self.ready(), |duty| self.perform(duty)).await;
            self.share_own_limits();
            let lanes: Vec<_> = self.lanes.borrow().values().cloned().collect();
            let failing = lanes.iter().filter_map(|lane| lane.failing_since());
            let failing = failing.chain(self.upkeep.failing_since()).min();
            self.report.update(&self.context, "Login", &self.login_id, failing).await;
            self.alarm.settle(self.next_wake(), self.now())
        })
    }
}

/// What a login's work is made of.
enum Duty {
    /// Handing over the events of a channel.
    HandOver(String, Rc<Lane>),
    /// What it owes to others.
    Upkeep,
    /// Following what the network told of channels, headings and people.
    Follow,
    /// What Cron's poke is for.
    Tend,
}

impl LoginObject {
    /// What can be done now.
    fn ready(&self) -> Vec<Duty> {
        let now = self.now();
        let lanes = self.waiting_lanes().into_iter().filter(|(_, lane)| lane.is_free(now));
        let mut duties: Vec<_> = lanes.map(|(channel, lane)| Duty::HandOver(channel, lane)).collect();
        if self.upkeep.is_free(now) && self.owes() {
            duties.push(Duty::Upkeep);
        }
        if self.changing.is_free(now) && !self.changes.borrow().is_empty() {
            duties.push(Duty::Follow);
        }
        if self.poked.get() && self.tending.is_free(now) {
            duties.push(Duty::Tend);
        }
        duties
    }

    fn perform(&self, duty: Duty) -> LocalBoxFuture<'_, ()> {
        match duty {
            Duty::HandOver(channel, lane) => Box::pin(self.hand_over(channel, lane)),
            Duty::Upkeep => Box::pin(self.keep_up()),
            Duty::Follow => Box::pin(self.run_changes()),
            Duty::Tend => Box::pin(self.tend()),
        }
    }

    /// When to go on with what could not be done now.
    fn next_wake(&self) -> Option<i64> {
        let now = self.now();
        let lanes = self.waiting_lanes().into_iter().map(|(_, lane)| lane.next(now));
        let poked = self.poked.get().then(|| self.tending.next(now));
        let changes = (!self.changes.borrow().is_empty()).then(|| self.changing.next(now));
        let poked = poked.into_iter().chain(changes);
        lanes.chain(self.owes().then(|| self.upkeep.next(now))).chain(poked).min()
    }

    /// Arms the alarm if there is something to do: a command that commits nothing starts no work.
    fn wake_if_needed(&self) -> Result<()> {
        if self.row.borrow().is_none() || self.next_wake().is_none() {
            return Ok(());
        }
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            self.alarm.arm(transaction, now)?;
            Ok(())
        })
    }

    fn load(&self) -> Result<()> {
        let query = self.database.as_query();
        let Some(row) = store::get(query)? else {
            return Ok(());
        };
        self.counters.set(serde_json::from_str(&row.counters).unwrap_or_default());
        for event in store::list_waiting(query)? {
            self.remember_waiting(event);
        }
        self.load_pictures()?;
        self.load_care()?;
        self.load_linked()?;
        self.load_places()?;
        for portal in store::list_portals(query)? {
            self.portals.borrow_mut().insert(portal.channel.clone(), portal);
        }
        // What a change owes to others is done before D1 shows the change.
        self.resumed.set(row.mirrored);
        *self.row.borrow_mut() = Some(row);
        Ok(())
    }

    fn facts(&self) -> &'static NetworkFacts {
        self.network.facts()
    }

    fn now(&self) -> i64 {
        self.context.clock.now()
    }

    /// The login; 404 before it was started.
    fn row(&self) -> Result<LoginRow> {
        let row = self.row.borrow().clone();
        row.ok_or_else(|| MatrixError::not_found("There is no such login."))
    }

    fn state(&self) -> Result<LoginState> {
        Ok(LoginState::from(self.row()?.state.as_str()))
    }

    fn owner(&self) -> Result<OwnedUserId> {
        OwnedUserId::try_from(self.row()?.owner).map_err(MatrixError::internal)
    }

    /// Changes the login's row, and what `also` writes, in one transaction that arms the alarm.
    fn write_with<T>(
        &self,
        edit: impl FnOnce(&mut LoginRow),
        mut also: impl FnMut(&dyn Transaction) -> Result<T>,
    ) -> Result<T> {
        let mut row = self.row()?;
        edit(&mut row);
        row.counters = serde_json::to_string(&self.counters.get())?;
        let now = self.now();
        let outcome = transaction(self.database.as_ref(), |transaction| {
            store::put(transaction, &row)?;
            self.alarm.arm(transaction, now)?;
            also(transaction)
        });
        match outcome {
            Ok(value) => {
                *self.row.borrow_mut() = Some(row);
                Ok(value)
            }
            Err(error) => {
                self.alarm.forget();
                Err(error)
            }
        }
    }

    fn write(&self, edit: impl FnOnce(&mut LoginRow)) -> Result<()> {
        self.write_with(edit, |_| Ok(()))
    }

    fn count(&self, edit: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        edit(&mut counters);
        self.counters.set(counters);
    }

    fn remember_waiting(&self, event: Waiting) {
        self.waiting.borrow_mut().entry(event.channel.clone()).or_default().push_back(event);
    }

    /// The secrets; `None` before `finish` and after `disconnect`.
    fn secrets(&self) -> Result<Option<LoginSecrets>> {
        let row = self.row()?;
        let Some(sealed) = row.secrets else {
            return Ok(None);
        };
        if let Some((generation, secrets)) = self.secrets.borrow().as_ref()
            && *generation == row.generation
        {
            return Ok(Some(secrets.clone()));
        }
        let secrets = unseal(&self.context, &self.login_id, &sealed)?;
        *self.secrets.borrow_mut() = Some((row.generation, secrets.clone()));
        Ok(Some(secrets))
    }

    /// The token of a connected login.
    fn token(&self) -> Result<String> {
        let state = self.state()?;
        let token = self.secrets()?.and_then(|secrets| secrets.token);
        match (state, token) {
            (LoginState::Connected, Some(token)) => Ok(token.0),
            _ => Err(MatrixError::new(
                409,
                "M_UNKNOWN",
                format!("This login is not connected to {}.", self.facts().title),
            )),
        }
    }

    /// Counts a call of a method against the account's budget; 429 when it is used up.
    fn spend(&self, method: &str) -> Result<()> {
        self.take_budget(method).map_err(|at| {
            let wait = at.saturating_sub(self.now()).max(1);
            MatrixError::new(429, "M_LIMIT_EXCEEDED", format!("{} allows no more calls right now.", self.facts().title))
                .with("retry_after_ms", wait)
        })
    }

    fn take_budget(&self, method: &str) -> Result<(), i64> {
        match self.network.budget(method) {
            Some((calls, burst)) => {
                let rate = Rate::per_minute(calls, burst);
                self.buckets.take(method, rate, self.now())
            }
            None => Ok(()),
        }
    }

    fn access(&self, method: Option<&str>) -> Result<Access> {
        let row = self.row()?;
        let now = self.now();
        let held = self.held_until.get().saturating_sub(now).max(0);
        let wait_ms =
            method.and_then(|method| self.take_budget(method).err()).map_or(0, |at| at.saturating_sub(now).max(1));
        let wait_ms = wait_ms.max(if method.is_some() { held } else { 0 });
        let connected = LoginState::from(row.state.as_str()) == LoginState::Connected;
        let token = self.secrets()?.and_then(|secrets| secrets.token);
        Ok(Access {
            token: token.filter(|_| connected),
            generation: row.generation,
            owner: self.owner()?,
            team: row.team.unwrap_or_default(),
            remote_user: row.remote_user.unwrap_or_default(),
            own_person: self.own_person(),
            hold_until: self.held_until.get(),
            pace: u32::try_from(row.pace).unwrap_or(1),
            owner_name: String::new(),
            owner_picture: None,
            channels: self.portal_channels(),
            wait_ms,
        })
    }

    fn status(&self) -> Result<LoginStatus> {
        let row = self.row()?;
        let queued: usize = self.waiting.borrow().values().map(VecDeque::len).sum();
        let waiting = queued.saturating_add(self.under_way.get());
        Ok(LoginStatus {
            login_id: self.login_id.clone(),
            owner: self.owner()?,
            state: LoginState::from(row.state.as_str()),
            account: self.account(&row),
            person: self.own_person().filter(|_| self.facts().links_owner).map(|_| self.own_name()),
            portals: self.bridged_channels(),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
            counters: self.counters.get(),
        })
    }

    fn account(&self, row: &LoginRow) -> Option<Finished> {
        Some(Finished {
            login_id: self.login_id.clone(),
            team: row.team.clone()?,
            team_name: row.team_name.clone().unwrap_or_default(),
            user: row.remote_user.clone()?,
            user_name: row.remote_name.clone().unwrap_or_default(),
        })
    }

    fn set_pace(&self, per_second: u32) -> Result<()> {
        let pace = i64::from(per_second.clamp(1, 1_000));
        self.resumed.set(false);
        self.write(|row| {
            row.pace = pace;
            row.mirrored = false;
        })?;
        Ok(())
    }
}
