//! All appservices, bundled and registered: what `context.appservices` answers.
//!
//! Registrations live in D1 and are kept here for at most 60 s by the injected clock, so that a
//! revoked token dies within a minute everywhere. [`admin`] changes them. One registry serves a
//! whole isolate: [`Appservices::forget`] then makes a change visible to all its objects at once.
//!
//! Open [`admin`] next to see how a registration is accepted.

pub mod admin;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use hubbub_core::context::{Appservice, Appservices, Clock, Config};
use hubbub_storage::{
    database::DatabaseError,
    directory::{
        Directory,
        appservices::{self, AppserviceRow, LoginHolder},
    },
};
use ruma::{OwnedServerName, OwnedUserId, RoomAliasId, RoomId, UserId};

use crate::{
    builtin::{Builtin, builtin_token},
    endpoint::StoredRegistration,
    namespaces::{NamespaceSet, contains, contains_exclusively},
    registration::{RegistrationError, bot_of},
    thirdparty::Descriptions,
    tokens::{TokenHash, TokenHasher},
};

/// How long a list of registrations is used, in milliseconds.
const CACHE_MS: i64 = 60_000;

/// One bundled bridge, ready to use.
struct ReadyBuiltin {
    builtin: Builtin,
    bridge: Rc<Registered>,
    double_puppet: Registered,
}

struct Cached {
    at: i64,
    list: Rc<Vec<Rc<dyn Appservice>>>,
    /// The rows behind the list, so that an unchanged one is not compiled again.
    rows: Vec<(AppserviceRow, Rc<Registered>)>,
}

/// All appservices.
pub struct Registry {
    server_name: OwnedServerName,
    hasher: TokenHasher,
    directory: Rc<dyn Directory>,
    clock: Rc<dyn Clock>,
    builtins: Vec<ReadyBuiltin>,
    cached: RefCell<Option<Cached>>,
    /// Grows with each [`Appservices::forget`]: a list that was read before is not kept after.
    generation: Cell<u64>,
    descriptions: Descriptions,
}

impl Registry {
    /// The registry of a server with these bundled bridges. Reads nothing yet; fails only when a
    /// bundled bridge's own namespaces are wrong.
    pub fn new(
        config: &Config,
        directory: Rc<dyn Directory>,
        clock: Rc<dyn Clock>,
        builtins: Vec<Builtin>,
    ) -> Result<Self, RegistrationError> {
        let hasher = TokenHasher::new(&config.secrets);
        let builtins = builtins
            .into_iter()
            .map(|builtin| {
                let registered = |id: String, localpart: &str, namespaces| {
                    Ok(Registered {
                        bot: bot_of(localpart, &config.server_name)?,
                        token: hasher.hash(&builtin_token(&config.secrets, &id)),
                        id,
                        receives: false,
                        receives_ephemeral: false,
                        device_lists: false,
                        manages_devices: false,
                        rate_limited: false,
                        namespaces,
                        acts_as: BTreeSet::new(),
                        hasher: hasher.clone(),
                    })
                };
                let bridge = Registered {
                    receives: true,
                    receives_ephemeral: builtin.receive_ephemeral,
                    ..registered(
                        builtin.id.clone(),
                        &builtin.sender_localpart,
                        NamespaceSet::compile(&builtin.namespaces)?,
                    )?
                };
                let double_puppet = registered(
                    builtin.double_puppet_id(),
                    &builtin.double_puppet_localpart(),
                    NamespaceSet::default(),
                )?;
                Ok(ReadyBuiltin { builtin, bridge: Rc::new(bridge), double_puppet })
            })
            .collect::<Result<_, RegistrationError>>()?;
        Ok(Self {
            server_name: config.server_name.clone(),
            hasher,
            directory,
            clock,
            builtins,
            cached: RefCell::default(),
            generation: Cell::new(0),
            descriptions: Descriptions::default(),
        })
    }

    /// What appservices said of their networks.
    pub fn descriptions(&self) -> &Descriptions {
        &self.descriptions
    }

    /// The networks of the bundled bridges: (protocol, what people call it).
    pub fn bundled(&self) -> Vec<(String, String)> {
        let name = |id: &str| {
            let mut letters = id.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        };
        self.builtins.iter().map(|ready| (ready.builtin.network.clone(), name(&ready.builtin.network))).collect()
    }

    fn fresh(&self) -> Option<Rc<Vec<Rc<dyn Appservice>>>> {
        let cached = self.cached.borrow();
        let cached = cached.as_ref()?;
        let age = self.clock.now() - cached.at;
        (0..CACHE_MS).contains(&age).then(|| cached.list.clone())
    }

    async fn reload(&self) -> Result<Rc<Vec<Rc<dyn Appservice>>>, DatabaseError> {
        let (generation, at) = (self.generation.get(), self.clock.now());
        let (rows, holders) = appservices::load(self.directory.as_ref()).await?;
        let rows: Vec<_> = rows
            .into_iter()
            .filter_map(|row| {
                let registered = self.compiled(&row)?;
                Some((row, registered))
            })
            .collect();
        let list = Rc::new(self.list_of(&rows, &holders));
        if self.generation.get() == generation {
            *self.cached.borrow_mut() = Some(Cached { at, list: list.clone(), rows });
        }
        Ok(list)
    }

