//! The saga that makes a portal's room: each step is idempotent and stored, and resumed by alarm.
//!
//! The room's alias `#_<network>_<portal id>` is reserved before the room exists, so a crash never
//! makes two. Nothing of the owner's is lost on the way: events of the room are routed here before
//! the owner is in it.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{
    directory::bridges::{self, PortalRecord},
    portal::{self as store, MappedMessage, PortalRow, care},
    schema,
};
use ruma::OwnedRoomId;
use serde_json::{Value as Json, json};

use super::PortalObject;
use crate::{
    contract::{ChannelKind, Ghost, LoginCommand, PortalIntent, RemotePerson},
    failpoints,
    network::{HistoryRequest, NetworkFacts, RemoteError, RemoteEvent},
};

/// Messages of a channel that a new portal starts with.
const FIRST_HISTORY: u32 = 50;

/// The owner's power: enough for everything but what would make the portal deaf.
pub(super) const OWNER_POWER: i64 = 95;

/// What only the bridge may send.
const BRIDGE_POWER: i64 = 100;

/// How far the clocks of the network and of this server may differ.
const CLOCK_MARGIN_MS: i64 = 120_000;

/// How far the making is: the next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask the network what the channel is, and D1 what is known of it.
    Describe,
    /// Make the room.
    Create,
    /// Route its events here.
    Route,
    /// Bring the owner in.
    Join,
    /// List it in the space and among direct chats.
    List,
    /// Fetch the first history.
    Fill,
    /// Nothing: it works.
    Active,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Describe, Self::Create, Self::Route, Self::Join, Self::List, Self::Fill, Self::Active];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Create => "create",
            Self::Route => "route",
            Self::Join => "join",
            Self::List => "list",
            Self::Fill => "fill",
            Self::Active => "active",
        }
    }

    pub(super) fn of(row: &PortalRow) -> Self {
        let found = Self::ALL.into_iter().find(|step| step.as_str() == row.step);
        found.unwrap_or(Self::Describe)
    }
}

