//! What a bridge does in Matrix: [`Intent`]s of its bot, its ghosts and, through the double puppet,
//! the owner, made idempotent by transaction ids and reserved aliases.

use std::{cell::Cell, rc::Rc};

use hubbub_appservice::{
    builtin::Builtin,
    intent::{Intent, error::IntentError},
};
use hubbub_core::{
    context::Context,
    contract::{Address, Class, appservice::AppserviceCommand, call},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::accounts;
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, ServerName, UserId};
use serde_json::Value as Json;

use crate::network::NetworkFacts;

/// The content key of what the double puppet sends: its value is the network's id. Portals of that
/// network take no notice of such events.
pub const DOUBLE_PUPPET_KEY: &str = "com.hubbub.double_puppet";

/// The registration of a network's bridge: its ghosts and aliases all start with `_<id>_`.
pub fn builtin(facts: &NetworkFacts, server_name: &ServerName) -> Builtin {
    let builtin = Builtin::with_prefix(facts.id, facts.bot, &format!("_{}_", facts.id), server_name);
    Builtin { receive_ephemeral: facts.mark_method.is_some(), ..builtin }
}

/// Whether a user is a network's bot or one of its ghosts on this server.
pub fn is_ours(facts: &NetworkFacts, server_name: &ServerName, user_id: &str) -> bool {
    let user = user_id.strip_prefix('@').and_then(|user| user.split_once(':'));
    let Some((localpart, server)) = user else {
        return false;
    };
    let ghost = localpart
        .strip_prefix('_')
        .and_then(|rest| rest.strip_prefix(facts.id))
        .is_some_and(|rest| rest.starts_with('_'));
    server == server_name && (localpart == facts.bot || ghost)
}

/// The bridge's client of this server.
pub(crate) struct Matrix {
    context: Rc<Context>,
    builtin: Builtin,
    title: &'static str,
    bot_ready: Cell<bool>,
}

impl Matrix {
    /// The client of a network's bridge.
    pub(crate) fn new(facts: &NetworkFacts, context: Rc<Context>) -> Self {
        Self {
            builtin: builtin(facts, &context.config.server_name),
            title: facts.title,
            context,
            bot_ready: Cell::new(false),
        }
    }

    /// The bot.
    pub(crate) fn bot(&self) -> Intent {
        Intent::bot(Rc::clone(&self.context), &self.builtin)
    }

    /// A ghost.
    pub(crate) fn ghost(&self, user: &UserId) -> Intent {
        Intent::ghost(Rc::clone(&self.context), &self.builtin, user.to_owned())
    }

    /// The holder of a login.
    pub(crate) fn owner(&self, user: &UserId) -> Intent {
        Intent::double_puppet(Rc::clone(&self.context), &self.builtin, user.to_owned())
    }

    /// A user of this server.
    pub(crate) fn user_id(&self, localpart: &str) -> Result<OwnedUserId> {
        UserId::parse_with_server_name(localpart, &self.context.config.server_name)
            .map_err(|_| MatrixError::internal("a bridge's user id is not valid"))
    }

    /// The bot's user id.
    pub(crate) fn bot_id(&self) -> Result<OwnedUserId> {
        self.user_id(&self.builtin.sender_localpart)
    }

    /// The alias `#_<network>_<name>:<server>`, reserved for the bridge.
    pub(crate) fn alias(&self, name: &str) -> Result<OwnedRoomAliasId> {
        let localpart = self.alias_localpart(name);
        let alias = format!("#{localpart}:{}", self.context.config.server_name);
        RoomAliasId::parse(alias).map_err(|_| MatrixError::internal("a bridge's alias is not valid"))
    }

    /// `room_alias_name` of [`Matrix::alias`].
    pub(crate) fn alias_localpart(&self, name: &str) -> String {
        format!("_{}_{name}", self.builtin.id)
    }

    /// Makes a room with a reserved alias, or finds the one that was made before: however often it
    /// is called, there is one room.
    pub(crate) async fn create_room(&self, alias_name: &str, mut body: Json) -> Result<OwnedRoomId> {
        self.ensure_bot().await?;
        let alias = self.alias(alias_name)?;
        if let Some(room) = self.bot().resolve_alias(&alias).await? {
            return Ok(room);
        }
        if let Some(body) = body.as_object_mut() {
            let localpart = self.alias_localpart(alias_name);
            body.insert("room_alias_name".to_owned(), localpart.into());
        }
        match self.bot().create_room(&body).await {
            Err(error) if error.is("M_ROOM_IN_USE") => {
                let room = self.bot().resolve_alias(&alias).await?;
                room.ok_or_else(|| MatrixError::internal("a reserved alias leads nowhere"))
            }
            outcome => Ok(outcome?),
        }
    }

    /// Makes the bot's account and names it, if that was not done yet.
    pub(crate) async fn ensure_bot(&self) -> Result<()> {
        if self.bot_ready.get() {
            return Ok(());
        }
        let bot = self.bot_id()?;
        let account = accounts::get(self.context.directory.as_ref(), bot.as_str()).await?;
        if account.is_none_or(|account| account.displayname.is_none()) {
            let bot = self.bot().as_user(bot);
            bot.ensure_registered(&self.builtin.sender_localpart).await?;
            bot.set_displayname(Some(&format!("{} bridge", self.title))).await?;
        }
        self.bot_ready.set(true);
        Ok(())
    }

    /// Brings a ghost into a room, by the bot's invitation.
    pub(crate) async fn bring_ghost(&self, ghost: &UserId, room: &RoomId) -> Result<()> {
        match self.bot().invite(room, ghost).await {
            // It is in the room already, or invited.
            Err(error) if error.status != 403 => return Err(error.into()),
            _ => {}
        }
        self.ghost(ghost).join(room.into()).await?;
        Ok(())
    }

    /// Brings the holder of a login into a room, who may be invited, or have left.
    pub(crate) async fn bring_owner(&self, owner: &UserId, room: &RoomId) -> Result<()> {
        let puppet = self.owner(owner);
        match puppet.join(room.into()).await {
            Ok(_) => return Ok(()),
            Err(error) if !matches!(error.status, 401 | 403) => return Err(error.into()),
            Err(_) => {}
        }
        // This isolate may not know yet that the user holds a login.
        self.context.appservices.forget();
        match puppet.join(room.into()).await {
            Err(error) if error.status == 403 => {}
            outcome => return Ok(outcome.map(|_| ())?),
        }
        self.bot().invite(room, owner).await?;
        puppet.join(room.into()).await?;
        Ok(())
    }

    /// Says where the events of a room go.
    pub(crate) async fn route(&self, room: &RoomId, to: &str) -> Result<()> {
        self.tell(&AppserviceCommand::Route { room_id: room.to_string(), to: to.to_owned() }).await
    }

    /// Says that the events of a room go nowhere any more.
    pub(crate) async fn unroute(&self, room: &RoomId) -> Result<()> {
        self.tell(&AppserviceCommand::Unroute { room_id: room.to_string() }).await
    }

    async fn tell(&self, command: &AppserviceCommand) -> Result<()> {
        let address = Address::new(Class::Appservice, self.builtin.id.as_str());
        call(self.context.objects.as_ref(), address, command).await
    }
}

/// Whether the server will never take this: the same call again would be refused again.
pub(crate) fn is_final(error: &IntentError) -> bool {
    !error.retryable() && error.status != 401
}