    /// The registration of a row: the one compiled last time when the row is the same. A row that
    /// cannot be used is logged and left out, so that it does not take the others with it.
    fn compiled(&self, row: &AppserviceRow) -> Option<Rc<Registered>> {
        if let Some(cached) = self.cached.borrow().as_ref()
            && let Some((_, registered)) = cached.rows.iter().find(|(known, _)| known == row)
        {
            return Some(registered.clone());
        }
        let registered = Registered::from_row(row, &self.server_name, &self.hasher);
        if registered.is_none() {
            tracing::error!(appservice.id = %row.id, "A stored registration is not readable and is ignored");
        }
        registered.map(Rc::new)
    }

    fn list_of(&self, rows: &[(AppserviceRow, Rc<Registered>)], holders: &[LoginHolder]) -> Vec<Rc<dyn Appservice>> {
        let mut list: Vec<Rc<dyn Appservice>> = Vec::new();
        for ready in &self.builtins {
            list.push(ready.bridge.clone());
            list.push(Rc::new(Registered {
                acts_as: holders
                    .iter()
                    .filter(|holder| holder.network == ready.builtin.network)
                    .filter_map(|holder| UserId::parse(&holder.owner).ok())
                    .collect(),
                ..ready.double_puppet.clone()
            }));
        }
        for (_, registered) in rows {
            list.push(registered.clone());
        }
        list
    }
}

impl Appservices for Registry {
    fn list(&self) -> LocalBoxFuture<'_, Result<Rc<Vec<Rc<dyn Appservice>>>, DatabaseError>> {
        Box::pin(async move {
            match self.fresh() {
                Some(list) => Ok(list),
                None => self.reload().await,
            }
        })
    }

    fn forget(&self) {
        self.generation.set(self.generation.get() + 1);
        // The compiled rows stay: only what changed is compiled again.
        if let Some(cached) = self.cached.borrow_mut().as_mut() {
            cached.at = i64::MIN / 2;
        }
    }
}

/// One appservice.
#[derive(Clone)]
struct Registered {
    id: String,
    bot: OwnedUserId,
    receives: bool,
    receives_ephemeral: bool,
    device_lists: bool,
    manages_devices: bool,
    rate_limited: bool,
    token: TokenHash,
    namespaces: NamespaceSet,
    /// A double puppet's users.
    acts_as: BTreeSet<OwnedUserId>,
    hasher: TokenHasher,
}

impl Registered {
    fn from_row(row: &AppserviceRow, server_name: &ruma::ServerName, hasher: &TokenHasher) -> Option<Self> {
        let stored: StoredRegistration = serde_json::from_str(&row.registration).ok()?;
        Some(Self {
            id: row.id.clone(),
            bot: bot_of(&stored.sender_localpart, server_name).ok()?,
            receives: stored.url.is_some(),
            receives_ephemeral: stored.receive_ephemeral,
            device_lists: stored.device_lists,
            manages_devices: stored.manages_devices,
            rate_limited: stored.rate_limited.unwrap_or(true),
            token: TokenHash::from_hex(&row.as_token_hash)?,
            namespaces: NamespaceSet::compile(&stored.namespaces).ok()?,
            acts_as: BTreeSet::new(),
            hasher: hasher.clone(),
        })
    }
}

impl Appservice for Registered {
    fn id(&self) -> &str {
        &self.id
    }

    fn bot(&self) -> &UserId {
        &self.bot
    }

    fn receives(&self) -> bool {
        self.receives
    }

    fn receives_ephemeral(&self) -> bool {
        self.receives_ephemeral
    }

    fn receives_device_lists(&self) -> bool {
        self.device_lists
    }

    fn manages_devices(&self) -> bool {
        self.manages_devices
    }

    fn owns_token(&self, token: &str) -> bool {
        self.hasher.hash(token).is(&self.token)
    }

    fn is_interested_in_user(&self, user_id: &UserId) -> bool {
        user_id == self.bot || self.acts_as.contains(user_id) || contains(&self.namespaces.users, user_id.as_str())
    }

    fn is_interested_in_alias(&self, alias: &RoomAliasId) -> bool {
        contains(&self.namespaces.aliases, alias.as_str())
    }

    fn is_interested_in_room(&self, room_id: &RoomId) -> bool {
        contains(&self.namespaces.rooms, room_id.as_str())
    }

    fn owns_user(&self, user_id: &UserId) -> bool {
        user_id == self.bot || contains_exclusively(&self.namespaces.users, user_id.as_str())
    }

    fn owns_alias(&self, alias: &RoomAliasId) -> bool {
        contains_exclusively(&self.namespaces.aliases, alias.as_str())
    }

    fn rate_limited(&self) -> bool {
        self.rate_limited
    }
}