impl PortalObject {
    /// Stores the intent, or opens the portal again.
    pub(super) async fn start(&self, intent: &PortalIntent) -> Result<()> {
        let known = self.row.borrow().clone();
        match known {
            None => self.store_intent(intent)?,
            Some(row) if row.closed => self.write(|row| {
                row.closed = false;
                row.channel = intent.channel.clone();
                let step = row.room_id.as_ref().map_or(Step::Describe, |_| Step::Route);
                row.step = step.as_str().to_owned();
            })?,
            Some(row) if row.channel != intent.channel => {
                self.write(|row| row.channel = intent.channel.clone())?;
            }
            Some(_) => return Ok(()),
        }
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_STEP).await;
        Ok(())
    }

    fn store_intent(&self, intent: &PortalIntent) -> Result<()> {
        let row = PortalRow {
            login_id: intent.login_id.clone(),
            owner: intent.owner.to_string(),
            channel: intent.channel.clone(),
            kind: intent.kind.as_str().to_owned(),
            details: None,
            step: Step::Describe.as_str().to_owned(),
            room_id: None,
            closed: false,
            sent_through: 0,
            attempt_through: 0,
            attempt_since: 0,
            mirrored_through: 0,
        };
        schema::migrate(self.database.as_ref(), store::STEPS)?;
        self.commit(true, |transaction| Ok(store::put(transaction, &row)?))?;
        *self.row.borrow_mut() = Some(row);
        Ok(())
    }

    /// Goes on until the owner is in the room.
    pub(super) async fn make_ready(&self) -> Result<OwnedRoomId> {
        self.make(|step| matches!(step, Step::List | Step::Fill | Step::Active)).await?;
        self.room_id()
    }

    /// Goes on from `work`.
    pub(super) async fn go_on_making(&self) {
        let Some(_guard) = self.inbound_lane.enter(self.now()) else { return };
        match self.make(|step| step == Step::Active).await {
            Ok(()) => self.inbound_lane.succeed(),
            Err(error) => {
                tracing::warn!(portal.id = %self.portal_id, "A portal's making stopped: {error}");
                self.inbound_lane.fail(self.now());
            }
        }
    }

    async fn make(&self, enough: impl Fn(Step) -> bool) -> Result<()> {
        let _turn = self.locks.lock("make").await;
        loop {
            let row = self.row()?;
            let step = Step::of(&row);
            if row.closed {
                return Err(MatrixError::new(409, "M_UNKNOWN", "The portal was closed."));
            }
            if enough(step) {
                return Ok(());
            }
            match step {
                Step::Describe => self.describe().await?,
                Step::Create => self.create_room().await?,
                Step::Route => self.route().await?,
                Step::Join => self.join_owner().await?,
                Step::List => self.list_room().await?,
                Step::Fill => self.fill().await?,
                Step::Active => return Ok(()),
            }
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_STEP).await;
        }
    }

    fn reach(&self, step: Step) -> Result<()> {
        self.write(|row| row.step = step.as_str().to_owned())
    }

    async fn describe(&self) -> Result<()> {
        let row = self.row()?;
        let access = self.access(None).await?;
        let token = access.token.ok_or_else(|| not_connected(self.facts()))?;
        let channel = match self.network.channel(&token.0, &row.channel).await {
            Err(RemoteError::BadCredentials(reason)) => {
                let access = self.access(None).await?;
                self.token_refused(&reason, &access).await?;
                return Err(not_connected(self.facts()));
            }
            outcome => outcome.map_err(|error| {
                MatrixError::new(502, "M_UNKNOWN", format!("{}: {}", self.facts().title, error.sentence()))
            })?,
        };
        let details = serde_json::to_string(&channel)?;
        let known = self.restored_map().await?;
        self.write_with(
            |row| {
                row.details = Some(details);
                row.kind = channel.kind.as_str().to_owned();
                row.step = Step::Create.as_str().to_owned();
            },
            |transaction| {
                for message in &known {
                    store::put_message(transaction, message)?;
                }
                Ok(())
            },
        )
    }

    /// The map as D1 has it: all that is left when an object lost its storage.
    async fn restored_map(&self) -> Result<Vec<MappedMessage>> {
        const PAGE: u32 = 1_000;
        let mut messages = Vec::new();
        let mut after = (String::new(), -1);
        loop {
            let directory = self.context.directory.as_ref();
            let page = bridges::list_messages(directory, &self.portal_id, (&after.0, after.1), PAGE).await?;
            let more = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            for (remote_id, part, event_id) in page {
                after = (remote_id.clone(), part);
                if let Some(place) = self.network.place(&remote_id) {
                    let (sender, thread_root) = (None, None);
                    messages.push(MappedMessage { place, part, remote_id, event_id, sender, edited: 0, thread_root });
                }
            }
            if !more {
                return Ok(messages);
            }
        }
    }

    async fn create_room(&self) -> Result<()> {
        let space = self.space_of(&self.details()?).await?;
        let body = self.room_body(&space).await?;
        let room = self.matrix.create_room(&self.portal_id, body).await?;
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_CREATE).await;
        self.write(|row| {
            row.room_id = Some(room.to_string());
            row.step = Step::Route.as_str().to_owned();
        })
    }

    async fn room_body(&self, space: &OwnedRoomId) -> Result<Json> {
        let owner = self.owner()?;
        let channel = self.details()?;
        let name = self.room_name().await?;
        let server = &self.context.config.server_name;
        let bridge = json!({
            "bridgebot": self.matrix.bot_id()?,
            "creator": owner,
            "protocol": { "id": self.facts().id, "displayname": self.facts().title },
            "channel": { "id": channel.id, "displayname": name },
        });
        let mut body = json!({
            "preset": "private_chat",
            "name": name,
            "creation_content": { "m.federate": false },
            "invite": [owner],
            "is_direct": channel.kind.is_private_chat(),
            "initial_state": [
                {
                    "type": "m.space.parent",
                    "state_key": space,
                    "content": { "via": [server], "canonical": true },
                },
                { "type": "m.bridge", "state_key": format!("com.hubbub.{}", self.portal_id), "content": bridge },
                { "type": "m.room.guest_access", "state_key": "", "content": { "guest_access": "forbidden" } },
            ],
            "power_level_content_override": {
                "users": { owner.as_str(): OWNER_POWER },
                // Everybody there is a ghost without power, and may call all the same: the network decided.
                "notifications": { "room": 0 },
                "events": {
                    // An encrypted portal would be deaf, an upgraded or banned one gone.
                    "m.room.encryption": BRIDGE_POWER,
                    "m.room.tombstone": BRIDGE_POWER,
                    "m.room.server_acl": BRIDGE_POWER,
                    "m.bridge": BRIDGE_POWER,
                    "m.room.power_levels": OWNER_POWER,
                    "m.room.history_visibility": OWNER_POWER,
                    "m.room.name": 50,
                    "m.room.topic": 50,
                    "m.room.avatar": 50,
                    "m.room.canonical_alias": 50,
                },
            },
        });
        let topic = channel.topic.filter(|topic| !topic.is_empty());
        if let (Some(topic), Some(body)) = (topic, body.as_object_mut()) {
            body.insert("topic".to_owned(), topic.into());
        }
        Ok(body)
    }

    pub(super) async fn room_name(&self) -> Result<String> {
        let channel = self.details()?;
        if let Some(with) = self.other_person().await? {
            return Ok(with.name);
        }
        Ok(if channel.name.is_empty() { channel.id } else { channel.name })
    }

    /// The ghost of the other person of a chat of two.
    async fn other_person(&self) -> Result<Option<Ghost>> {
        let Some(with) = self.details()?.with else {
            return Ok(None);
        };
        let person = RemotePerson { id: with, name: None, picture: None };
        Ok(self.ghosts_of(vec![person]).await?.into_iter().next())
    }

    async fn route(&self) -> Result<()> {
        self.matrix.route(&self.room_id()?, &self.portal_id).await?;
        self.reach(Step::Join)
    }

    async fn join_owner(&self) -> Result<()> {
        self.matrix.bring_owner(&self.owner()?, &self.room_id()?).await?;
        self.reach(Step::List)
    }

    async fn list_room(&self) -> Result<()> {
        let room = self.room_id()?;
        let channel = self.details()?;
        let space = self.space_of(&channel).await?;
        self.list_in(&space, &channel).await?;
        self.set_rights(&channel).await?;
        if self.kind()? != ChannelKind::Channel {
            let with = match self.other_person().await? {
                Some(ghost) => {
                    self.join_ghost(&ghost.user_id).await?;
                    ghost.user_id
                }
                None => self.matrix.bot_id()?,
            };
            self.ask_login::<()>(&LoginCommand::MarkDirect { room_id: room.clone(), with: vec![with] }).await?;
        }
        self.set_push_rule().await?;
        let row = self.row()?;
        let name = self.room_name().await?;
        let record = PortalRecord {
            portal_id: &self.portal_id,
            login_id: &row.login_id,
            remote_id: &row.channel,
            kind: &row.kind,
            room_id: Some(room.as_str()),
            name: Some(&name),
        };
        let statement = bridges::put_portal(&record, self.now());
        self.context.directory.batch(vec![statement]).await?;
        self.reach(Step::Fill)
    }

    /// How loud the room is, once: whatever its owner makes of it later stays. A channel notifies of mentions only
    /// (those rules stand before the room's), a chat of everything.
    async fn set_push_rule(&self) -> Result<()> {
        const ONCE: &str = "push-rule";
        if store::was_noticed(self.database.as_query(), ONCE)? {
            return Ok(());
        }
        let actions = match self.kind()? {
            ChannelKind::Channel => json!([]),
            ChannelKind::Direct | ChannelKind::Group => json!(["notify", { "set_tweak": "sound", "value": "default" }]),
        };
        self.matrix.owner(&self.owner()?).put_room_push_rule(&self.room_id()?, &actions).await?;
        self.commit(false, |transaction| Ok(store::put_noticed(transaction, ONCE)?))
    }

    /// Queues the channel's last messages, which stand before all that waits already: the lane
    /// starts to move only now.
    async fn fill(&self) -> Result<()> {
        // What is sent from now on is not in there, and hides nothing.
        let asked_at = self.network.id_at(self.now().saturating_sub(CLOCK_MARGIN_MS));
        let messages = self.first_history().await?;
        let mut places = Vec::new();
        let mut care = care::get(self.database.as_query())?;
        care.caught_from.get_or_insert(asked_at);
        self.write_with(
            |row| row.step = Step::Active.as_str().to_owned(),
            |transaction| {
                places.clear();
                care::put(transaction, &care)?;
                for raw in &messages {
                    let RemoteEvent::Message(message) = self.network.read_event(raw) else {
                        continue;
                    };
                    let query = transaction.as_query();
                    let known = store::find_event(query, &message.place.place)?.is_some();
                    if !known && store::insert_inbound(transaction, &message.place, raw.get())? {
                        places.push(message.place);
                    }
                }
                Ok(())
            },
        )?;
        let (messages, last) = (places.len(), places.iter().max().cloned());
        self.inbound.borrow_mut().extend(places);
        if let Some(last) = last {
            self.begin_first_history(messages, last).await;
        }
        Ok(())
    }

    async fn first_history(&self) -> Result<Vec<Box<serde_json::value::RawValue>>> {
        let row = self.row()?;
        let access = self.access(Some(self.facts().history_method)).await?;
        if access.wait_ms > 0 {
            return Err(MatrixError::new(
                429,
                "M_LIMIT_EXCEEDED",
                format!("{} allows no more history right now.", self.facts().title),
            ));
        }
        let token = access.token.as_ref().ok_or_else(|| not_connected(self.facts()))?;
        let request =
            HistoryRequest { channel: &row.channel, thread: None, after: None, cursor: None, limit: FIRST_HISTORY };
        match self.network.history(&token.0, &request).await {
            Ok(page) => Ok(page.messages),
            // What may not be read is no reason to show nothing of what comes.
            Err(RemoteError::Refused(code)) => {
                tracing::warn!(portal.id = %self.portal_id, "A channel's history is refused: {code}");
                Ok(Vec::new())
            }
            Err(RemoteError::BadCredentials(reason)) => {
                self.token_refused(&reason, &access).await?;
                Err(not_connected(self.facts()))
            }
            Err(error) => {
                Err(MatrixError::new(502, "M_UNKNOWN", format!("{}: {}", self.facts().title, error.sentence())))
            }
        }
    }

    /// Ends the portal: what waits to go out is given up, the room stays.
    pub(super) async fn close(&self) -> Result<()> {
        let row = self.row()?;
        if row.closed {
            return Ok(());
        }
        if row.room_id.is_some() {
            let room = self.room_id()?;
            let transaction = format!("closed-{}", self.now());
            let text = format!("This channel is not bridged to {} any more.", self.facts().title);
            if let Err(error) = self.say(&transaction, &text, None).await {
                tracing::warn!(portal.id = %self.portal_id, "A farewell failed: {error}");
            }
            self.matrix.unroute(&room).await?;
        }
        self.write(|row| row.closed = true)?;
        self.drop_outbound()
    }
}

pub(super) fn not_connected(facts: &NetworkFacts) -> MatrixError {
    MatrixError::new(409, "M_UNKNOWN", format!("The login is not connected to {}.", facts.title))
}
