//! The management room: a chat of the owner with the bridge's bot, in which commands are given and
//! the bot says what goes wrong. No secret ever enters it.
//!
//! The room of a user is the one that the alias `#_<network>_management_<user>` points to: the last
//! one into which the user invited the bot, or one that the bot made because it had something to
//! say. `commands` carries out what is said there.

mod commands;
mod encrypted;
mod reply;

use std::rc::Rc;

use hubbub_core::{
    context::Context,
    contract::{Address, Class, call},
    error::Result,
};
use hubbub_storage::directory::{appservices, bridges};
use ruma::{OwnedRoomId, RoomId, ServerName, UserId};
use serde_json::{Value as Json, json};

pub(crate) use self::commands::run;
use crate::{
    contract::{Bridged, LoginCommand},
    matrix::{Matrix, is_ours},
    network::{Network, NetworkFacts},
    portal::replacement,
};

/// The target of a management room's route.
pub(crate) fn route_of(user: &UserId) -> String {
    format!("management:{user}")
}

/// The user of a management room's route.
pub(crate) fn user_of(route: &str) -> Option<&UserId> {
    <&UserId>::try_from(route.strip_prefix("management:")?).ok()
}

fn alias_name(user: &UserId) -> String {
    // What an alias may not hold is written as its code, and so is the sign of that.
    let mut name = "management_".to_owned();
    for byte in user.localpart().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("={byte:02x}"));
        }
    }
    name
}

/// The management room of a user who holds a login; made when there is none.
async fn room_of(matrix: &Matrix, user: &UserId) -> Result<OwnedRoomId> {
    let name = alias_name(user);
    let body = json!({
        "preset": "private_chat",
        "is_direct": true,
        "invite": [user],
        "creation_content": { "m.federate": false },
        "power_level_content_override": {
            "users": { user.as_str(): 50 },
            "events": { "m.room.encryption": 100, "m.room.tombstone": 100, "m.room.server_acl": 100 },
        },
    });
    let room = matrix.create_room(&name, body).await?;
    matrix.route(&room, &route_of(user)).await?;
    if let Err(error) = matrix.bring_owner(user, &room).await {
        // The invitation is seen, too.
        tracing::info!("The owner of a login did not join the management room: {error}");
    }
    Ok(room)
}

/// Says something to a user who holds a login, once a transaction id and room. A room in which the
/// bot may not speak any more is given up for a new one.
pub(crate) async fn tell(matrix: &Matrix, user: &UserId, transaction: &str, text: &str) -> Result<()> {
    let room = room_of(matrix, user).await?;
    match say(matrix, &room, transaction, text).await {
        Err(error) if error.status == 403 => {
            matrix.bot().delete_alias(&matrix.alias(&alias_name(user))?).await?;
            let room = room_of(matrix, user).await?;
            say(matrix, &room, transaction, text).await
        }
        outcome => outcome,
    }
}

/// Says something, once a transaction id.
async fn say(matrix: &Matrix, room: &RoomId, transaction: &str, text: &str) -> Result<()> {
    send(matrix, room, transaction, &reply::Reply::text(text)).await
}

/// A message that is edited as something goes on.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    room: OwnedRoomId,
    event_id: String,
}

/// Says something to a user who holds a login, or replaces what was said.
pub(crate) async fn write_line(
    matrix: &Matrix,
    user: &UserId,
    transaction: &str,
    text: &str,
    line: Option<&Line>,
) -> Result<Line> {
    let room = room_of(matrix, user).await?;
    let mut content = reply::Reply::text(text).content();
    let line = line.filter(|line| line.room == room);
    if let Some(line) = line {
        content = replacement(&content, &line.event_id);
    }
    let sent = matrix.bot().send(&room, "m.room.message", transaction, &content, None).await?;
    Ok(line.cloned().unwrap_or_else(|| Line { room, event_id: sent.to_string() }))
}

async fn send(matrix: &Matrix, room: &RoomId, transaction: &str, reply: &reply::Reply) -> Result<()> {
    matrix.bot().send(room, "m.room.message", transaction, &reply.content(), None).await?;
    Ok(())
}

/// Whose invitation of the bot an event is, and its id.
pub(crate) fn inviter<'a>(bot: &UserId, event: &'a Json) -> Option<(&'a UserId, &'a str)> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Json::as_str);
    let invited = text("/type") == Some("m.room.member")
        && text("/state_key") == Some(bot.as_str())
        && text("/content/membership") == Some("invite");
    let sender = text("/sender").filter(|_| invited)?;
    Some((<&UserId>::try_from(sender).ok()?, text("/event_id")?))
}

