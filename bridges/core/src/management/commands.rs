//! The commands of the management room.
//!
//! An event may come again after a crash: each command is idempotent, new ids are made of the
//! event's id, and so is the transaction id of the reply.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::{
    context::Context,
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::bridges::{self, BridgeLogin};
use ruma::{RoomId, UserId};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{reply::Reply, send};
use crate::{
    contract::{Bridged, LinkingCommand, ListedChannel, LoginCommand, LoginState, LoginStatus, Secret, Started},
    link_code,
    matrix::Matrix,
    network::{Network, NetworkFacts},
    web::paths::Link,
};

/// How long a one-time link works.
const LINK_MS: i64 = 3_600_000;

/// Channels that one reply lists.
const LISTED: usize = 200;

/// One command, by one user.
struct Command<'a> {
    context: &'a Rc<Context>,
    network: &'a dyn Network,
    user: &'a UserId,
    event_id: &'a str,
}

/// Carries out an event of a management room, if it is a command of its user, and replies.
pub(crate) async fn run(
    network: &dyn Network,
    context: &Rc<Context>,
    room: &RoomId,
    user: &UserId,
    event: &Json,
) -> Result<()> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Json::as_str);
    let is_text = text("/type") == Some("m.room.message")
        && text("/content/msgtype") == Some("m.text")
        && text("/content/m.relates_to/rel_type") != Some("m.replace");
    let (Some(event_id), Some(body)) = (text("/event_id"), text("/content/body")) else {
        return Ok(());
    };
    if !is_text || text("/sender") != Some(user.as_str()) {
        return Ok(());
    }
    let command = Command { context, network, user, event_id };
    let reply = match command.run(body.trim()).await {
        Ok(reply) => reply,
        // Our own fault, or that of the moment: the same command comes again.
        Err(error) if error.status >= 500 && error.status != 502 => return Err(error),
        Err(error) => Reply::text(&error.error),
    };
    let matrix = Matrix::new(network.facts(), Rc::clone(context));
    send(&matrix, room, &format!("reply-{event_id}"), &reply).await
}

