//! A whole bridge as the server sees it: what it does with the events of its rooms, and with
//! requests to its addresses. It holds nothing; everything lives in logins and portals.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_appservice::in_process::InProcess;
use hubbub_core::{
    context::Context,
    contract::{Address, Class, appservice::Query, call, delivery::DeliveredEvent},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::bridges;
use ruma::RoomId;
use serde_json::{
    Value as Json,
    value::{RawValue, to_raw_value},
};

use crate::{
    contract::{LoginCommand, PortalCommand},
    management,
    matrix::{DOUBLE_PUPPET_KEY, Matrix, is_ours},
    network::{Network, NetworkFacts},
    portal::readers,
    web,
};

/// How many logins are asked for somebody.
const MOST_LOGINS: u32 = 10;

/// The bridge of a network.
pub struct Bridge {
    context: Rc<Context>,
    network: Rc<dyn Network>,
}

impl Bridge {
    /// The bridge.
    pub fn new(context: Rc<Context>, network: Rc<dyn Network>) -> Self {
        Self { context, network }
    }

    fn facts(&self) -> &'static NetworkFacts {
        self.network.facts()
    }

    /// Makes the bot's account, so that it can be invited before the bridge ever made a room.
    /// Idempotent.
    pub async fn prepare(&self) -> Result<()> {
        Matrix::new(self.facts(), Rc::clone(&self.context)).ensure_bot().await
    }

    /// Makes the bot, or the ghost of somebody whom one of the logins knows; whether there is one now. Rooms have
    /// their aliases from the beginning, so that there is none to be made.
    async fn find(&self, query: &Query) -> Result<bool> {
        let Query::User(user) = query else {
            return Ok(false);
        };
        if user.localpart() == self.facts().bot {
            return self.prepare().await.map(|()| true);
        }
        let logins = bridges::list_connected(self.context.directory.as_ref(), self.facts().id, MOST_LOGINS).await?;
        for (login_id, team) in logins {
            let person = self.network.person_of_ghost(&team, user.localpart());
            // Of the spellings of a name only one is ever made.
            let person = person.filter(|person| self.network.ghost_localpart(&team, person) == user.localpart());
            let Some(person) = person else { continue };
            let command = LoginCommand::Introduce { person };
            let address = Address::new(Class::Login, login_id);
            if call(self.context.objects.as_ref(), address, &command).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a path is one of the bridge's addresses.
    pub fn answers(&self, path: &str) -> bool {
        let rest = path.strip_prefix("/_hubbub/").map(|rest| rest.strip_prefix("admin/v1/").unwrap_or(rest));
        rest.and_then(|rest| rest.strip_prefix(self.facts().id)).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Answers a request to one of the bridge's addresses; `None` for every other path.
    pub async fn handle_http(&self, request: http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
        web::handle_http(self.facts(), &self.context, request).await
    }

    async fn take(&self, room: &RoomId, events: Vec<Json>, route: Option<String>) -> Result<()> {
        let Some(route) = route else {
            return self.take_unrouted(room, &events).await;
        };
        if let Some(user) = management::user_of(&route) {
            self.take_unrouted(room, &events).await?;
            for event in &events {
                management::run(self.network.as_ref(), &self.context, room, user, event).await?;
            }
            return Ok(());
        }
        let events: Vec<Box<RawValue>> = events.iter().map(to_raw_value).collect::<Result<_, _>>()?;
        let address = Address::new(Class::Portal, route);
        let command = PortalCommand::Matrix { events };
        match call::<()>(self.context.objects.as_ref(), address, &command).await {
            // A portal that is not there any more cannot want anything.
            Err(error) if error.status == 404 => Ok(()),
            outcome => outcome,
        }
    }

    /// Looks for invitations of the bot, and of ghosts to a chat.
    async fn take_unrouted(&self, room: &RoomId, events: &[Json]) -> Result<()> {
        let server = &self.context.config.server_name;
        let bot = ruma::UserId::parse_with_server_name(self.facts().bot, server)
            .map_err(|_| MatrixError::internal("the bot's user id is not valid"))?;
        for event in events {
            if let Some(invite) = management::chat_invite(self.facts(), server, event) {
                management::start_chat(self.network.as_ref(), &self.context, room, &invite).await?;
                continue;
            }
            let Some((inviter, event_id)) = management::inviter(&bot, event) else {
                continue;
            };
            match management::accept_invite(self.network.as_ref(), &self.context, room, inviter, event_id).await {
                // The invitation was withdrawn, or is not for us.
                Err(error) if (400..500).contains(&error.status) && error.status != 429 => {
                    tracing::info!("An invitation came to nothing: {error}");
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// Whether the bridge itself sent an event, through the double puppet.
fn is_puppets(facts: &NetworkFacts, event: &RawValue) -> bool {
    // Nearly no event names the key: those are not worth parsing.
    event.get().contains(DOUBLE_PUPPET_KEY)
        && serde_json::from_str::<Json>(event.get()).is_ok_and(|event| {
            let key = event.get("content").and_then(|content| content.get(DOUBLE_PUPPET_KEY));
            key.and_then(Json::as_str) == Some(facts.id)
        })
}

impl InProcess for Bridge {
    fn transaction<'a>(
        &'a self,
        _appservice_id: &'a str,
        room_id: &'a RoomId,
        events: Vec<Json>,
        route: Option<String>,
    ) -> LocalBoxFuture<'a, Result<(), MatrixError>> {
        Box::pin(self.take(room_id, events, route))
    }

    fn query<'a>(&'a self, _appservice_id: &'a str, query: &'a Query) -> LocalBoxFuture<'a, Result<bool, MatrixError>> {
        Box::pin(self.find(query))
    }

    fn serves(&self, appservice_id: &str) -> bool {
        appservice_id == self.facts().id
    }

    fn wants(&self, _appservice_id: &str, event: &DeliveredEvent) -> bool {
        let server = &self.context.config.server_name;
        if event.is_state {
            let facts = self.facts();
            let bot = event.state_key.as_deref().is_some_and(|user| user == format!("@{}:{server}", facts.bot));
            let ghost = event.state_key.as_deref().is_some_and(|user| is_ours(facts, server, user));
            let human = !is_ours(facts, server, event.sender.as_str());
            let invited = ghost && human && event.event.get().contains("\"invite\"");
            return (bot || invited) && event.event_type == "m.room.member";
        }
        // The portal looks closer: this only saves the queue what comes back from the bridge.
        let ours = is_ours(self.facts(), server, event.sender.as_str());
        !ours && !is_puppets(self.facts(), &event.event)
    }

    /// What humans have read; who types stays here.
    fn wants_ephemeral(&self, _appservice_id: &str, event: &RawValue) -> bool {
        let server = &self.context.config.server_name;
        serde_json::from_str::<Json>(event.get()).is_ok_and(|event| {
            event.get("type").is_some_and(|kind| kind == "m.receipt")
                && readers(&event).any(|(_, user, _)| !is_ours(self.facts(), server, user))
        })
    }
}