/// The invitation of a ghost.
pub(crate) struct ChatInvite<'a> {
    ghost: &'a UserId,
    inviter: &'a UserId,
    event_id: &'a str,
    /// To a chat of two, or into any room.
    direct: bool,
}

/// Which ghost an event invites, if it does.
pub(crate) fn chat_invite<'a>(facts: &NetworkFacts, server: &ServerName, event: &'a Json) -> Option<ChatInvite<'a>> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Json::as_str);
    let direct = event.pointer("/content/is_direct").and_then(Json::as_bool) == Some(true);
    let ghost = text("/state_key")?;
    let invited = text("/type") == Some("m.room.member") && text("/content/membership") == Some("invite");
    if !invited || !is_ours(facts, server, ghost) {
        return None;
    }
    let invite = ChatInvite {
        ghost: <&UserId>::try_from(ghost).ok()?,
        inviter: <&UserId>::try_from(text("/sender")?).ok()?,
        event_id: text("/event_id")?,
        direct,
    };
    // Its own side brings ghosts into portals.
    let by_bridge = is_ours(facts, server, invite.inviter.as_str());
    (invite.ghost.localpart() != facts.bot && !by_bridge).then_some(invite)
}

/// Somebody wants to chat with a person of the network: the chat gets its portal, and the ghost declines, since the
/// portal has a room of its own. The inviter is told where; in an encrypted room, which no ghost stays in, by the ghost.
pub(crate) async fn start_chat(
    network: &dyn Network,
    context: &Rc<Context>,
    room: &RoomId,
    invite: &ChatInvite<'_>,
) -> Result<()> {
    let facts = network.facts();
    let directory = context.directory.as_ref();
    let logins = bridges::list_logins_of(directory, facts.id, invite.inviter.as_str()).await?;
    let found = logins.iter().find_map(|login| {
        let person = network.person_of_ghost(login.team.as_deref()?, invite.ghost.localpart())?;
        Some((login, person))
    });
    let Some((login, person)) = found else { return Ok(()) };
    let matrix = Matrix::new(facts, Rc::clone(context));
    let encrypted = encrypted::is_encrypted(context, &matrix, invite.inviter, room).await?;
    if !invite.direct && !encrypted {
        return Ok(());
    }
    let address = Address::new(Class::Login, login.login_id.as_str());
    let command = LoginCommand::OpenChat { person };
    let opened: Result<Bridged> = call(context.objects.as_ref(), address, &command).await;
    let text = match opened {
        Ok(bridged) => format!("Your chat is here: https://matrix.to/#/{}", bridged.room_id),
        Err(error) if error.status >= 500 && error.status != 502 => return Err(error),
        Err(error) => format!("That chat came to nothing. {}", error.error),
    };
    if encrypted {
        encrypted::explain(&matrix, room, invite, facts.title, &text).await?;
    } else if let Err(error) = matrix.ghost(invite.ghost).leave(room).await {
        tracing::info!("A ghost could not decline an invitation: {error}");
    }
    tell(&matrix, invite.inviter, &format!("chat-{}", invite.event_id), &text).await
}

/// Somebody invited the bot: it joins a human of this server, and says what it can do.
pub(crate) async fn accept_invite(
    network: &dyn Network,
    context: &Rc<Context>,
    room: &RoomId,
    inviter: &UserId,
    event_id: &str,
) -> Result<()> {
    let facts = network.facts();
    let matrix = Matrix::new(facts, Rc::clone(context));
    let account = appservices::owner_of_account(context.directory.as_ref(), inviter.as_str()).await?;
    if account != Some(None) {
        // Refusing may fail when somebody else did already.
        if let Err(error) = matrix.bot().leave(room).await {
            tracing::info!("An invitation could not be refused: {error}");
        }
        return Ok(());
    }
    matrix.bot().join(room.into()).await?;
    matrix.route(room, &route_of(inviter)).await?;
    let alias = matrix.alias(&alias_name(inviter))?;
    if matrix.bot().resolve_alias(&alias).await?.as_deref() != Some(room) {
        matrix.bot().delete_alias(&alias).await?;
        matrix.bot().set_alias(&alias, room).await?;
    }
    let text = format!(
        "Hello. I bring your {} channels here. Say `connect` to start, or `help` for all that I can do.",
        facts.title
    );
    say(&matrix, room, &format!("hello-{event_id}"), &text).await
}