impl Command<'_> {
    fn facts(&self) -> &'static NetworkFacts {
        self.network.facts()
    }

    async fn run(&self, text: &str) -> Result<Reply> {
        let text = text.trim_start_matches('!');
        let (verb, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = argument.trim();
        match verb.to_ascii_lowercase().as_str() {
            "help" => Ok(self.help()),
            "connect" => self.connect(argument).await,
            "list" => self.list(argument).await,
            "bridge" => self.bridge(argument).await,
            "unbridge" => self.unbridge(argument).await,
            "status" => self.status().await,
            "join" => self.join(argument).await,
            "dm" => self.dm(argument).await,
            "link" => self.link(argument).await,
            "unlink" => self.unlink(argument).await,
            "disconnect" => self.disconnect(argument).await,
            _ => Ok(Reply::text("I do not know this command. Say `help` for all that I can do.")),
        }
    }

    fn help(&self) -> Reply {
        let (title, team) = (self.facts().title, self.facts().words.team);
        let mut lines = vec![
            format!("connect — connect a {title} account, or renew the token of one"),
            "connect new — connect one more account".to_owned(),
            "list — your channels".to_owned(),
            "bridge #channel — bring a channel here; direct chats come by themselves".to_owned(),
            "unbridge #channel keep — end that; the room stays, silent".to_owned(),
            "unbridge #channel delete — end that, and take the room away".to_owned(),
            "join #channel — join an open channel and bring it here".to_owned(),
            "dm NAME — start a direct chat".to_owned(),
            "status — what is connected, and how it is".to_owned(),
            "disconnect keep — forget the token; the rooms stay".to_owned(),
            "disconnect delete — forget the token, and take the rooms away".to_owned(),
            format!("Who has several {team}s adds “in” and the {team}: bridge #general in Acme"),
        ];
        if self.facts().links_owner {
            let link = format!("link — say which {title} user you are, so that what you write there is shown as yours");
            lines.insert(2, link);
            lines.insert(3, "unlink — forget that".to_owned());
        }
        Reply::text("What I can do:").and_list(&lines)
    }

    async fn ask<R: DeserializeOwned>(&self, login_id: &str, command: &LoginCommand) -> Result<R> {
        let address = Address::new(Class::Login, login_id);
        call(self.context.objects.as_ref(), address, command).await
    }

    async fn logins(&self) -> Result<Vec<BridgeLogin>> {
        let directory = self.context.directory.as_ref();
        let logins = bridges::list_logins_of(directory, self.facts().id, self.user.as_str()).await?;
        let forwarding = LoginState::Forwarding.as_str();
        Ok(logins.into_iter().filter(|login| login.state != forwarding).collect())
    }

    /// A name that belongs to this event and to nothing else.
    fn derived(&self, purpose: &str) -> String {
        let purpose = format!("{}-{purpose}", self.facts().id);
        let secrets = &self.context.config.secrets;
        let mac = secrets.mac(&purpose, self.event_id.as_bytes());
        let short = mac.first_chunk::<18>().map_or(&mac[..], |short| &short[..]);
        URL_SAFE_NO_PAD.encode(short)
    }

    async fn connect(&self, argument: &str) -> Result<Reply> {
        let waiting = |login: &&BridgeLogin| login.state != LoginState::Connected.as_str();
        let logins = self.logins().await?;
        let known = logins.iter().rfind(waiting);
        let known = known.filter(|_| !argument.eq_ignore_ascii_case("new"));
        if known.is_none() && !logins.is_empty() && argument.is_empty() {
            return Ok(Reply::text(
                "Your account is connected. Say `connect new` to connect one more, `list` for \
                 its channels.",
            ));
        }
        let login_id =
            known.map_or_else(|| self.facts().object_name(&self.derived("login-id")), |login| login.login_id.clone());
        let command = LoginCommand::Start { owner: self.user.to_owned() };
        let started: Started = self.ask(&login_id, &command).await?;
        let link = Link {
            login_id: login_id.clone(),
            expires_at: self.context.clock.now().saturating_add(LINK_MS),
            nonce: self.derived("link"),
        };
        let command = LoginCommand::Link { nonce: link.nonce.clone(), expires_at: link.expires_at };
        self.ask::<()>(&login_id, &command).await?;
        let url = link.url(self.facts(), self.context);
        let last = format!(
            "Then open this page and enter {}: {url}\nIt works once, within an hour. Never write a secret into this room.",
            self.facts().words.secrets
        );
        if known.is_some_and(|login| login.remote_user.is_some()) {
            let text = format!("Your {} app is still there; only its token has to be new.", self.facts().title);
            return Ok(Reply::text(&text).and_text(&last));
        }
        let manifest = serde_json::to_string_pretty(&started.manifest)?;
        Ok(Reply::text(self.network.instructions()).and_code(&manifest).and_text(&last))
    }

    /// Splits `#general in Acme` into the channel and the login that it is about.
    async fn target(&self, argument: &str) -> Result<(String, BridgeLogin)> {
        let (channel, workspace) = match argument.rsplit_once(" in ") {
            Some((channel, workspace)) => (channel, Some(workspace.trim())),
            None => match argument.strip_prefix("in ") {
                Some(workspace) => ("", Some(workspace.trim())),
                None => (argument, None),
            },
        };
        let logins = self.logins().await?;
        let named = |login: &&BridgeLogin| match workspace {
            Some(workspace) => {
                let team = login.name.as_deref().and_then(|name| name.split_once(" in "));
                team.is_some_and(|(_, team)| team.eq_ignore_ascii_case(workspace))
                    || login.team.as_deref() == Some(workspace)
                    || login.login_id == workspace
            }
            None => true,
        };
        let mut found = logins.iter().filter(named).filter(|login| login.remote_user.is_some());
        match (found.next(), found.next()) {
            (Some(login), None) => Ok((channel.trim().to_owned(), login.clone())),
            (Some(_), Some(_)) => {
                let team = self.facts().words.team;
                Err(MatrixError::invalid_param(format!("You have several {team}s: add “in” and the {team}’s name.")))
            }
            (None, _) => {
                Err(MatrixError::not_found("There is no such connected account. Say `connect` to connect one."))
            }
        }
    }

    async fn list(&self, argument: &str) -> Result<Reply> {
        let (_, login) = self.target(&in_workspace(argument)).await?;
        let channels: Vec<ListedChannel> = self.ask(&login.login_id, &LoginCommand::List).await?;
        let shown = channels.iter().filter(|channel| !channel.kind.is_private_chat() || channel.portal_id.is_some());
        // Channels under a heading come in its order, all others by their names.
        let mut groups: Vec<(Option<&str>, Vec<String>)> = Vec::new();
        let mut count = 0_usize;
        for channel in shown {
            count = count.saturating_add(1);
            let sign = if channel.kind.is_private_chat() { "" } else { "#" };
            let state = channel.portal_id.as_ref().map_or("", |_| " — bridged");
            let line = format!("{sign}{}{state}", channel.name);
            match groups.last_mut() {
                Some((place, lines)) if *place == channel.place.as_deref() => lines.push(line),
                _ => groups.push((channel.place.as_deref(), vec![line])),
            }
        }
        if groups.is_empty() {
            return Ok(Reply::text("You are in no channel there."));
        }
        let mut reply = Reply::default();
        let mut room = LISTED;
        for (place, mut lines) in groups {
            if place.is_none() {
                lines.sort();
            }
            lines.truncate(room);
            room = room.saturating_sub(lines.len());
            if !lines.is_empty() {
                let heading = place.map_or_else(|| "Your channels:".to_owned(), |place| format!("{place}:"));
                reply = reply.and_text(&heading).and_list(&lines);
            }
        }
        let more = count.saturating_sub(LISTED);
        Ok(if more > 0 { reply.and_text(&format!("and {more} more")) } else { reply })
    }

    async fn bridge(&self, argument: &str) -> Result<Reply> {
        let (channel, login) = self.target(argument).await?;
        if channel.is_empty() {
            return Ok(Reply::text("Which channel? Say `bridge #channel`."));
        }
        let command = LoginCommand::Bridge { channel: channel.clone() };
        let bridged: Bridged = self.ask(&login.login_id, &command).await?;
        Ok(Reply::text(&format!("{channel} is here: https://matrix.to/#/{}", bridged.room_id)))
    }

    async fn unbridge(&self, argument: &str) -> Result<Reply> {
        let (argument, fate) = fate_of(argument);
        let (channel, login) = self.target(&argument).await?;
        if channel.is_empty() {
            return Ok(Reply::text("Which channel? Say `unbridge #channel keep` or `unbridge #channel delete`."));
        }
        match fate {
            None => Ok(Reply::text(&format!(
                "What is to become of the room? Say `unbridge {argument} keep` if it is to stay, silent, or `unbridge \
                 {argument} delete` if everybody is to leave it."
            ))),
            Some(Fate::Keep) => {
                self.ask::<()>(&login.login_id, &LoginCommand::Unbridge { channel: channel.clone() }).await?;
                Ok(Reply::text(&format!("{channel} is not bridged any more. Its room stays.")))
            }
            Some(Fate::Delete) => {
                self.ask::<()>(&login.login_id, &LoginCommand::DeleteRoom { channel: channel.clone() }).await?;
                Ok(Reply::text(&format!("{channel} is not bridged any more, and its room is gone.")))
            }
        }
    }

    async fn join(&self, argument: &str) -> Result<Reply> {
        let (channel, login) = self.target(argument).await?;
        if channel.is_empty() {
            return Ok(Reply::text("Which channel? Say `join #channel`."));
        }
        let command = LoginCommand::Join { channel: channel.clone() };
        let bridged: Bridged = self.ask(&login.login_id, &command).await?;
        Ok(Reply::text(&format!("You joined {channel}. It is here: https://matrix.to/#/{}", bridged.room_id)))
    }

    async fn dm(&self, argument: &str) -> Result<Reply> {
        let (person, login) = self.target(argument).await?;
        if person.is_empty() {
            return Ok(Reply::text("With whom? Say `dm NAME`."));
        }
        let command = LoginCommand::OpenChat { person: person.trim_start_matches('@').to_owned() };
        let bridged: Bridged = self.ask(&login.login_id, &command).await?;
        Ok(Reply::text(&format!("Your chat with {person} is here: https://matrix.to/#/{}", bridged.room_id)))
    }

    async fn link(&self, argument: &str) -> Result<Reply> {
        let (_, login) = self.target(&in_workspace(argument)).await?;
        let secrets = &self.context.config.secrets;
        let code = link_code::of_bytes(&secrets.mac("link-code-of-event", self.event_id.as_bytes()));
        let command = LoginCommand::Linking(LinkingCommand::Code { code: Secret(code.clone()) });
        self.ask::<bool>(&login.login_id, &command).await?;
        Ok(Reply::text(&self.network.link_help(&code)).and_text("The code works once, within ten minutes."))
    }

    async fn unlink(&self, argument: &str) -> Result<Reply> {
        let (_, login) = self.target(&in_workspace(argument)).await?;
        let known: bool = self.ask(&login.login_id, &LoginCommand::Linking(LinkingCommand::Unlink)).await?;
        let title = self.facts().title;
        Ok(Reply::text(&match known {
            true => {
                format!("I do not know any more who you are at {title}: what you write there is shown as a ghost's.")
            }
            false => format!("I did not know who you are at {title}. Say `link` to tell me."),
        }))
    }

    async fn status(&self) -> Result<Reply> {
        let logins = self.logins().await?;
        if logins.is_empty() {
            return Ok(Reply::text("Nothing is connected. Say `connect` to start."));
        }
        let mut lines = Vec::new();
        for login in &logins {
            let status: LoginStatus = self.ask(&login.login_id, &LoginCommand::Status).await?;
            let name = login.name.as_deref().unwrap_or("a new account");
            let state = match status.state {
                LoginState::Pending => "waits for its secrets",
                LoginState::Connected => "connected",
                LoginState::BadCredentials => "needs a new token: say connect",
                LoginState::Disconnected => "disconnected",
                LoginState::Forwarding => "replaced",
            };
            let counters = status.counters;
            let person = match (&status.person, self.facts().links_owner) {
                (Some(person), _) => format!(" You are {person} there."),
                (None, true) => " Who you are there I do not know: say link.".to_owned(),
                (None, false) => String::new(),
            };
            lines.push(format!(
                "{name}: {state}; {} bridged, {} events waiting, {} refused, {} of channels that \
                 are not bridged.{person}",
                status.portals.len(),
                status.waiting,
                counters.refused,
                counters.dropped
            ));
        }
        Ok(Reply::text("Your accounts:").and_list(&lines))
    }

    async fn disconnect(&self, argument: &str) -> Result<Reply> {
        let (argument, fate) = fate_of(argument);
        let (_, login) = self.target(&in_workspace(&argument)).await?;
        let Some(fate) = fate else {
            return Ok(Reply::text(
                "What is to become of the rooms? Say `disconnect keep` if they are to stay, silent, or `disconnect \
                 delete` if everybody is to leave them.",
            ));
        };
        // Before the token goes: a command that comes again finds what is left to do.
        if fate == Fate::Delete {
            let status: LoginStatus = self.ask(&login.login_id, &LoginCommand::Status).await?;
            for portal in status.portals {
                self.ask::<()>(&login.login_id, &LoginCommand::DeleteRoom { channel: portal.id }).await?;
            }
        }
        self.ask::<()>(&login.login_id, &LoginCommand::Disconnect).await?;
        Ok(Reply::text(match fate {
            Fate::Keep => "Disconnected: the token is forgotten. The rooms stay; `connect` goes on with them.",
            Fate::Delete => "Disconnected: the token is forgotten, and the rooms are gone.",
        }))
    }
}

/// An argument that names a workspace and nothing else.
fn in_workspace(argument: &str) -> String {
    match argument {
        "" => String::new(),
        argument if argument.starts_with("in ") => argument.to_owned(),
        argument => format!("in {argument}"),
    }
}

/// What becomes of a room that is not bridged any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Delete,
}

/// Takes the word that says so out of an argument: `#general delete in Acme`.
fn fate_of(argument: &str) -> (String, Option<Fate>) {
    let mut fate = None;
    let mut rest = Vec::new();
    for word in argument.split_whitespace() {
        match word {
            "keep" if fate.is_none() => fate = Some(Fate::Keep),
            "delete" if fate.is_none() => fate = Some(Fate::Delete),
            word => rest.push(word),
        }
    }
    (rest.join(" "), fate)
}
